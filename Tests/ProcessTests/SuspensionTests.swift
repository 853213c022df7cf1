import API
import Base
import Domain
import HTTP
import Support
import Testing

/// Suspending users of any node, and the log of what administrators did.
@Suite struct SuspensionTests {
    private static let path = "/api/moderation/users"

    private func suspend(
        _ administrator: TestUser, _ user: String, _ more: JSONObject = [:]
    ) async throws -> Answer {
        var body = more
        body["user"] = .string(user)
        return try await administrator.client.send(.put, Self.path, .object(body))
    }

    private func login(_ user: TestUser, _ password: String? = nil) async throws -> Answer {
        try await user.node.client.send(
            .post, "/api/auth/login",
            ["username": .string(user.name), "password": .string(password ?? user.password)])
    }

    @Test func `who is suspended acts no more until it is lifted`() async throws {
        let node = try await TestNode.start()
        let administrator = try await node.administrator()
        let member = try await node.user()
        let socket = try await member.socket()
        let room = try await administrator.instance()
        try await socket.join(room)
        let host = try await administrator.socket()
        try await host.join(room)
        // A gateway that has the token in its memory.
        #expect(try await member.client.send(.get, "/api/users/@me").status == 200)

        let made = try await suspend(administrator, member.id, ["reason": "spam"])
        #expect(made.status == 201 && made.data?["reason"] == "spam", "\(made)")
        #expect(made.data?["user"] == .string(member.reference), "\(made)")
        #expect(made.data?["by"] == .string(administrator.reference), "\(made)")
        // The answer came when it had taken effect.
        #expect(try await member.client.send(.get, "/api/users/@me").code == 3)
        #expect(try await socket.closed() == .denied)
        try await host.event("instance-left")
        let right = try await login(member)
        #expect(right.status == 403 && right.code == 58, "\(right)")
        #expect(try await login(member, "not the password").code == 23)
        #expect(
            try await node.client.send(
                .post, "/api/auth/refresh", ["refresh": .string(member.login.refresh.text)]
            ).code == 3)
        // It outlives every process.
        for name in ["eta", "reil"] {
            node.process(name).kill()
            try await node.start(name)
        }
        try await node.healthy()
        try await Eventually.holds("the right password is refused again") { status in
            let answer = try await login(member)
            status.text = "\(answer)"
            return answer.code == 58
        }
        let raised = try await administrator.client.send(
            .post, "/api/users/\(member.id)", ["tags": ["avr:admin"]])
        #expect(raised.code == 4 && raised.problems == ["tags"], "\(raised)")
        let list = try await administrator.client.data(.get, Self.path)
        #expect(list["total"] == 1 && list["items"]?[0]?["user"] == .string(member.reference))
        let lifted = try await administrator.client.send(
            .delete, "\(Self.path)?user=\(member.reference)&reason=sorry")
        #expect(lifted.status == 200, "\(lifted)")
        #expect(try await login(member).status == 200)
        #expect(
            try await administrator.client.send(
                .delete, Self.path, ["user": .string(member.reference)]
            ).code == 17)

        let log = try await administrator.client.data(.get, "/api/moderation/log?limit=2")
        let acts = log["items"]?.arrayValue?.map { $0["act"]?.stringValue }
        #expect(acts == ["unsuspend", "suspend"], "\(log)")
        #expect(log["items"]?[1]?["reason"] == "spam", "\(log)")
        #expect(log["items"]?[0]?["subject"] == .string(member.reference), "\(log)")
    }

    @Test func `a visitor who is suspended is turned out, and not let in again`() async throws {
        let (a, b) = (try await Shared.plain.get(), try await Shared.other.get())
        let (ada, administrator) = (try await a.user(), try await b.administrator())
        let visitor = try await ada.visiting(b)
        let socket = try await TestSocket.open(visitor)
        try await socket.event("authenticated")
        let bystander = try await a.user().visiting(b)
        #expect(try await suspend(administrator, ada.reference).status == 201)
        #expect(try await socket.closed() == .denied)
        #expect(try await visitor.send(.get, "/api/integrity").code == 3)
        #expect(try await bystander.send(.get, "/api/integrity").status == 200)
        let again = try await ada.client.send(
            .post, "/api/integrity", ["server": .string(b.address)])
        #expect(again.code == 58, "\(again)")
        // At home nothing is held against them.
        #expect(try await ada.client.send(.get, "/api/users/@me").status == 200)
        try await administrator.client.data(
            .delete, Self.path, ["user": .string(ada.reference)])
        #expect(try await ada.visiting(b).send(.get, "/api/integrity").status == 200)
    }

    @Test func `a suspension ends by itself`() async throws {
        let node = try await TestNode.start()
        let (administrator, member) = (try await node.administrator(), try await node.user())
        let now = try await node.client.data(.get, "/api/time").integerValue ?? 0
        let until = JSONValue.integer(now + 60_000)
        #expect(try await suspend(administrator, member.id, ["until": until]).status == 201)
        #expect(try await login(member).code == 58)
        try await node.client.data(.post, "/api/test/clock", ["offset_ms": 61_000])
        try await Eventually.holds("it ends") { _ in try await login(member).status == 200 }
        let past = try await suspend(administrator, member.id, ["until": until])
        #expect(past.code == 14 && past.problems == ["until"], "\(past)")
    }

    @Test func `nobody suspends who could lift it, or who is not there`() async throws {
        let node = try await Shared.plain.get()
        let (administrator, member) = (try await node.administrator(), try await node.user())
        #expect(try await suspend(member, administrator.id).code == 4)
        #expect(try await suspend(administrator, administrator.id).code == 4)
        let account = try await node.client.data(.get, "/api/users/@server")
        #expect(
            try await suspend(administrator, account["id"]?.stringValue ?? "").code == 4)
        #expect(try await suspend(administrator, EndpointFacts.unknown("u")).code == 17)
        #expect(try await suspend(administrator, "somebody").code == 14)
    }

    @Test func `what administrators do to others is in the log, what is theirs is not`()
        async throws
    {
        let node = try await Shared.plain.get()
        let (administrator, member) = (try await node.administrator(), try await node.user())
        let client = administrator.client
        func newest() async throws -> JSONValue {
            let log = try await client.data(.get, "/api/moderation/log?limit=1")
            return log["items"]?[0] ?? .null
        }
        try await administrator.change("/api/users/\(member.id)", ["tags": ["avr:bot"]])
        let tagged = try await newest()
        #expect(tagged["act"] == "tags" && tagged["subject"] == .string(member.reference))
        #expect(tagged["by"] == .string(administrator.reference), "\(tagged)")
        let world = try await administrator.world()
        try await client.data(.delete, "/api/worlds/\(world)")
        try await administrator.change("/api/users/@me", ["displayname": "The boss"])
        #expect(try await newest() == tagged)
        try await administrator.change("/api/users/\(member.id)", ["tags": ["avr:world_creator"]])
        let theirs = try await member.world()
        try await client.data(.delete, "/api/worlds/\(theirs)")
        #expect(try await newest()["subject"] == .string(theirs))
        try await client.data(.delete, "/api/users/\(member.id)")
        let deleted = try await newest()
        #expect(deleted["act"] == "delete-user" && deleted["details"] == .string(member.name))
        // What was held against an account goes with it.
        let gone = try await node.user()
        #expect(try await suspend(administrator, gone.id).status == 201)
        try await client.data(.delete, "/api/users/\(gone.id)")
        #expect(try await client.data(.get, "\(Self.path)?q=\(gone.id)")["total"] == 0)
        // Page by page, the newest first.
        let first = try await client.data(.get, "/api/moderation/log?limit=1")
        let next = try #require(first["next"]?.stringValue)
        let second = try await client.data(.get, "/api/moderation/log?limit=1&after=\(next)")
        #expect(
            (second["items"]?[0]?["id"]?.integerValue ?? 0)
                < (first["items"]?[0]?["id"]?.integerValue ?? 0))
        let found = try await client.data(.get, "/api/moderation/log?q=\(theirs)")
        #expect(found["total"] == 1, "\(found)")
    }
}
