import API
import Base
import Domain
import HTTP
import Net
import Support
import Testing

/// Reil is cut off from Eta: what could have been taken back counts no more, rooms go on, and all is
/// as it was once the way is free again.
struct OutageTests {
    /// Two in a room, on a node whose Reil reaches Eta through a proxy.
    private struct Place {
        let node: TestNode
        let (ada, ben): (TestUser, TestUser)
        let (host, guest): (TestSocket, TestSocket)
        let world: String
        let instance: String

        init() async throws {
            var shape = NodeShape()
            shape.hasProxies = true
            node = try await TestNode.start(shape)
            (ada, ben) = (try await node.user(), try await node.user())
            world = "\(try await ada.client.call(WorldAPI.create, body: ["title": "Open"]).id)"
            let made = try await ada.client.data(
                .put, "/api/instances", ["world": .string(world)])
            instance = try #require(made["id"]?.stringValue)
            (host, guest) = (
                try await TestSocket.open(ada.client), try await TestSocket.open(ben.client)
            )
            try await host.command("instance-join", ["instance": .string(instance)])
            try await guest.command("instance-join", ["instance": .string(instance)])
        }

        func me() async throws -> Answer {
            try await ada.client.send(.get, "/api/users/@me")
        }

        /// Waits until Reil has lost its lease, or has one again.
        func waitFor(lease: Bool) async throws {
            try await Eventually.holds("lease: \(lease)", within: .seconds(20)) { status in
                let answer = try await node.client.send(.get, "/api/health")
                status.text = "\(answer)"
                return (answer.status == 200) == lease
            }
        }

        /// Both hear each other.
        func speak(_ word: String) async throws {
            for (from, to) in [(host, guest), (guest, host)] {
                try await from.command(
                    "instance-data", ["instance": .string(instance), "data": .string(word)])
                try await to.event("instance-data") { $0["data"]?["data"] == .string(word) }
            }
        }

        func connected() async throws -> JSONValue? {
            try await ada.client.data(.get, "/api/instances/\(instance)")["connected"]
        }
    }

    @Test(arguments: [false, true])
    func `rooms go on, nothing else does, and then all of it again`(isSilent: Bool) async throws {
        let place = try await Place()
        let proxy = try #require(place.node.etaProxy)
        let world = "/api/worlds/\(place.world)"
        for _ in 0..<2 { #expect(try await place.node.client.send(.get, world).status == 200) }
        try await place.speak("before")

        proxy.become(isSilent ? .silent : .broken)
        try await place.waitFor(lease: false)
        let refused = try await place.me()
        #expect(refused.code == 70 && refused.fields[.retryAfter] != nil, "\(refused)")
        if !isSilent {
            // It may have become private.
            #expect(try await place.node.client.send(.get, world).code == 70)
            let other = try await place.host.exchange(
                "instance-join", ["instance": .string("i_" + place.world.dropFirst(2))])
            #expect(other["error"]?["code"] == 70, "\(other)")
        }
        try await place.speak("meanwhile")

        proxy.become(.clear)
        try await place.waitFor(lease: true)
        #expect(try await place.me().status == 200)
        try await place.speak("after")
        #expect(try await place.node.client.send(.get, world).status == 200)
        #expect(try await place.connected() == 2)
        // What is taken back now counts at once.
        try await place.ben.client.data(.delete, "/api/auth/logout")
        #expect(try await place.ben.client.send(.get, "/api/users/@me").code == 3)
        #expect(try await place.guest.closed() == .unauthenticated)
        try await Eventually.holds("the end of a seat") { status in
            let connected = try await place.connected()
            status.text = "\(String(describing: connected))"
            return connected == 1
        }
    }
}
