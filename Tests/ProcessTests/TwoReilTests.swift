import API
import Base
import Domain
import Glibc
import HTTP
import Net
import Support
import Testing

/// One node, several gateways: what is taken back at one counts at all, and one that goes away
/// hands its sockets to another.
@Suite struct TwoReilTests {
    /// A node with a second Reil.
    private struct Pair {
        let node: TestNode
        let second: TestProcess
        let other: TypedClient

        init() async throws {
            node = try await TestNode.start()
            let port = FreePort.next()
            let address = "127.0.0.1:\(port)"
            let settings =
                node.settings("reil").filter { $0.0 != "reil.listen" }
                + [("reil.listen", address), ("reil.gateway", address)]
            second = try await TestProcess.start(
                Executables.path("reil"), TestNode.flags(settings), name: "reil-2",
                in: node.folder.path, environment: ["REILETA_TESTING": "true"])
            _ = try await second.ready()
            other = TypedClient(SocketAddress(.v4(0x7F00_0001), port: port))
            try await Eventually.holds("an Ins at both") { [other] status in
                let answer = try await other.send(.get, "/api/health")
                status.text = "\(answer)"
                return answer.data?["ins"] == 1
            }
        }
    }

    @Test func `who is suspended at one gateway acts no more at the other`() async throws {
        let pair = try await Pair()
        let (node, other) = (pair.node, pair.other)
        let (administrator, member) = (try await node.administrator(), try await node.user())
        let there = other.with(token: member.token)
        #expect(try await there.send(.get, "/api/users/@me").status == 200)
        let socket = try await TestSocket.open(there)
        try await socket.event("authenticated")
        try await administrator.client.data(
            .put, "/api/moderation/users", ["user": .string(member.id)])
        #expect(try await there.send(.get, "/api/users/@me").code == 3)
        #expect(try await socket.closed(within: .seconds(1)) == .denied)
    }

    @Test func `what is taken back at one gateway is refused at the other, at once`() async throws {
        let pair = try await Pair()
        let (node, other) = (pair.node, pair.other)
        let user = try await node.user()
        let there = other.with(token: user.token)
        for _ in 0..<3 {
            let again = try await user.again()
            let elsewhere = other.with(token: again.token)
            // Known to both before: it is what they remember that must go.
            for client in [again.client, elsewhere] {
                #expect(try await client.send(.get, "/api/users/@me").status == 200)
            }
            let socket = try await TestSocket.open(elsewhere)
            try await again.client.data(.delete, "/api/auth/logout")
            let refused = try await elsewhere.send(.get, "/api/users/@me")
            #expect(refused.status == 401 && refused.code == 3, "\(refused)")
            #expect(try await socket.closed() == .unauthenticated)
        }
        // The other session is not touched; what it changes there is seen here.
        #expect(try await there.send(.get, "/api/users/@me").status == 200)
        let world = try await there.call(WorldAPI.create, body: ["title": "before"])
        let target = "/api/worlds/\(world.id)"
        for client in [node.client, other] {
            #expect(try await client.send(.get, target).data?["title"] == "before")
        }
        try await there.data(.post, target, ["title": "after"])
        #expect(try await node.client.send(.get, target).data?["title"] == "after")
        #expect(try await node.client.send(.get, target)["AVR-Gateway"] == "false \(node.address)")
        #expect(try await other.send(.get, target)["AVR-Gateway"] == "false \(other.authority)")
    }

    @Test func `a gateway that goes sends its sockets to the other, where their room is`()
        async throws
    {
        let pair = try await Pair()
        let (ada, ben) = (try await pair.node.user(), try await pair.node.user())
        let world = try await ada.client.call(WorldAPI.create, body: ["title": "a room"])
        let made = try await ada.client.data(
            .put, "/api/instances", ["world": .string("\(world.id)")])
        let instance = try #require(made["id"])
        let host = try await TestSocket.open(ada.client)
        let guest = try await TestSocket.open(pair.other.with(token: ben.token))
        try await host.command("instance-join", ["instance": instance])
        let joined = try await guest.command("instance-join", ["instance": instance])
        #expect(joined["players"]?.arrayValue?.count == 2, "\(joined)")
        // One room, whichever gateway its members came by.
        try await guest.command("instance-data", ["instance": instance, "data": "over there"])
        let heard = try await host.event("instance-data")
        #expect(heard["data"]?["data"] == "over there")

        pair.second.send(SIGTERM)
        let told = try await guest.event("update-server")
        #expect(told["redirect"]?["address"] == .string(pair.node.address), "\(told)")
        #expect(told["redirect"]?["secure"] == false, "\(told)")
        #expect(try await guest.closed() == .goingAway)
        #expect(try await pair.second.exit() == .code(0), "\(pair.second.log)")

        // Where it was sent, the room is the same, and who was there still is.
        let back = try await TestSocket.open(ben.client)
        let entered = try await back.command("instance-join", ["instance": instance])
        #expect(entered["players"]?.arrayValue?.count == 2, "\(entered)")
        try await host.command("instance-data", ["instance": instance, "data": "welcome back"])
        let again = try await back.event("instance-data")
        #expect(again["data"]?["data"] == "welcome back")
        #expect(host.closeCode == nil)
    }

    @Test func `a gateway that the node has no more is dialled no more`() async throws {
        let pair = try await Pair()
        let ins = pair.node.process("ins-1")
        pair.second.kill()
        try await ins.says("reil given up")
        let lines = ins.log.split(separator: "\n").filter { $0.contains("reil given up") }
        #expect(lines.count == 1 && lines[0].contains(pair.other.authority), "\(lines)")
        let answer = try await pair.node.client.send(.get, "/api/health")
        #expect(answer.data?["ins"] == 1, "\(answer)")
    }
}
