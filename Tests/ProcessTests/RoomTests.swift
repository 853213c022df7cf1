import API
import Base
import Domain
import Glibc
import HTTP
import Support
import Testing

/// A room as its members' clients see it, where it is large or its Ins is away.
struct RoomTests {
    private func room(_ owner: TestUser) async throws -> JSONValue {
        let world = try await owner.client.call(WorldAPI.create, body: ["title": "Open"]).id
        let made = try await owner.client.data(.put, "/api/instances", ["world": "\(world)"])
        return try #require(made["id"])
    }

    @Test func `who comes to a room that is more than may wait for a socket is shown all of it`()
        async throws
    {
        var shape = NodeShape()
        shape.reil = [("sockets.queue", "64KiB")]
        let node = try await TestNode.start(shape)
        let (ada, ben) = (try await node.user(), try await node.user())
        let instance = try await room(ada)
        let host = try await TestSocket.open(ada.client)
        try await host.command("instance-join", ["instance": instance])
        let time = try await host.command("ping")["server"]
        let count = 600
        for number in 0..<count {
            host.post(
                "instance-transform",
                [
                    "instance": instance, "path": .string("o:thing-\(number)/body"),
                    "p": [.integer(Int64(number)), 0.123456789012345, 1.123456789012345],
                    "r": [0.1234567890123456, 0, 0, 1], "at": time ?? .null,
                ])
        }
        let guest = try await TestSocket.open(ben.client)
        let snapshot = try await Eventually.get("all that was moved") { status in
            let answer = try await guest.command("instance-join", ["instance": instance])
            status.text = "\(answer["transforms"]?.arrayValue?.count ?? -1)"
            if answer["transforms"]?.arrayValue?.count == count { return answer }
            try await guest.command("instance-leave", ["instance": instance])
            return nil
        }
        var text = ByteWriter()
        text.append(json: snapshot)
        #expect(text.count > 64 << 10)
        try await host.command("instance-data", ["instance": instance, "data": "behind it"])
        try await guest.event("instance-data") { $0["data"]?["data"] == "behind it" }
    }

    @Test func `when the Ins was away for a moment its members are told the room anew`()
        async throws
    {
        var shape = NodeShape()
        shape.hasProxies = true
        let node = try await TestNode.start(shape)
        let (ada, ben) = (try await node.user(), try await node.user())
        let instance = try await room(ada)
        let (host, guest) = (
            try await TestSocket.open(ada.client), try await TestSocket.open(ben.client)
        )
        try await host.command("instance-join", ["instance": instance])
        try await guest.command("instance-join", ["instance": instance])
        let time = try await host.command("ping")["server"]
        host.post(
            "instance-transform",
            ["instance": instance, "path": "p:@me/body", "p": [1, 2, 3], "at": time ?? .null])
        try await guest.event("instance-transform")

        let proxy = try #require(node.linkProxy)
        proxy.become(.broken)
        try await Eventually.holds("the link broken") { _ in proxy.connections == 0 }
        proxy.become(.clear)
        for socket in [host, guest] {
            let told = try await socket.event("update-instance") {
                $0["data"]?["rehosted"] == true
            }
            #expect(told["subgroup"] == instance && told["data"]?["id"] == instance)
            let snapshot = told["data"]?["snapshot"]
            #expect(snapshot?["players"]?.arrayValue?.count == 2, "\(told)")
            #expect(snapshot?["transforms"]?[0]?["p"] == [1, 2, 3], "\(told)")
        }
        // Nobody has come or gone.
        #expect(!guest.waiting.contains { $0["command"] == "instance-joined" })
        try await guest.command("instance-data", ["instance": instance, "data": "again"])
        try await host.event("instance-data") { $0["data"]?["data"] == "again" }
    }

    @Test func `an Ins that has hung is noticed by its silence, and is back when it speaks`()
        async throws
    {
        let node = try await TestNode.start()
        let ins = node.process("ins-1")
        func holds(_ count: Int64) async throws {
            try await Eventually.holds("\(count) Ins") { status in
                let answer = try await node.client.send(.get, "/api/health")
                status.text = "\(answer)"
                return answer.data?["ins"] == .integer(count)
            }
        }
        ins.send(SIGSTOP)
        try await holds(0)
        ins.send(SIGCONT)
        try await holds(1)
    }
}
