import API
import Base
import Crypto
import Domain
import HTTP
import Storage
import Testing

@testable import Eta

/// http.md §2 and §3: accounts opened, logins, and how they end.
struct SessionTests {
    private static let password: JSONValue = "correct horse battery"

    private func login(
        _ eta: TestRegistry, _ name: String, _ password: JSONValue = Self.password,
        from client: String = "127.0.0.1"
    ) async -> TestAnswer {
        await eta.ask(
            "POST", "/api/auth/login", ["username": .string(name), "password": password],
            fields: ["AVR-Client": client, "User-Agent": "Test/1"])
    }

    private func resolve(_ eta: TestRegistry, _ token: JSONValue?) async -> TestAnswer {
        await eta.ask(
            "POST", "/internal/credentials", as: .gateway,
            ["form": "access", "token": token ?? .null])
    }

    private func refresh(_ eta: TestRegistry, _ token: JSONValue?) async -> TestAnswer {
        await eta.ask("POST", "/api/auth/refresh", ["refresh": token ?? .null])
    }

    @Test func `one logs in by name in any case, by id and by email address`() async throws {
        let eta = try await TestRegistry()
        let made = await eta.ask(
            "POST", "/api/auth/register",
            [
                "username": "Ada_L", "password": Self.password, "email": "Ada@Example.org",
                "displayname": "Ada",
            ])
        #expect(made.status == 201)
        let user = try #require(made["user"])
        #expect(user["displayname"] == "Ada" && user["email"] == "Ada@Example.org")
        #expect(made["id"] == made["session"] && made["created_at"] != nil)
        let id = try #require(user["id"]?.stringValue)
        for name in ["ada_l", "ADA_L", id, "ada@EXAMPLE.org"] {
            let answer = await login(eta, name)
            #expect(answer["user"]?["id"] == .string(id), "\(name): \(answer.text)")
        }
        #expect(await login(eta, "ada_l", "wrong").code == 23)
        #expect(await login(eta, "nobody").code == 23)
        #expect(await login(eta, "not a name at all").code == 23)
        #expect(await login(eta, "").code == 22)
    }

    @Test func `nobody logs in to the node's own account`() async throws {
        let eta = try await TestRegistry()
        #expect(await login(eta, "server", "").code == 23)
        #expect(await login(eta, eta.registry.node.account.text, "").code == 23)
    }

    @Test func `of twenty who want a name at once one gets it`() async throws {
        let eta = try await TestRegistry()
        let answers = await withTaskGroup(of: TestAnswer.self) { group in
            for number in 0..<20 {
                group.addTask {
                    await eta.ask(
                        "POST", "/api/auth/register",
                        [
                            "username": .string(number % 2 == 0 ? "Ada_L" : "aDA_l"),
                            "password": Self.password,
                        ])
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.filter { $0.status == 201 }.count == 1)
        let others = answers.filter { $0.status != 201 }
        #expect(others.allSatisfy { $0.code == 67 && $0.badFields == ["username"] })
    }

    @Test func `registration names every bad field, and may be closed`() async throws {
        let eta = try await TestRegistry()
        let bad = await eta.ask(
            "POST", "/api/auth/register",
            ["username": "x", "password": "password1", "displayname": "", "email": "none"])
        #expect(bad.code == 22)
        #expect(Set(bad.badFields) == ["username", "password", "displayname", "email"])
        let taken = await eta.ask(
            "POST", "/api/auth/register",
            ["username": "ada_l", "password": Self.password, "email": "a@b"])
        #expect(taken.status == 201)
        let again = await eta.ask(
            "POST", "/api/auth/register",
            ["username": "bob_b", "password": Self.password, "email": "A@B"])
        #expect(again.code == 67 && again.badFields == ["email"])
        let closed = try await TestRegistry(["users.registration": "closed"])
        let refused = await closed.ask(
            "POST", "/api/auth/register", ["username": "ada_l", "password": Self.password])
        #expect(refused.code == 1)
    }

    @Test func `an access token is a JWT of an hour that only its session makes good`() async throws
    {
        let eta = try await TestRegistry()
        _ = try await eta.user("ada_l")
        let pair = await login(eta, "ada_l")
        let answer = await resolve(eta, pair["token"])
        #expect(answer["caller"]?["user"]?["session"] == pair["session"])
        #expect(answer["expiresAt"] == pair["expires_at"])
        let text = try #require(pair["token"]?.stringValue)
        let keys = [eta.registry.node.keys.accessID: eta.registry.node.keys.access]
        let claims = try JWT.verify(Array(text.utf8), keys: keys, now: eta.clock.timestamp())
        #expect(claims["iss"]?.stringValue == TestRegistry.address.text)
        #expect(claims["sub"] == pair["user"]?["id"] && claims["sid"] == pair["session"])
        #expect(claims["gen"] == 1)
        let start = try #require(claims["iat"]?.integerValue)
        #expect(claims["exp"]?.integerValue == start + 3_600)
        #expect(await resolve(eta, .string(text + "A")).code == 3)
        #expect(await resolve(eta, "x").code == 3)
        eta.clock.advance(by: .seconds(3_600))
        #expect(await resolve(eta, pair["token"]).code == 3)
        // Another node's Eta has another key.
        let other = try await TestRegistry()
        #expect(await resolve(other, pair["token"]).code == 3)
    }

    @Test func `the sessions of a user are listed and ended one by one, all, or by going`()
        async throws
    {
        let eta = try await TestRegistry()
        let ada = try await eta.user("ada_l")
        let bob = try await eta.user("bob_b")
        let second = await login(eta, "ada_l", from: "2001:db8:1:2:3::4")
        let list = await eta.ask("GET", "/api/auth/sessions", as: .user(ada))
        let sessions = list["items"]?.arrayValue ?? []
        #expect(sessions.count == 2)
        let current = sessions.first { $0["current"] == true }
        #expect(current?["id"] == .string(ada.session.text))
        let other = sessions.first { $0["id"] == second["session"] }
        #expect(other?["address_prefix"] == "2001:db8:1::/48" && other?["user_agent"] == "Test/1")
        let path = "/api/auth/sessions/\(second["session"]?.stringValue ?? "")"
        #expect(await eta.ask("DELETE", path, as: .user(bob)).code == 20)
        #expect(await eta.ask("DELETE", path, as: .user(ada)).status == 200)
        #expect(await eta.ask("DELETE", path, as: .user(ada)).code == 20)
        #expect(await resolve(eta, second["token"]).code == 3)
        #expect(await refresh(eta, second["refresh"]).code == 3)

        let third = await login(eta, "ada_l")
        #expect(await eta.ask("GET", "/api/auth/logout", as: .user(ada)).status == 200)
        #expect(await resolve(eta, third["token"]).status == 200)
        let caller = UserCaller(id: ada.id, session: ada.session, tags: ada.tags)
        #expect(await eta.ask("DELETE", "/api/auth/sessions", as: .user(caller)).status == 200)
        #expect(await resolve(eta, third["token"]).code == 3)
    }

    @Test func `a new password ends all other sessions, and asks for the old one`() async throws {
        let eta = try await TestRegistry()
        let ada = try await eta.user("ada_l")
        let other = await login(eta, "ada_l")
        let path = "/api/auth/password"
        let wrong = await eta.ask(
            "POST", path, as: .user(ada), ["current": "wrong", "new": "a longer password"])
        #expect(wrong.code == 23)
        let short = await eta.ask(
            "POST", path, as: .user(ada), ["current": Self.password, "new": "12345678"])
        #expect(short.code == 22 && short.badFields == ["new"])
        #expect(await resolve(eta, other["token"]).status == 200)
        let reil = FakeReil(eta.registry)
        let done = await eta.ask(
            "POST", path, as: .user(ada), ["current": Self.password, "new": "a longer password"])
        #expect(done.status == 200)
        #expect(await resolve(eta, other["token"]).code == 3)
        #expect(await login(eta, "ada_l").code == 23)
        #expect(await login(eta, "ada_l", "a longer password").status == 200)
        guard case .sessions(let user, let kept)? = reil.revocations.last else {
            Issue.record("no Reil was told")
            return
        }
        #expect(user == ada.id && kept == ada.session)
    }

    @Test func `a disabled account is told so, once its password is right`() async throws {
        let eta = try await TestRegistry()
        let root = try await eta.user("root_1", tags: [.admin])
        let ada = try await eta.user("ada_l")
        let pair = await login(eta, "ada_l")
        let tags = await eta.ask(
            "POST", "/api/users/\(ada.id)", as: .user(root), ["tags": ["avr:disabled"]])
        #expect(tags.status == 200, "\(tags.text)")
        #expect(await login(eta, "ada_l").code == 58)
        #expect(await login(eta, "ada_l", "wrong").code == 23)
        #expect([3, 58].contains(await resolve(eta, pair["token"]).code ?? 0))
        #expect([3, 58].contains(await refresh(eta, pair["refresh"]).code ?? 0))
    }

    @Test func `failed logins are throttled for who fails, and the owner still gets in`()
        async throws
    {
        let eta = try await TestRegistry()
        _ = try await eta.user("ada_l")
        for _ in 0..<5 { #expect(await login(eta, "ada_l", "wrong", from: "10.0.0.9").code == 23) }
        let refused = await login(eta, "ada_l", from: "10.0.0.9")
        #expect(refused.code == 55)
        #expect(refused.response.fields[.retryAfter] == "10")
        #expect(await login(eta, "ada_l", from: "10.0.0.10").status == 200)
        for _ in 0..<5 { #expect(await login(eta, "no_one", "wrong", from: "10.0.0.9").code == 23) }
        #expect(await login(eta, "no_one", "wrong", from: "10.0.0.9").code == 55)
        // A hundred strangers fail together; who is logged in from an address does not feel it.
        for number in 20..<90 { _ = await login(eta, "ada_l", "wrong", from: "10.0.1.\(number)") }
        #expect(await login(eta, "ada_l", from: "10.9.9.9").code == 55)
        #expect(await login(eta, "ada_l", from: "127.0.0.1").status == 200)
        eta.clock.advance(by: .seconds(10))
        #expect(await login(eta, "ada_l", from: "10.0.0.9").status == 200)
    }

    @Test func `a weaker hash is replaced at the next login`() async throws {
        let eta = try await TestRegistry(["passwords.scrypt-log-n": "5"])
        let ada = try await eta.user("ada_l")
        let weak = PasswordHash.make(Secret("correct horse battery"), logN: 4)
        try await eta.registry.database.write { (transaction) throws(APIError) in
            try UserStore.setPassword(weak, of: ada.id, transaction)
        }
        #expect(await login(eta, "ada_l").status == 200)
        let stored = try eta.registry.database.read { (reader) throws(APIError) in
            try UserStore.find(ada.id, reader)?.password
        }
        #expect(stored?.hasPrefix("$scrypt$ln=5,") ?? false)
        #expect(await login(eta, "ada_l").status == 200)
    }

    @Test func `a refresh token ends after thirty days, and sweeping leaves nothing`() async throws
    {
        let eta = try await TestRegistry()
        let ada = try await eta.user("ada_l")
        let pair = await login(eta, "ada_l")
        eta.clock.advance(by: .seconds(29 * 86_400))
        let renewed = await refresh(eta, pair["refresh"])
        #expect(renewed.status == 200)
        #expect(renewed["expires_at"] != pair["expires_at"])
        // The first one is past its own time, although its session is not.
        eta.clock.advance(by: .seconds(2 * 86_400))
        #expect(await refresh(eta, pair["refresh"]).code == 3)
        #expect(await refresh(eta, renewed["refresh"]).status == 200)
        eta.clock.advance(by: .seconds(31 * 86_400))
        let now = eta.clock.timestamp()
        let (reil, abroad) = (
            FakeReil(eta.registry), IntegrityID.make(at: now, random: SystemRandom())
        )
        try await eta.registry.database.write { (transaction) throws(APIError) in
            try IntegrityStore.insertOutgoing(
                abroad, at: known(ServerAddress("b.example:80")), of: ada.id, by: ada.session,
                now: now, expiresAt: now + .seconds(60), transaction)
            try eta.registry.ending.sweep(now: now, transaction)
        }
        #expect(reil.endedAbroad == [abroad])
        let left = try eta.registry.database.read { (reader) throws(APIError) in
            try reader.first(Self.rows)
        }
        #expect(left == 0)
    }

    private static let rows = Storage.Query<Int>(
        """
        SELECT (SELECT count(*) FROM session) + (SELECT count(*) FROM spent_refresh)
            + (SELECT count(*) FROM replaced_generation)
        """)
}
