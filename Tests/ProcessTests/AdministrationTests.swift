import API
import Base
import Crypto
import Domain
import Glibc
import HTTP
import Net
import Support
import Testing

/// What administrators do to the node, over HTTP and by `eta`.
@Suite struct AdministrationTests {
    // MARK: Invitations

    private func register(
        _ node: TestNode, _ name: String, invite: JSONValue? = nil
    ) async throws -> Answer {
        var body: JSONObject = [
            "username": .string(name), "password": .string(TestUser.password(name)),
        ]
        body["invite"] = invite
        return try await node.client.send(.post, "/api/auth/register", .object(body))
    }

    private func invited() async throws -> TestNode {
        var shape = NodeShape()
        shape.ins = 0
        shape.eta = [("users.registration", "invite")]
        return try await TestNode.start(shape)
    }

    @Test func `where accounts are opened by invitation a code opens as many as it says`()
        async throws
    {
        let node = try await invited()
        let made = try await node.eta("invite", "create", "--uses", "2", "--days", "3")
        let code = try #require(made["code"])
        for wrong: JSONValue? in [nil, "", "nonsense", .null] {
            let answer = try await register(node, "ada_one", invite: wrong)
            #expect(answer.status == 400 && answer.code == 22, "\(answer)")
            #expect(answer.problems == ["invite"], "\(answer)")
        }
        #expect(try await register(node, "ada_one", invite: code).status == 201)
        // What fails for another reason takes no use.
        #expect(try await register(node, "ada_one", invite: code).code == 67)
        let list = try await node.eta("invite", "list")
        #expect(list[0]?["used"] == 1 && list[0]?["uses"] == 2, "\(list)")
        #expect(!"\(list)".contains(code.stringValue ?? "!"))
        #expect(try await register(node, "ada_two", invite: code).status == 201)
        let spent = try await register(node, "ada_three", invite: code)
        #expect(spent.code == 22, "\(spent)")
        // Who was invited is a user like any other.
        let login = try await node.client.send(
            .post, "/api/auth/login",
            ["username": "ada_two", "password": .string(TestUser.password("ada_two"))])
        #expect(login.status == 200, "\(login)")
    }

    @Test func `of many who use one code at once just as many come in`() async throws {
        let node = try await invited()
        let code = try await node.eta("invite", "create", "--uses", "3")["code"]
        let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
            for number in 0..<12 {
                group.addTask {
                    try await Eventually.get("an answer") { _ in
                        let answer = try await register(node, "guest_\(number)", invite: code)
                        return answer.code == 70 ? nil : answer
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.count { $0.status == 201 } == 3)
        #expect(answers.allSatisfy { $0.status == 201 || $0.code == 22 })
        #expect(try await node.client.call(ServerAPI.fetch).stats.users <= 3)
    }

    @Test func `an invitation that is over or was taken back opens nothing`() async throws {
        let node = try await invited()
        let (first, second) = (
            try await node.eta("invite", "create"), try await node.eta("invite", "create")
        )
        let id = try #require(first["id"]?.stringValue)
        try await node.eta("invite", "revoke", id)
        #expect(try await register(node, "ada_one", invite: first["code"]).code == 22)
        await #expect(throws: NeverCame.self) { try await node.eta("invite", "revoke", id) }
        await #expect(throws: NeverCame.self) {
            try await node.eta("invite", "create", "--uses", "0")
        }
        try await node.client.data(
            .post, "/api/test/clock", ["offset_ms": .integer(8 * 24 * 3_600_000)])
        #expect(try await register(node, "ada_one", invite: second["code"]).code == 22)
    }

    @Test func `where anybody may open an account, or nobody, a code changes nothing`()
        async throws
    {
        let open = try await Shared.plain.get()
        let name = "u\(String(SystemRandom().next() & 0xFFFF_FFFF, radix: 36))x"
        #expect(try await register(open, name, invite: "whatever").status == 201)
        var shape = NodeShape()
        shape.ins = 0
        shape.eta = [("users.registration", "closed")]
        let closed = try await TestNode.start(shape)
        let code = try await closed.eta("invite", "create")["code"]
        let answer = try await register(closed, "ada_one", invite: code)
        #expect(answer.status == 503 && answer.code == 1, "\(answer)")
    }

    // MARK: The operator's commands

    @Test func `a password that the operator has reset is the only one, and logs out everywhere`()
        async throws
    {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let socket = try await user.socket()
        let made = try await node.eta("user", "reset-password", user.name)
        let password = try #require(made["password"])
        #expect(try await socket.closed() == .unauthenticated)
        #expect(try await user.client.send(.get, "/api/users/@me").code == 3)
        for (shown, status) in [(.string(user.password), 401), (password, 200)]
            as [(JSONValue, Int)]
        {
            let answer = try await node.client.send(
                .post, "/api/auth/login", ["username": .string(user.name), "password": shown])
            #expect(answer.status == status, "\(answer)")
        }
        await #expect(throws: NeverCame.self) {
            try await node.eta("user", "reset-password", "nobody_here")
        }
        // The node's own account has none, and gets none.
        await #expect(throws: NeverCame.self) {
            try await node.eta("user", "reset-password", "server")
        }
    }

    @Test func `an account that was disabled for a moment is logged out all the same`() async throws
    {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        try await node.eta("user", "tag", user.name, "avr:disabled")
        try await node.eta("user", "tag", user.name, "avr:disabled", "--remove")
        try await Eventually.holds("the end of the login") { status in
            let answer = try await user.client.send(.get, "/api/users/@me")
            status.text = "\(answer)"
            return answer.code == 3
        }
        #expect(try await user.again().client.send(.get, "/api/users/@me").status == 200)
    }

    @Test func `credentials of instance servers are listed by name alone`() async throws {
        let node = try await TestNode.start()
        try await node.eta("ins", "add", "second")
        let list = try await node.eta("ins", "list")
        #expect(list.arrayValue?.map { $0["name"] } == ["local", "second"], "\(list)")
        #expect(!"\(list)".contains("avr_n_"))
    }

    /// Exit and answer of `eta check`.
    private func check(_ node: TestNode) async throws -> (exit: ProcessExit, answer: JSONValue) {
        let process = try await TestProcess.start(
            Executables.path("eta"), ["check", "--json", "--eta-data", node.data],
            name: "check-\(SystemRandom().next())", in: node.folder.path)
        let exit = try await process.exit()
        return (exit, try JSONParser.parse(Array(process.output.utf8)))
    }

    @Test func `a check of a node at work finds what is damaged, missing, or nobody's`()
        async throws
    {
        let node = try await TestNode.start()
        let user = try await node.user()
        let images = (0..<3).map { number in PNGSample.image(more: [UInt8(number)]) }
        for (image, path) in zip(images, ["users/@me/thumbnail", "users/@me/banner"]) {
            let answer = try await user.client.send(
                .post, "/api/\(path)", bytes: .bytes(image), fields: [("Content-Type", "image/png")]
            )
            #expect(answer.status == 200, "\(answer)")
        }
        let sound = try await check(node)
        #expect(sound.exit == .code(0) && sound.answer["problems"] == [], "\(sound)")
        #expect(sound.answer["files"] == 2, "\(sound)")
        node.leavesDamage(because: "a check is to find it")
        let paths = images.map { image in
            let hex = SHA256.hash(image).hex
            return "\(node.data)/files/\(hex.prefix(2))/\(hex.dropFirst(2))"
        }
        try TestFolder.copy(paths[0], over: paths[1])
        let damaged = try await check(node)
        #expect(damaged.exit == .code(1), "\(damaged)")
        let told = damaged.answer["problems"]?.arrayValue?.compactMap(\.stringValue) ?? []
        #expect(told.count == 1 && told[0].contains("damaged"), "\(told)")
        unsafe unlink(paths[1])
        unsafe mkdir(String(paths[2].dropLast(63)), 0o750)
        try TestFolder.copy(paths[0], over: paths[2])
        let both = try await check(node)
        let all = both.answer["problems"]?.arrayValue?.compactMap(\.stringValue) ?? []
        #expect(all.count == 2 && all.contains { $0.contains("missing") }, "\(all)")
        #expect(all.contains { $0.contains("nobody's") }, "\(all)")
        #expect(try await user.client.send(.get, "/api/users/@me").status == 200)
    }

    // MARK: The node itself

    @Test func `an administrator says what the node is called, and it stays so`() async throws {
        let node = try await TestNode.start()
        let (root, user) = (try await node.administrator(), try await node.user())
        let listener = try await user.socket("update-server")
        let before = try await node.client.send(.get, "/api/server")
        let tag = try #require(before["ETag"])
        let body: JSONValue = [
            "title": "Harbour", "description": "a place", "icon": "https://example.org/i.png",
        ]
        for client in [user.client, node.client] {
            #expect([3, 4].contains(try await client.send(.post, "/api/server", body).code))
        }
        let set = try await root.client.send(
            .post, "/api/server", body, fields: [("If-Match", tag)])
        #expect(set.status == 200 && set.data?["title"] == "Harbour", "\(set)")
        let stale = try await root.client.send(
            .post, "/api/server", ["title": "Late"], fields: [("If-Match", tag)])
        #expect(stale.status == 412 && stale.code == 53, "\(stale)")
        let heard = try await listener.event("update-server") { $0["data"]?["title"] == "Harbour" }
        #expect(heard["data"]?["icon"] == "https://example.org/i.png", "\(heard)")
        let shown = try await node.client.send(.get, "/api/server")
        for key in ["title", "description", "icon"] {
            #expect(shown.data?[key] == set.data?[key], "\(key)")
        }
        #expect(shown["ETag"] != tag)
        for bad: JSONValue in [
            ["title": ""], ["title": 7], ["icon": "nonsense"],
            ["description": .string(String(repeating: "x", count: 513))],
        ] {
            let answer = try await root.client.send(.post, "/api/server", bad)
            #expect(answer.status == 400 && answer.code == 29, "\(answer)")
        }
        let elsewhere = try await root.client.send(
            .post, "/api/server?server=b.example", ["title": "Theirs"])
        #expect(elsewhere.code == 41, "\(elsewhere)")
        let cleared = try await root.client.data(.post, "/api/server", ["icon": nil])
        #expect(cleared["icon"] == .null && cleared["title"] == "Harbour", "\(cleared)")
        // The settings have another title; it is not they that changed.
        node.process("eta").kill()
        try await node.start("eta")
        try await node.healthy()
        let after = try await node.client.data(.get, "/api/server")
        #expect(after["title"] == "Harbour" && after["description"] == "a place", "\(after)")
    }

    @Test func `administrators see which instance servers are linked`() async throws {
        var shape = NodeShape()
        shape.ins = 2
        shape.insSettings = [("ins.region", "harbour"), ("ins.capacity", "40")]
        let node = try await TestNode.start(shape)
        let (root, user) = (try await node.administrator(), try await node.user())
        #expect(try await user.client.send(.get, "/api/ins").code == 4)
        #expect(try await node.client.send(.get, "/api/ins").code == 3)
        let room = try await user.instance()
        let socket = try await user.socket()
        try await socket.join(room)
        let list = try await root.client.data(.get, "/api/ins")
        let items = list["items"]?.arrayValue ?? []
        #expect(items.count == 2 && list["total"] == 2, "\(list)")
        for item in items {
            #expect(item["region"] == "harbour" && item["capacity"] == 40, "\(item)")
            #expect(item["linked_at"]?.integerValue ?? 0 > 0, "\(item)")
        }
        #expect(items.reduce(0) { $0 + ($1["players"]?.integerValue ?? 0) } == 1, "\(items)")
        #expect(items.reduce(0) { $0 + ($1["instances"]?.integerValue ?? 0) } == 1, "\(items)")
        let first = try await root.client.data(.get, "/api/ins?limit=1")
        let next = try #require(first["next"]?.stringValue)
        let second = try await root.client.data(.get, "/api/ins?limit=1&after=\(next)")
        #expect(second["next"] == .null && second["items"]?[0] != first["items"]?[0], "\(second)")
        #expect(try await root.client.data(.get, "/api/ins?q=nobody")["items"] == [])
        node.process("ins-2").kill()
        try await Eventually.holds("one instance server") { status in
            let list = try await root.client.data(.get, "/api/ins")
            status.text = "\(list)"
            return list["items"]?.arrayValue?.count == 1
        }
    }
}
