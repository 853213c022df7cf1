import API
import Base
import Domain
import Storage
import Testing

@testable import Eta

/// federation.md §4: what Eta keeps of challenges, server tokens and nonces.
struct ChallengeTests {
    private static let server: JSONValue = .string(TestRegistry.elsewhere.text)

    private func open(_ eta: TestRegistry) async -> TestAnswer {
        await eta.ask("POST", "/internal/challenges", as: .gateway, ["server": Self.server])
    }

    private func spend(_ eta: TestRegistry, _ id: JSONValue?) async -> TestAnswer {
        await eta.ask("POST", "/internal/challenges/spend", as: .gateway, ["id": id ?? .null])
    }

    private func issue(_ eta: TestRegistry, _ id: JSONValue?) async -> TestAnswer {
        await eta.ask(
            "POST", "/internal/server-tokens", as: .gateway,
            ["challenge": id ?? .null, "server": Self.server])
    }

    private func resolve(_ eta: TestRegistry, _ token: JSONValue?) async -> TestAnswer {
        await eta.ask(
            "POST", "/internal/credentials", as: .gateway,
            ["form": "server", "token": token ?? .null])
    }

    private func prove(_ eta: TestRegistry) async -> TestAnswer {
        let challenge = await open(eta)
        _ = await spend(eta, challenge["id"])
        return await issue(eta, challenge["id"])
    }

    @Test func `a challenge is spent once, however many answer it at once`() async throws {
        let eta = try await TestRegistry()
        let challenge = await open(eta)
        #expect(Base64.decodeURL(challenge["nonce"]?.stringValue ?? "")?.count == 32)
        let answers = await withTaskGroup(of: TestAnswer.self) { group in
            for _ in 0..<20 { group.addTask { await spend(eta, challenge["id"]) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.filter { $0.status == 200 }.count == 1)
        #expect(answers.filter { $0.code == 59 }.count == 19)
        #expect(answers.first { $0.status == 200 }?["nonce"] == challenge["nonce"])
    }

    @Test func `a challenge waits for a minute`() async throws {
        let eta = try await TestRegistry()
        let challenge = await open(eta)
        eta.clock.advance(by: .seconds(60))
        #expect(await spend(eta, challenge["id"]).code == 59)
    }

    @Test func `a token is made only of a spent challenge, and only once`() async throws {
        let eta = try await TestRegistry()
        let challenge = await open(eta)
        #expect(await issue(eta, challenge["id"]).code == 59)
        _ = await spend(eta, challenge["id"])
        let other = await eta.ask(
            "POST", "/internal/server-tokens", as: .gateway,
            ["challenge": challenge["id"] ?? .null, "server": "c.example"])
        #expect(other.code == 59)
        let token = await issue(eta, challenge["id"])
        #expect(token.status == 200)
        #expect(await issue(eta, challenge["id"]).code == 59)
        let caller = await resolve(eta, token["token"])
        #expect(caller["caller"]?["server"] == Self.server)
        eta.clock.advance(by: .seconds(24 * 3_600))
        #expect(await resolve(eta, token["token"]).code == 3)
    }

    @Test func `a new token ends the one before after a minute, and Reil are told to ask again`()
        async throws
    {
        let eta = try await TestRegistry()
        let old = await prove(eta)
        let reil = FakeReil(eta.registry)
        let new = await prove(eta)
        guard case .server(let address)? = reil.revocations.last else {
            Issue.record("no Reil was told")
            return
        }
        #expect(address == TestRegistry.elsewhere)
        #expect(await resolve(eta, old["token"]).status == 200)
        eta.clock.advance(by: .seconds(60))
        #expect(await resolve(eta, old["token"]).code == 3)
        #expect(await resolve(eta, new["token"]).status == 200)
    }

    @Test func `a node sees and revokes its own, an administrator all, a user none`() async throws {
        let eta = try await TestRegistry()
        let root = try await eta.user("root_1", tags: [.admin])
        let ada = try await eta.user("ada_l")
        let token = await prove(eta)
        eta.clock.advance(by: .milliseconds(1))
        _ = await open(eta)
        let node = Caller.server(TestRegistry.elsewhere)
        let stranger = Caller.server(known(ServerAddress("c.example")))
        let own = await eta.ask("GET", "/api/challenges", as: node)
        #expect(own["items"]?.arrayValue?.map { $0["state"] } == ["pending", "proved"])
        #expect(await eta.ask("GET", "/api/challenges", as: stranger)["items"] == [])
        #expect(await eta.ask("GET", "/api/challenges", as: .user(ada)).code == 4)
        #expect(await eta.ask("GET", "/api/challenges").code == 3)
        let all = await eta.ask("GET", "/api/challenges", as: .user(root))
        #expect(all["items"]?.arrayValue?.count == 2 && all["total"] == 2)
        let first = await eta.ask("GET", "/api/challenges?limit=1&q=b.exam", as: .user(root))
        let after = first["next"]?.stringValue ?? ""
        let rest = await eta.ask("GET", "/api/challenges?limit=1&after=\(after)", as: node)
        #expect(first["items"]?.arrayValue?.map { $0["state"] } == ["pending"])
        #expect(rest["items"]?.arrayValue?.map { $0["state"] } == ["proved"])
        #expect(rest["next"] == .null && rest["total"] == 2)
        #expect(await eta.ask("GET", "/api/challenges?q=c.exam", as: node)["total"] == 0)

        let path = "/api/challenges/\(token["id"]?.stringValue ?? "")"
        let fetched = await eta.ask("GET", path, as: node)
        #expect(fetched["server"] == Self.server && fetched["token"] == nil)
        #expect(fetched["nonce"] == nil)
        #expect(await eta.ask("GET", path, as: stranger).code == 59)
        #expect(await eta.ask("DELETE", path, as: stranger).code == 59)
        #expect(await eta.ask("DELETE", path, as: .user(ada)).code == 4)
        #expect(await resolve(eta, token["token"]).status == 200)
        #expect(await eta.ask("DELETE", path, as: node).status == 200)
        #expect(await eta.ask("GET", path, as: .user(root))["state"] == "revoked")
        #expect(await resolve(eta, token["token"]).code == 3)
        eta.clock.advance(by: .seconds(61))
        let later = await eta.ask("GET", "/api/challenges", as: node)
        #expect(later["items"]?.arrayValue?.map { $0["state"] } == ["expired", "revoked"])
    }

    @Test func `a nonce is fresh once for each node, also after a restart, and for its window`()
        async throws
    {
        let eta = try await TestRegistry()
        let end = eta.clock.timestamp() + .seconds(60)
        func use(_ nonce: String, _ server: JSONValue, until end: Timestamp) async -> JSONValue? {
            let use: JSONValue = [
                "server": server, "nonce": .string(nonce),
                "expiresAt": .integer(end.milliseconds),
            ]
            return await eta.ask("POST", "/internal/nonces", as: .gateway, use)["fresh"]
        }
        #expect(await use("a", Self.server, until: end) == true)
        #expect(await use("a", Self.server, until: end) == false)
        #expect(await use("a", "c.example", until: end) == true)
        #expect(await use("b", Self.server, until: eta.clock.timestamp()) == false)
        #expect(await use("", Self.server, until: end) == false)
        eta.clock.advance(by: .seconds(61))
        let now = eta.clock.timestamp()
        try await eta.registry.database.write { (transaction) throws(APIError) in
            try PeerStore.sweep(now: now, transaction)
        }
        #expect(await use("a", Self.server, until: now + .seconds(60)) == true)
    }
}
