import API
import Base
import Domain
import HTTP
import Support
import Testing

/// With which other nodes and which clients a node has dealings.
@Suite struct RuleTests {
    private static let servers = "/api/moderation/servers"
    private static let clients = "/api/moderation/clients"

    private func rule(
        _ administrator: TestUser, _ rule: String, _ action: String, _ more: JSONObject = [:]
    ) async throws -> Answer {
        var body = more
        body["rule"] = .string(rule)
        body["action"] = .string(action)
        return try await administrator.client.send(.put, Self.servers, .object(body))
    }

    @Test func `nothing passes to or from a node that is denied, until it may again`() async throws
    {
        let (node, other) = (try await TestNode.start(), try await Shared.other.get())
        let administrator = try await node.administrator()
        let (ada, ben) = (try await node.user(), try await other.user())
        let visitor = try await ben.visiting(node)
        let socket = try await TestSocket.open(visitor)
        try await socket.event("authenticated")
        let room = try await administrator.instance()
        try await socket.join(room)
        let abroad = try await ada.visiting(other)
        let peer = try FakePeer.start()
        let token = try await peer.token(at: node)
        // The gateway knows all of them.
        try await ada.client.data(.get, "/api/users/\(ben.reference)")
        #expect(try await visitor.send(.get, "/api/integrity").status == 200)
        #expect(
            try await peer.send(.get, "/api/challenges", to: node, token: token).status == 200)

        let made = try await rule(administrator, other.address, "deny", ["reason": "spam"])
        #expect(
            made.status == 201 && made.data?["by"] == .string(administrator.reference), "\(made)")
        #expect(try await socket.closed() == .denied)
        #expect([3, 57].contains(try await visitor.send(.get, "/api/integrity").code))
        let refused: [(String, Answer)] = [
            (
                "a visit here",
                try await ben.client.send(
                    .post, "/api/integrity", ["server": .string(node.address)])
            ),
            (
                "a visit there",
                try await ada.client.send(
                    .post, "/api/integrity", ["server": .string(other.address)])
            ),
            (
                "reading", try await ada.client.send(.get, "/api/users/\(ben.reference)")
            ),
            (
                "following",
                try await ada.client.send(.put, "/api/users/@me/following/\(ben.reference)")
            ),
            (
                "a challenge",
                try await node.client.send(
                    .put, "/api/challenges", ["server": .string(other.address)])
            ),
        ]
        for (what, answer) in refused {
            #expect(answer.status == 403 && answer.code == 57, "\(what): \(answer)")
        }
        // Others are not meant.
        #expect(
            try await peer.send(.get, "/api/challenges", to: node, token: token).status == 200)
        _ = abroad
        // It outlives every process.
        for name in ["eta", "reil"] {
            node.process(name).kill()
            try await node.start(name)
        }
        try await node.healthy()
        let still = try await ben.client.send(
            .post, "/api/integrity", ["server": .string(node.address)])
        #expect(still.code == 57, "\(still)")
        let list = try await administrator.client.data(.get, Self.servers)
        #expect(list["items"]?[0]?["rule"] == .string(other.address), "\(list)")
        let lifted = try await administrator.client.send(
            .delete, "\(Self.servers)?rule=\(other.address)")
        #expect(lifted.status == 200, "\(lifted)")
        #expect(
            try await administrator.client.send(
                .delete, Self.servers, ["rule": .string(other.address)]
            ).code == 5)
        #expect(try await ben.visiting(node).send(.get, "/api/integrity").status == 200)
        // Who is there by the same word from elsewhere, all of a network at once.
        #expect(try await rule(administrator, "127.0.0.0/8", "deny").status == 201)
        let signed = try await peer.send(.get, "/api/challenges", to: node, token: token)
        #expect([3, 57].contains(signed.code), "\(signed)")
        #expect(try await rule(administrator, peer.address, "allow").status == 201)
        #expect(try await peer.token(at: node).isEmpty == false)
        let log = try await administrator.client.data(.get, "/api/moderation/log?limit=4")
        #expect(
            log["items"]?.arrayValue?.compactMap { $0["act"]?.stringValue } == [
                "rule-nodes", "rule-nodes", "unrule-nodes", "rule-nodes",
            ], "\(log)")
    }

    @Test func `users of a limited node may visit and no more`() async throws {
        let (node, other) = (try await TestNode.start(), try await Shared.other.get())
        let administrator = try await node.administrator()
        let ben = try await other.user()
        let visitor = try await ben.visiting(node)
        let world = try await administrator.world()
        let body: JSONValue = ["world": .string(world)]
        #expect(try await visitor.send(.put, "/api/instances", body).status == 201)
        #expect(try await rule(administrator, other.address, "limit").status == 201)
        let refused = try await visitor.send(.put, "/api/instances", body)
        #expect(refused.status == 403 && refused.code == 4, "\(refused)")
        let socket = try await TestSocket.open(visitor)
        try await socket.event("authenticated")
        try await socket.join(try await administrator.instance())
        // Following is told, and refused here.
        try await ben.client.data(
            .put, "/api/users/@me/following/\(administrator.reference)")
        try await Eventually.holds("the follow was refused") { _ in
            other.logs.contains(#""message":"a delivery was refused","peer":"\#(node.address)""#)
        }
        let followers = try await administrator.client.data(
            .get, "/api/users/@me/followers")
        #expect(followers["total"] == 0, "\(followers)")
    }

    @Test func `a node in allowlist mode deals with those that a rule lets in`() async throws {
        var shape = NodeShape()
        shape.eta = [("federation.mode", "allowlist")]
        let (node, other) = (try await TestNode.start(shape), try await Shared.other.get())
        let ben = try await other.user()
        let before = try await ben.client.send(
            .post, "/api/integrity", ["server": .string(node.address)])
        #expect(before.code == 57, "\(before)")
        let administrator = try await node.administrator()
        #expect(try await rule(administrator, other.address, "allow").status == 201)
        #expect(try await ben.visiting(node).send(.get, "/api/integrity").status == 200)
    }

    @Test(
        arguments: [
            (["rule": "*", "action": "deny"], ["rule"]),
            (["rule": "example.org", "action": "ban"], ["action"]),
            (["rule": "192.0.2.1/24", "action": "deny"], ["rule"]), ([:], ["rule", "action"]),
            (["rule": "example.org", "action": "deny", "until": 1], ["until"]),
        ] as [(JSONValue, [String])])
    func `what is no rule is refused by its fields`(body: JSONValue, fields: [String]) async throws
    {
        let node = try await Shared.plain.get()
        let answer = try await node.administrator().client.send(.put, Self.servers, body)
        #expect(answer.status == 400 && answer.code == 29, "\(answer)")
        #expect(Set(answer.problems) == Set(fields), "\(answer)")
    }

    @Test func `nobody shuts out their own node or their own client`() async throws {
        let node = try await Shared.plain.get()
        let administrator = try await node.administrator()
        let own = try await rule(administrator, node.address, "deny")
        #expect(own.code == 29 && own.problems == ["rule"], "\(own)")
        for (body, field) in [
            (["cidr": "127.0.0.0/8"], "cidr"), (["agent": "tester"], "agent"), ([:], "cidr"),
            (["cidr": "192.0.2.0/24", "agent": "abc"], "cidr"),
        ] as [(JSONValue, String)] {
            let answer = try await administrator.client.send(
                .put, Self.clients, body, fields: [("User-Agent", "A Tester/1")])
            #expect(answer.code == 14 && answer.problems == [field], "\(body): \(answer)")
        }
    }

    @Test func `clients are denied by address and by agent, over HTTP and sockets`() async throws {
        var shape = NodeShape()
        shape.reil = [("reil.trusted_proxies", "127.0.0.1/32")]
        let node = try await TestNode.start(shape)
        let administrator = try await node.administrator()
        let user = try await node.user()
        func from(_ address: String, _ agent: String = "x") async throws -> Answer {
            try await user.client.send(
                .get, "/api/users/@me",
                fields: [("X-Forwarded-For", address), ("User-Agent", agent)])
        }
        let socket = try await TestSocket.open(
            user.client, fields: [("X-Forwarded-For", "198.51.100.9")])
        try await socket.event("authenticated")
        let bystander = try await TestSocket.open(
            user.client, fields: [("X-Forwarded-For", "203.0.113.9")])
        try await bystander.event("authenticated")
        let until = try await node.client.data(.get, "/api/time").integerValue.map {
            JSONValue.integer($0 + 60_000)
        }
        let made = try await administrator.client.send(
            .put, Self.clients, ["cidr": "198.51.100.0/24", "until": until ?? .null])
        #expect(made.status == 201 && made.data?["cidr"] == "198.51.100.0/24", "\(made)")
        #expect(try await from("198.51.100.7").code == 58)
        #expect(try await from("198.51.101.7").status == 200)
        #expect(try await socket.closed() == .denied)
        try await bystander.command("ping")
        #expect(
            try await node.client.send(
                .get, "/api/time", fields: [("X-Forwarded-For", "198.51.100.1")]
            ).code == 58)
        _ = try await administrator.client.data(
            .put, Self.clients, ["agent": "EvilBot", "reason": "scrapes"])
        #expect(try await from("203.0.113.1", "Mozilla evilbot/3").code == 58)
        #expect(try await from("203.0.113.1", "Mozilla").status == 200)
        let list = try await administrator.client.data(.get, Self.clients)
        #expect(list["total"] == 2 && list["items"]?[0]?["agent"] == "evilbot", "\(list)")
        try await administrator.client.data(.delete, Self.clients, ["agent": "evilBOT"])
        #expect(try await from("203.0.113.1", "evilbot/3").status == 200)
        // The other ends by itself.
        try await node.client.data(.post, "/api/test/clock", ["offset_ms": 120_000])
        try await Eventually.holds("the rule has ended") { _ in
            try await from("198.51.100.7").status != 403
        }
    }
}
