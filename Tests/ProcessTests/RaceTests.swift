import API
import Base
import Domain
import HTTP
import Net
import Support
import Testing

/// What there may be once, asked for by twenty at once, each over a connection of its own.
@Suite struct RaceTests {
    private static let many = 20

    /// The answers to as many requests at once, in any order. What the node had no time for (70)
    /// is asked again: the others are at it, too.
    private func race(
        _ node: TestNode, as user: TestUser? = nil, _ method: HTTP.Method,
        _ ask: @escaping @Sendable (Int) -> (target: String, body: JSONValue)
    ) async throws -> [Answer] {
        try await withThrowingTaskGroup(of: Answer.self) { group in
            for number in 0..<Self.many {
                group.addTask {
                    let client = TypedClient(node.client.address, http: TestLoops.client())
                        .with(token: user?.token)
                    let (target, body) = ask(number)
                    return try await Eventually.get("an answer", within: .seconds(60)) { status in
                        let answer = try await client.send(method, target, body)
                        status.text = "\(answer)"
                        return answer.code == 70 ? nil : answer
                    }
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
    }

    private func requireOne(_ answers: [Answer], or code: Int, _ field: String? = nil) {
        #expect(answers.count == Self.many)
        #expect(answers.count { $0.status / 100 == 2 } == 1, "\(answers)")
        for answer in answers where answer.status / 100 != 2 {
            #expect(answer.code == code, "\(answer)")
            if let field { #expect(answer.problems == [field], "\(answer)") }
        }
    }

    private static func name() -> String {
        "r\(String(SystemRandom().next() & 0xFFFF_FFFF_FFFF, radix: 36))"
    }

    /// Names differ by case alone, which makes them one.
    @Test func `of twenty who register one name one gets it`() async throws {
        let node = try await Shared.plain.get()
        let name = Self.name()
        let answers = try await race(node, .post) { number in
            let spelled = number % 2 == 0 ? name : name.uppercased()
            return (
                "/api/auth/register",
                ["username": .string(spelled), "password": .string(TestUser.password(name))]
            )
        }
        requireOne(answers, or: 67, "username")
        let found = try await node.client.data(.get, "/api/users?q=\(name)")
        #expect(found["total"] == 1, "\(found)")
    }

    @Test func `of twenty who register with one email address one gets it`() async throws {
        let node = try await Shared.plain.get()
        let name = Self.name()
        let answers = try await race(node, .post) { number in
            let email = number % 2 == 0 ? "\(name)@example.org" : "\(name)@EXAMPLE.org"
            return (
                "/api/auth/register",
                [
                    "username": .string("\(name)_\(number)"), "email": .string(email),
                    "password": .string(TestUser.password(name)),
                ]
            )
        }
        requireOne(answers, or: 67, "email")
        let found = try await node.client.data(.get, "/api/users?q=\(name)_")
        #expect(found["total"] == 1, "\(found)")
    }

    @Test func `of twenty who take one name for an account that they have one gets it`()
        async throws
    {
        let node = try await Shared.plain.get()
        let name = Self.name()
        var users: [TestUser] = []
        for _ in 0..<Self.many { users.append(try await node.user()) }
        let all = users
        let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
            for user in all {
                group.addTask {
                    try await user.client.send(
                        .post, "/api/users/@me", ["username": .string(name)])
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        requireOne(answers, or: 67, "username")
    }

    @Test func `of twenty worlds with one id there is one`() async throws {
        let node = try await Shared.plain.get()
        // Ids are chosen by administrators alone.
        let user = try await node.administrator()
        let id = EndpointFacts.unknown("w")
        let answers = try await race(node, as: user, .put) { number in
            ("/api/worlds", ["id": .string(id), "title": .string("number \(number)")])
        }
        requireOne(answers, or: 30)
        let kept = try await node.client.data(.get, "/api/worlds/\(id)")
        let made = answers.first { $0.status == 201 }?.data
        #expect(kept["title"] == made?["title"], "\(kept)")
    }

    @Test func `of twenty assets with one version, engine and platform there is one`()
        async throws
    {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let world = try await user.client.call(WorldAPI.create, body: ["title": "raced for"])
        let answers = try await race(node, as: user, .put) { _ in
            (
                "/api/worlds/\(world.id)/assets",
                ["version": "1", "engine": "unity", "platform": "linux"]
            )
        }
        requireOne(answers, or: 45)
        let list = try await user.client.data(.get, "/api/worlds/\(world.id)/assets?empty=true")
        #expect(list["total"] == 1, "\(list)")
    }

    @Test func `of twenty instances of one name there is one`() async throws {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let world = try await user.client.call(WorldAPI.create, body: ["title": "raced for"])
        let name = Self.name()
        let answers = try await race(node, as: user, .put) { _ in
            ("/api/instances", ["world": .string("\(world.id)"), "name": .string(name)])
        }
        requireOne(answers, or: 47)
        let list = try await user.client.data(.get, "/api/instances?world=\(world.id)")
        #expect(list["total"] == 1, "\(list)")
    }

    @Test func `of twenty who come by an invitation for one one comes in`() async throws {
        var shape = NodeShape()
        shape.ins = 0
        shape.eta = [("users.registration", "invite")]
        let node = try await TestNode.start(shape)
        let code = try #require(try await node.eta("invite", "create")["code"])
        let answers = try await race(node, .post) { number in
            (
                "/api/auth/register",
                [
                    "username": .string("guest_\(number)"), "invite": code,
                    "password": .string(TestUser.password("guest_\(number)")),
                ]
            )
        }
        requireOne(answers, or: 22, "invite")
        #expect(try await node.client.data(.get, "/api/users")["total"] == 1)
        #expect(try await node.eta("invite", "list")[0]?["used"] == 1)
    }
}
