import API
import Base
import Domain
import HTTP
import Support
import Testing

/// Sessions over the wire: what a login gives, how it is renewed, and how it ends.
@Suite struct AuthTests {
    private func me(_ client: TypedClient) async throws -> Answer {
        try await client.send(.get, "/api/users/@me")
    }

    private func refresh(_ node: TestNode, _ token: RefreshToken) async throws -> Answer {
        try await node.client.send(
            .post, "/api/auth/refresh", ["refresh": .string(token.text)])
    }

    private func login(_ answer: Answer) throws -> Login {
        guard let data = answer.data else { throw NeverCame("no login: \(answer)") }
        return try JSONCoder.decode(Login.self, from: data)
    }

    @Test func `an account is opened once, and its name is found however it is written`()
        async throws
    {
        let node = try await Shared.plain.get()
        let answer = try await node.client.send(
            .post, "/api/auth/register",
            [
                "username": "Ada_Lovelace", "password": "analytical-engine-1",
                "email": "ada@example.org", "displayname": "Ada",
            ])
        #expect(answer.status == 201, "\(answer)")
        #expect(answer["Cache-Control"] == "no-store")
        let login = try login(answer)
        #expect(login.user.user.displayname.description == "Ada")
        #expect(login.expiresAt > SystemClock().timestamp() + .seconds(3_500))
        for name in ["ada_lovelace", "ADA_LOVELACE"] {
            let again = try await node.client.send(
                .post, "/api/auth/register",
                ["username": .string(name), "password": "analytical-engine-2"])
            #expect(again.status == 409 && again.code == 67, "\(again)")
        }
        for name in ["ADA_lovelace", "ada@example.org", "\(login.user.user.id)"] {
            let found = try await node.client.send(
                .post, "/api/auth/login",
                ["username": .string(name), "password": "analytical-engine-1"])
            #expect(found.status == 200, "\(name): \(found)")
        }
    }

    @Test func `of many that register one name at once, one gets it`() async throws {
        let node = try await Shared.plain.get()
        let statuses = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<16 {
                group.addTask {
                    let answer = try? await node.client.send(
                        .post, "/api/auth/register",
                        ["username": "everybody", "password": "wants-this-name-1"])
                    return answer?.status ?? 0
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(statuses.filter { $0 == 201 }.count == 1, "\(statuses)")
        // A node that is busy hashing may put some off.
        #expect(statuses.allSatisfy { [201, 409, 503].contains($0) }, "\(statuses)")
    }

    @Test func `a wrong name and a wrong password are one answer`() async throws {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let wrong = try await node.client.send(
            .post, "/api/auth/login",
            ["username": .string(user.name), "password": "not-this-one-at-all"])
        let unknown = try await node.client.send(
            .post, "/api/auth/login",
            ["username": "nobody_here", "password": "not-this-one-at-all"])
        for answer in [wrong, unknown] {
            #expect(answer.status == 401 && answer.code == 23, "\(answer)")
        }
        #expect(wrong.json?["error"] == unknown.json?["error"])
    }

    @Test func `the node's own account can never log in`() async throws {
        let node = try await Shared.plain.get()
        let answer = try await node.client.send(
            .post, "/api/auth/login", ["username": "@server", "password": "whatever-it-is-1"])
        #expect(answer.code == 23 || answer.code == 22, "\(answer)")
    }

    @Test func `a refresh token rotates, and works again until the new pair is used`()
        async throws
    {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let first = try login(try await refresh(node, user.login.refresh))
        #expect(first.session == user.login.session)
        // The answer got lost: the old one again, which replaces the unused pair.
        let second = try login(try await refresh(node, user.login.refresh))
        #expect(try await refresh(node, first.refresh).code == 3)
        #expect(try await me(node.client.with(token: first.token.text)).code == 3)
        #expect(try await me(node.client.with(token: second.token.text)).status == 200)
    }

    @Test func `an older refresh token, shown once the new pair was used, ends the session`()
        async throws
    {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let next = try login(try await refresh(node, user.login.refresh))
        let client = node.client.with(token: next.token.text)
        #expect(try await me(client).status == 200)
        #expect(try await refresh(node, user.login.refresh).code == 3)
        #expect(try await me(client).code == 3)
        #expect(try await refresh(node, next.refresh).code == 3)
    }

    @Test func `logging out ends the access at once and leaves other sessions`() async throws {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let other = try await user.again()
        let answer = try await user.client.send(.delete, "/api/auth/logout")
        #expect(answer.status == 200 && answer.data == [:], "\(answer)")
        #expect(try await me(user.client).code == 3)
        #expect(try await refresh(node, user.login.refresh).code == 3)
        #expect(try await me(other.client).status == 200)
        #expect(try await other.client.send(.get, "/api/auth/logout").status == 200)
        #expect(try await me(other.client).code == 3)
    }

    @Test func `sessions are listed, and ended one by one or all`() async throws {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let (second, third) = (try await user.again(), try await user.again())
        let sessions = try await second.client.call(AuthAPI.sessions)
        #expect(sessions.items.count == 3)
        #expect(sessions.items.filter(\.current).map(\.id) == [second.login.session])
        try await second.client.call(AuthAPI.endSession, "\(user.login.session)")
        #expect(try await me(user.client).code == 3)
        let foreign = try await node.user()
        let refused = try await foreign.client.send(
            .delete, "/api/auth/sessions/\(second.login.session)")
        #expect(refused.status == 404 && refused.code == 20, "\(refused)")
        try await third.client.call(AuthAPI.endSessions)
        #expect(try await me(second.client).code == 3)
        #expect(try await me(third.client).code == 3)
    }

    @Test func `a new password ends the other sessions and the old password`() async throws {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let other = try await user.again()
        let wrong = try await user.client.send(
            .post, "/api/auth/password",
            ["current": "not-the-current-one", "new": "a-much-newer-one-7"])
        #expect(wrong.code == 23, "\(wrong)")
        try await user.client.data(
            .post, "/api/auth/password",
            ["current": .string(user.password), "new": "a-much-newer-one-7"])
        #expect(try await me(user.client).status == 200)
        #expect(try await me(other.client).code == 3)
        let old = try await node.client.send(
            .post, "/api/auth/login",
            ["username": .string(user.name), "password": .string(user.password)])
        #expect(old.code == 23, "\(old)")
    }

    /// Failed logins always count, exempt or not; the right password is refused too meanwhile.
    @Test func `guessing passwords is slowed down, with a word on how long`() async throws {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        var answers: [Answer] = []
        for number in 0..<8 {
            answers.append(
                try await node.client.send(
                    .post, "/api/auth/login",
                    ["username": .string(user.name), "password": .string("guess-number-\(number)")])
            )
        }
        #expect(answers.prefix(5).allSatisfy { $0.code == 23 }, "\(answers)")
        #expect(answers.last?.status == 429 && answers.last?.code == 55, "\(answers)")
        #expect(answers.last?["Retry-After"].flatMap { Int($0) } ?? 0 > 0)
        let neighbour = try await node.user()
        #expect(try await neighbour.again().login.user.user.id == neighbour.login.user.user.id)
    }

    @Test func `a token of another node's key is nobody's`() async throws {
        let (node, other) = (try await Shared.plain.get(), try await Shared.other.get())
        let foreigner = try await other.user()
        #expect(try await me(node.client.with(token: foreigner.token)).code == 3)
        // One letter of a good one.
        let user = try await node.user()
        let forged = user.token.dropLast() + (user.token.hasSuffix("A") ? "B" : "A")
        #expect(try await me(node.client.with(token: String(forged))).code == 3)
        // Without an algorithm.
        let parts = user.token.split(separator: ".")
        let none = Base64.encodeURL(Array(#"{"alg":"none","typ":"avr+jwt"}"#.utf8))
        #expect(try await me(node.client.with(token: "\(none).\(parts[1]).")).code == 3)
    }

    @Test func `a token may come without the word Bearer`() async throws {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let answer = try await node.client.send(
            .get, "/api/users/@me", fields: [("Authorization", user.token)])
        #expect(answer.status == 200, "\(answer)")
        let dead = try await node.client.send(
            .get, "/api/time", fields: [("Authorization", "Bearer avr_i_nothing")])
        #expect(dead.code == 3, "\(dead)")
    }

    /// A login that is on its way while the account is disabled is refused, or ended with the rest.
    @Test func `no login that races with disabling outlives it`() async throws {
        let node = try await Shared.plain.get()
        for _ in 0..<3 {
            let user = try await node.user()
            let body: JSONValue = [
                "username": .string(user.name), "password": .string(user.password),
            ]
            let isDisabled = Lock(false)
            let answers = try await withThrowingTaskGroup(of: [Answer].self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        var answers: [Answer] = []
                        // A few more than until the command has ended.
                        while answers.count < 5 || !isDisabled.withLock({ $0 }) {
                            answers.append(
                                try await node.client.send(.post, "/api/auth/login", body))
                        }
                        return answers
                    }
                }
                group.addTask {
                    try await node.eta("user", "tag", user.name, "avr:disabled")
                    isDisabled.withLock { $0 = true }
                    return []
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            let logins = answers.filter { $0.status == 200 }
            #expect(!logins.isEmpty)
            #expect(answers.contains { $0.status == 403 && $0.code == 58 })
            // Eta hears of it within a second. With the account enabled again none of them may have
            // been left over.
            let hand = try SecondHand(node)
            try await Eventually.holds("no notes") { _ in try hand.isEmpty("outside_change") }
            try await node.eta("user", "tag", user.name, "avr:disabled", "--remove")
            let again = try await user.again()
            #expect(try await me(again.client).status == 200)
            for answer in logins {
                let token = try login(answer).token.text
                let refused = try await me(node.client.with(token: token))
                #expect(refused.status == 401 && refused.code == 3, "\(refused)")
            }
        }
    }
}
