import API
import Base
import Domain
import Testing

@testable import Eta

/// federation.md §7: what Eta keeps of visitors here and of its users abroad.
struct IntegrityTests {
    private func resolve(_ eta: TestRegistry, _ token: JSONValue?) async -> TestAnswer {
        await eta.ask(
            "POST", "/internal/credentials", as: .gateway,
            ["form": "integrity", "token": token ?? .null])
    }

    /// A grant of `user`, a visitor from elsewhere.
    private func grant(_ eta: TestRegistry, _ user: UserReference) async -> TestAnswer {
        let profile = User(
            id: user.id, username: known(Username("visitor")),
            displayname: known(DisplayName("Vi V")),
            server: TestRegistry.elsewhere, createdAt: eta.clock.timestamp(),
            updatedAt: eta.clock.timestamp())
        return await eta.ask(
            "POST", "/internal/integrity/incoming", as: .gateway,
            JSONCoder.value(RegistryAPI.IncomingGrant(user: user, profile: profile)))
    }

    private func person(_ eta: TestRegistry) -> UserReference {
        UserReference(
            UserID.make(clock: eta.clock, random: SystemRandom()), at: TestRegistry.elsewhere)
    }

    private func record(
        _ eta: TestRegistry, of user: UserCaller, session: SessionID? = nil
    ) async -> IntegrityID {
        let id = IntegrityID.make(clock: eta.clock, random: SystemRandom())
        let grant = RegistryAPI.OutgoingGrant(
            id: id, user: user.id, session: session ?? user.session,
            server: TestRegistry.elsewhere, expiresAt: eta.clock.timestamp() + .seconds(3_600))
        let answer = await eta.ask(
            "POST", "/internal/integrity/outgoing", as: .gateway, JSONCoder.value(grant))
        #expect(answer.status == 200, "\(answer.text)")
        return id
    }

    @Test func `a token names its visitor for an hour`() async throws {
        let eta = try await TestRegistry()
        let user = person(eta)
        let grant = await grant(eta, user)
        let answer = await resolve(eta, grant["token"])
        #expect(answer["caller"]?["visitor"]?["user"] == .string(user.text))
        #expect(answer["expiresAt"] == grant["expires_at"])
        eta.clock.advance(by: .seconds(3_600))
        #expect(await resolve(eta, grant["token"]).code == 3)
    }

    @Test func `a user has eight at the most, and the oldest goes`() async throws {
        let eta = try await TestRegistry()
        let user = person(eta)
        var tokens: [JSONValue?] = []
        let reil = FakeReil(eta.registry)
        for _ in 0..<10 {
            tokens.append(await grant(eta, user)["token"])
            eta.clock.advance(by: .milliseconds(5))
        }
        let other = await grant(eta, person(eta))
        for (index, token) in tokens.enumerated() {
            #expect(await resolve(eta, token).status == (index < 2 ? 401 : 200))
        }
        #expect(await resolve(eta, other["token"]).status == 200)
        #expect(reil.revocations.count == 2)
    }

    @Test func `nobody is granted anything as a user of this node or with another's profile`()
        async throws
    {
        let eta = try await TestRegistry()
        let own = UserReference(person(eta).id, at: TestRegistry.address)
        #expect(await grant(eta, own).code == 34)
        let bare = UserReference(person(eta).id)
        #expect(await grant(eta, bare).code == 34)
        let profile = User(
            id: person(eta).id, username: known(Username("visitor")),
            displayname: known(DisplayName("Vi V")), server: TestRegistry.elsewhere,
            createdAt: eta.clock.timestamp(), updatedAt: eta.clock.timestamp())
        let stolen = await eta.ask(
            "POST", "/internal/integrity/incoming", as: .gateway,
            JSONCoder.value(RegistryAPI.IncomingGrant(user: person(eta), profile: profile)))
        #expect(stolen.code == 34)
    }

    @Test func `a grant is revoked by its user, its home or an administrator`() async throws {
        let eta = try await TestRegistry()
        let root = try await eta.user("root_1", tags: [.admin])
        let ada = try await eta.user("ada_l")
        let user = person(eta)
        let stranger = Caller.visitor(
            VisitorCaller(
                user: person(eta), integrity: .make(clock: eta.clock, random: SystemRandom())))
        for index in 0..<3 {
            let grant = await grant(eta, user)
            let id = try #require(IntegrityID(grant["id"]?.stringValue ?? ""))
            let path = "/api/integrity/\(id)"
            #expect(await eta.ask("DELETE", path, as: stranger).code == 35)
            #expect(await eta.ask("DELETE", path, as: .user(ada)).code == 35)
            let wrong = Caller.server(known(ServerAddress("c.example")))
            #expect(await eta.ask("DELETE", path, as: wrong).code == 35)
            let callers: [Caller] = [
                .visitor(VisitorCaller(user: user, integrity: id)),
                .server(TestRegistry.elsewhere), .user(root),
            ]
            #expect(await eta.ask("DELETE", path, as: callers[index]).status == 200)
            #expect(await resolve(eta, grant["token"]).code == 3)
            #expect(await eta.ask("DELETE", path, as: callers[index]).code == 35)
        }
    }

    @Test func `everybody sees their own, without tokens`() async throws {
        let eta = try await TestRegistry()
        let root = try await eta.user("root_1", tags: [.admin])
        let ada = try await eta.user("ada_l")
        let user = person(eta)
        let grant = await grant(eta, user)
        let id = try #require(IntegrityID(grant["id"]?.stringValue ?? ""))
        let out = await record(eta, of: ada)
        let visitor = Caller.visitor(VisitorCaller(user: user, integrity: id))
        let incoming = await eta.ask("GET", "/api/integrity", as: visitor)
        #expect(incoming["items"]?.arrayValue?.map { $0["id"] } == [.string(id.text)])
        #expect(incoming["items"]?.arrayValue?.first?["token"] == nil)
        #expect(
            incoming["items"]?.arrayValue?.first?["server"] == .string(TestRegistry.address.text))
        let outgoing = await eta.ask("GET", "/api/integrity", as: .user(ada))
        #expect(outgoing["items"]?.arrayValue?.map { $0["id"] } == [.string(out.text)])
        #expect(
            outgoing["items"]?.arrayValue?.first?["server"] == .string(TestRegistry.elsewhere.text))
        let all = await eta.ask("GET", "/api/integrity", as: .user(root))
        #expect(all["items"]?.arrayValue?.count == 2 && all["total"] == 2)
        // One at a time, from both tables, and each once.
        var (seen, after): ([JSONValue?], String?) = ([], "")
        while let place = after, seen.count < 5 {
            let query = place.isEmpty ? "?limit=1" : "?limit=1&after=\(place)"
            let page = await eta.ask("GET", "/api/integrity" + query, as: .user(root))
            seen += page["items"]?.arrayValue?.map { $0["id"] } ?? []
            after = page["next"]?.stringValue
        }
        #expect(seen.count == 2)
        #expect(seen.contains(.string(id.text)) && seen.contains(.string(out.text)))
        #expect(await eta.ask("GET", "/api/integrity").code == 3)
    }

    @Test func `the end of a session revokes abroad what was asked for by it, and no more`()
        async throws
    {
        let eta = try await TestRegistry()
        let ada = try await eta.user("ada_l")
        let second = await eta.ask(
            "POST", "/api/auth/login", ["username": "ada_l", "password": TestRegistry.password])
        let other = try #require(SessionID(second["session"]?.stringValue ?? ""))
        let reil = FakeReil(eta.registry)
        let mine = await record(eta, of: ada)
        let kept = await record(eta, of: ada, session: other)
        #expect(await eta.ask("DELETE", "/api/auth/logout", as: .user(ada)).status == 200)
        #expect(reil.endedAbroad == [mine])
        // Granted while the session ended.
        let late = await record(eta, of: ada)
        #expect(reil.endedAbroad == [mine, late])
        let list = await eta.ask("GET", "/api/integrity", as: .user(ada))
        #expect(list["items"]?.arrayValue?.map { $0["id"] } == [.string(kept.text)])
        // By hand, and by the host, which needs not be told.
        #expect(
            await eta.ask(
                "DELETE", "/api/integrity/\(kept)", as: .server(TestRegistry.elsewhere)
            ).status == 200)
        #expect(reil.endedAbroad.count == 2)
    }
}
