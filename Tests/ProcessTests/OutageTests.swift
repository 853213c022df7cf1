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

        init(_ reil: [(String, String)] = []) async throws {
            var shape = NodeShape()
            shape.hasProxies = true
            shape.reil = reil
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

        func speak(from socket: TestSocket) async throws {
            try await socket.command(
                "instance-data", ["instance": .string(instance), "data": "anybody?"])
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

    /// Breaks the link, has `body` done meanwhile, and lets it come back while nobody can say which
    /// logins still count.
    private func returnUnchecked(
        _ place: Place, meanwhile body: () async throws -> Void = {}
    ) async throws -> FaultProxy {
        let proxy = try #require(place.node.etaProxy)
        proxy.become(.broken)
        try await place.waitFor(lease: false)
        try await body()
        proxy.refuse(RegistryAPI.StandingPath.template)
        proxy.become(.clear)
        try await place.waitFor(lease: true)
        return proxy
    }

    @Test func `what was taken back while Eta was away is asked for until it is known`()
        async throws
    {
        let place = try await Place()
        let proxy = try await returnUnchecked(place) {
            let hand = try SecondHand(place.node)
            try await place.node.eta("user", "tag", place.ben.name, "avr:disabled")
            // Eta has seen it, and told nobody.
            try await Eventually.holds("no notes") { _ in try hand.isEmpty("outside_change") }
        }
        try await Eventually.holds("three questions in vain") { status in
            status.text = "\(proxy.refusals)"
            return proxy.refusals >= 3
        }
        // Nobody has said yet that it counts no more.
        #expect(try await place.guest.command("ping") != .null)
        proxy.refuse(nil)
        let code = try await place.guest.closed()
        #expect(code == .denied || code == .unauthenticated, "\(code)")
        #expect(try await place.host.command("ping") != .null)
        try await Eventually.holds("the end of a seat") { status in
            let connected = try await place.connected()
            status.text = "\(String(describing: connected))"
            return connected == 1
        }
    }

    @Test func `sockets that cannot be checked end, and those that were opened since stay`()
        async throws
    {
        let place = try await Place([("reil.orphan_grace", "3s")])
        let proxy = try await returnUnchecked(place)
        // So many that each loop has some.
        var fresh: [TestSocket] = []
        for _ in 0..<8 { fresh.append(try await place.ada.socket()) }
        for socket in [place.host, place.guest] {
            #expect(try await socket.closed(within: .seconds(20)) == .tryAgain)
        }
        #expect(proxy.refusals >= 3)
        for socket in fresh { #expect(try await socket.command("ping") != .null) }
    }

    @Test func `a seat that Eta does not take back is offered until it does`() async throws {
        let place = try await Place()
        let proxy = try #require(place.node.etaProxy)
        let path = "/internal/instances/\(place.instance)/players"
        proxy.refuse("DELETE \(path)")
        try await place.guest.command("instance-leave", ["instance": .string(place.instance)])
        try await place.host.event("instance-left")
        try await Eventually.holds("three offers in vain") { status in
            status.text = "\(proxy.refusals)"
            return proxy.refusals >= 3
        }
        #expect(try await place.connected() == 2)
        proxy.refuse(nil)
        try await Eventually.holds("the end of a seat") { status in
            let connected = try await place.connected()
            status.text = "\(String(describing: connected))"
            return connected == 1
        }
        try await place.speak(from: place.host)
    }
}
