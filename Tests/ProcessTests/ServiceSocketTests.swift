import API
import Base
import Domain
import HTTP
import Support
import Testing

/// What a service may do by its credential, above all over its socket.
@Suite struct ServiceSocketTests {
    /// A service with a socket.
    private struct Stage {
        let node: TestNode
        let owner: TestUser
        let service: FakeService
        let credential: String
        let socket: TestSocket

        var client: TypedClient { node.client.with(token: credential) }
    }

    private func stage(_ name: String, at node: TestNode) async throws -> Stage {
        let owner = try await node.serviceCreator()
        let service = try FakeService.start(name)
        let credential = try await service.register(at: node, by: owner)
        let socket = try await TestSocket.open(node.client.with(token: credential))
        try await socket.event("authenticated")
        return Stage(
            node: node, owner: owner, service: service, credential: credential, socket: socket)
    }

    @Test func `clients and a service speak to each other by its subgroup`() async throws {
        let (node, home) = (try await Shared.plain.get(), try await Shared.other.get())
        let stage = try await stage("words", at: node)
        let (id, socket) = (stage.service.id, stage.socket)
        let ada = try await node.user()
        let (client, bystander) = (try await ada.socket(), try await node.user().socket("all"))
        let visitor = try await home.user()
        let guest = try await TestSocket.open(visitor.visiting(node))
        try await guest.event("authenticated")

        client.send(
            text:
                #"{"state":[7],"command":"instance-transform","subgroup":"\#(id)","data":{"a":1}}"#)
        let heard = try await socket.event("instance-transform")
        #expect(heard["from"]?["user"] == .string(ada.reference), "\(heard)")
        #expect(heard["subgroup"] == .string(id) && heard["state"] == [7], "\(heard)")
        #expect(heard["data"] == ["a": 1], "\(heard)")
        let name = try #require(heard["from"]?["socket"]?.stringValue)
        guest.send(text: #"{"command":"hello","subgroup":"\#(id)"}"#)
        let greeting = try await socket.event("hello")
        #expect(greeting["from"]?["user"] == .string(visitor.reference), "\(greeting)")
        #expect(greeting["data"] == [:], "\(greeting)")

        socket.send(
            text:
                #"{"command":"played","subgroup":"\#(id)","to":["\#(name)","no.such.one"],"data":{"b":2}}"#
        )
        let answer = try await client.event("played")
        #expect(answer["data"] == ["b": 2] && answer["to"] == nil, "\(answer)")
        #expect(answer["subgroup"] == .string(id), "\(answer)")
        socket.send(
            text: #"{"command":"wrong","subgroup":"\#(id)","to":["\#(name)"],"error":{"code":9}}"#)
        #expect(try await client.event("wrong")["error"] == ["code": 9])
        // What it tells everybody reaches who spoke to it, or subscribed to it, and nobody else.
        let listener = try await node.user().socket(id)
        #expect(listener.names.isEmpty)
        socket.send(text: #"{"command":"tick","subgroup":"\#(id)","data":{}}"#)
        for one in [client, guest, listener] { try await one.event("tick") }
        let left = try await listener.command("unsubscribe", ["events": [.string(id)]])
        #expect(left["events"] == [], "\(left)")
        socket.send(text: #"{"command":"tock","subgroup":"\#(id)"}"#)
        try await client.event("tock")
        try await listener.command("ping")
        try await bystander.command("ping")
        for one in [listener, bystander] {
            #expect(!one.names.contains("tock") && !one.names.contains("tick"), "\(one.names)")
        }
        #expect(!guest.names.contains("played"))
    }

    @Test func `frames for a service that is not there are refused`() async throws {
        let node = try await Shared.plain.get()
        let stage = try await stage("absent", at: node)
        let client = try await node.user().socket()
        #expect(try await client.refusal("x", subgroup: "org.example.nothing") == 62)
        #expect(try await client.refusal("x", subgroup: "no service") == 62)
        #expect(
            try await client.refusal("subscribe", ["events": ["org.example.nothing"]]) == 72)
        let other = try await node.user().socket()
        try await client.command("subscribe", ["events": [.string(stage.service.id)]])
        stage.socket.send(
            text: #"{"command":"x","subgroup":"\#(stage.service.id)","to":"all"}"#)
        #expect(try await stage.socket.event("x")["error"]?["code"] == 63)
        stage.socket.close()
        #expect(try await stage.socket.closed() == .normal)
        #expect(try await other.refusal("x", subgroup: stage.service.id) == 65)
        let anonymous = try await TestSocket.open(node.client)
        #expect(try await anonymous.refusal("x", subgroup: stage.service.id) == 3)
    }

    @Test func `a service acts as a bot of its owner, and never on accounts`() async throws {
        let node = try await Shared.plain.get()
        let administrator = try await node.administrator()
        let service = try FakeService.start("rights")
        let credential = try await service.register(at: node, by: administrator)
        let client = node.client.with(token: credential)
        let me = try await client.data(.get, "/api/users/@me")
        #expect(me["id"] == .string(administrator.id) && me["email"] == nil, "\(me)")
        for (method, path) in [
            (.get, "/api/auth/sessions"), (.delete, "/api/auth/sessions"),
            (.get, "/api/auth/logout"), (.post, "/api/users/@me"), (.delete, "/api/users/@me"),
            (.get, "/api/users/@me/export"), (.post, "/api/services/\(service.id)"),
            (.delete, "/api/services/\(service.id)"), (.put, "/api/services"),
            (.get, "/api/moderation/users"), (.get, "/api/moderation/log"), (.get, "/api/ins"),
            (.get, "/api/nodes"), (.post, "/api/server"), (.post, "/api/auth/password"),
            (.get, "/api/users/@me/home"), (.post, "/api/integrity"),
        ] as [(Method, String)] {
            let answer = try await client.send(method, path, method == .get ? nil : [:])
            #expect(answer.status == 403 && answer.code == 4, "\(method.name) \(path): \(answer)")
        }
        // Where its owner may, it may: a world, an instance, a place in it as a bot.
        let world = try await client.data(.put, "/api/worlds", ["title": "Made by a bot"])
        #expect(world["owner"] == .string(administrator.reference), "\(world)")
        let tagged = try await client.send(
            .put, "/api/worlds", ["title": "x", "tags": ["avr:official"]])
        #expect(tagged.code == 4, "\(tagged)")
        let host = try await node.user()
        let instance = try await host.instance()
        try await host.socket().join(instance)
        let socket = try await TestSocket.open(client)
        try await socket.event("authenticated")
        let joined = try await socket.command(
            "instance-join", ["instance": .string(instance), "as": "bot"])
        #expect(joined["player"]?["role"] == "bot", "\(joined)")
    }

    @Test func `a credential ends when it is renewed, and with its owner`() async throws {
        let node = try await TestNode.start()
        let stage = try await stage("renewed", at: node)
        let path = "/api/services/\(stage.service.id)"
        #expect(try await stage.client.send(.get, "/api/users/@me").status == 200)
        let renewed = try await stage.owner.client.data(.post, path, ["renew": true])
        let next = try #require(renewed["credential"]?.stringValue)
        #expect(next != stage.credential)
        #expect(try await stage.socket.closed() == .unauthenticated)
        #expect(try await stage.client.send(.get, "/api/users/@me").code == 3)
        let client = node.client.with(token: next)
        let socket = try await TestSocket.open(node.client)
        try await socket.command("authenticate", ["token": .string(next)])
        // The owner's own logins come and go without it.
        try await stage.owner.client.data(.delete, "/api/auth/logout")
        #expect(try await client.send(.get, "/api/users/@me").status == 200)
        let administrator = try await node.administrator()
        let owner: JSONValue = ["user": .string(stage.owner.reference)]
        try await administrator.client.data(.put, "/api/moderation/users", owner)
        let code = try await socket.closed()
        #expect(code == .denied)
        #expect([3, 58].contains(try await client.send(.get, "/api/users/@me").code))
        try await administrator.client.data(.delete, "/api/moderation/users", owner)
        // It outlives an Eta that nobody could ask meanwhile.
        let again = try await TestSocket.open(client)
        try await again.event("authenticated")
        node.process("eta").kill()
        try await node.start("eta")
        try await node.healthy()
        try await Eventually.holds("the credential counts again") { _ in
            try await client.send(.get, "/api/users/@me").status == 200
        }
        try await again.command("ping")
    }

    @Test func `a service's socket is no sign of its owner`() async throws {
        let node = try await Shared.plain.get()
        let stage = try await stage("presence", at: node)
        let friend = try await node.user()
        try await friend.client.data(
            .put, "/api/users/@me/following/\(stage.owner.reference)")
        try await stage.owner.client.data(
            .put, "/api/users/@me/following/\(friend.reference)")
        let seen = try await friend.client.data(.get, "/api/users/\(stage.owner.id)")
        #expect(seen["status"] == "offline", "\(seen)")
        let socket = try await stage.owner.socket()
        try await Eventually.holds("the owner is there") { _ in
            try await friend.client.data(.get, "/api/users/\(stage.owner.id)")["status"]
                == "online"
        }
        socket.close()
    }
}
