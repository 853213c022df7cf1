import API
import Base
import Crypto
import Domain
import Storage
import Testing

@testable import Eta

/// What Eta remembers of other nodes and of itself.
struct NodeTests {
    private static let path = "/internal/nodes/b.example"

    private func record(
        _ eta: TestRegistry, secure: Bool, keys: Int, token: ServerToken? = nil
    ) -> JSONValue {
        let now = eta.clock.timestamp()
        let known = (0..<keys).compactMap { _ in
            NodeKeyText(Ed25519PrivateKey.generate().publicKey.base64URL)
        }.map {
            RegistryAPI.KnownKey(
                key: $0, seenAt: now, trustedAt: now, expiresAt: now + .seconds(86_400))
        }
        return JSONCoder.value(
            RegistryAPI.NodeRecord(
                address: TestRegistry.elsewhere, secure: secure, keys: known,
                gateway: Gateway(secure: secure, address: TestRegistry.elsewhere), token: token,
                tokenExpiresAt: token == nil ? nil : now + .seconds(3_600)))
    }

    @Test func `a node is remembered with its keys, and once seen over https it stays so`()
        async throws
    {
        let eta = try await TestRegistry()
        #expect(await eta.ask("GET", Self.path, as: .gateway).code == 5)
        let first = record(eta, secure: true, keys: 2)
        #expect(await eta.ask("PUT", Self.path, as: .gateway, first).status == 200)
        let kept = await eta.ask("GET", Self.path, as: .gateway)
        #expect(kept["secure"] == true && kept["gateway"] == first["gateway"])
        let ours = Set((first["keys"]?.arrayValue ?? []).compactMap { $0["key"]?.stringValue })
        let theirs = Set((kept["keys"]?.arrayValue ?? []).compactMap { $0["key"]?.stringValue })
        #expect(ours == theirs && ours.count == 2)
        let second = record(eta, secure: false, keys: 1)
        #expect(await eta.ask("PUT", Self.path, as: .gateway, second).status == 200)
        let later = await eta.ask("GET", Self.path, as: .gateway)
        #expect(later["secure"] == true && later["keys"]?.arrayValue?.count == 1)
        let wrong = "/internal/nodes/c.example"
        #expect(await eta.ask("PUT", wrong, as: .gateway, second).code == 29)
    }

    @Test func `our token at a node is kept until its end and shared with every Reil`() async throws
    {
        let eta = try await TestRegistry()
        let token = ServerToken.make(random: SystemRandom())
        let first = record(eta, secure: true, keys: 1, token: token)
        _ = await eta.ask("PUT", Self.path, as: .gateway, first)
        // Another Reil saves what it discovered and knows of no token.
        _ = await eta.ask("PUT", Self.path, as: .gateway, record(eta, secure: true, keys: 1))
        #expect(await eta.ask("GET", Self.path, as: .gateway)["token"] == .string(token.text))
        eta.clock.advance(by: .seconds(3_600))
        #expect(await eta.ask("GET", Self.path, as: .gateway)["token"] == .null)
    }

    @Test func `only a Reil may ask, and only with the cluster key`() async throws {
        let eta = try await TestRegistry()
        let ada = try await eta.user("ada_l", tags: [.admin])
        #expect(await eta.ask("GET", Self.path, as: .user(ada)).code == 54)
        #expect(await eta.ask("GET", Self.path).code == 3)
        let forged = CallerStatement(caller: .gateway, at: eta.clock.timestamp())
            .signed(with: Secret([UInt8](repeating: 1, count: 32)))
        let check = StatementCheck(key: eta.registry.node.keys.cluster, clock: eta.clock)
        #expect(throws: APIError.self) { try check.caller(Array(forged.utf8)[...]) }
        let good = CallerStatement(caller: .gateway, at: eta.clock.timestamp())
            .signed(with: eta.registry.node.keys.cluster)
        #expect(try check.caller(Array(good.utf8)[...]) == .gateway)
        eta.clock.advance(by: .seconds(61))
        #expect(throws: APIError.self) { try check.caller(Array(good.utf8)[...]) }
    }

    @Test func `a change from outside reaches the Reil, and is told once`() async throws {
        let eta = try await TestRegistry()
        let ada = try await eta.user("ada_l")
        let reil = FakeReil(eta.registry)
        let outside = OutsideChanges(eta.registry)
        try await outside.publish()
        #expect(reil.revocations.isEmpty)
        try await eta.registry.database.write { (transaction) throws(APIError) in
            try OutsideChanges.note(ada.id, transaction)
        }
        try await outside.publish()
        guard case .rights(let user)? = reil.revocations.first else {
            Issue.record("no Reil was told")
            return
        }
        #expect(user == ada.id)
        try await outside.publish()
        #expect(reil.revocations.count == 1)
    }

    @Test func `who is disabled from outside is logged in no more, here and abroad`() async throws {
        let eta = try await TestRegistry()
        let ada = try await eta.user("ada_l")
        let reil = FakeReil(eta.registry)
        let (database, now) = (eta.registry.database, eta.clock.timestamp())
        let abroad = IntegrityID.make(clock: eta.clock, random: SystemRandom())
        try await database.write { (transaction) throws(APIError) in
            try IntegrityStore.insertOutgoing(
                abroad, at: known(ServerAddress("b.example:80")), of: ada.id, by: ada.session,
                now: now, expiresAt: now + .seconds(60), transaction)
            try UserStore.setTags([.disabled], of: ada.id, transaction)
            try OutsideChanges.note(ada.id, transaction)
        }
        try await OutsideChanges(eta.registry).publish()
        guard case .user(ada.id)? = reil.revocations.last else {
            Issue.record("no Reil was told")
            return
        }
        #expect(reil.endedAbroad == [abroad])
        let left = try database.read { (reader) throws(APIError) in
            try SessionStore.find(ada.session, reader)
        }
        #expect(left == nil)
    }

    @Test func `the node's figures follow what there is`() async throws {
        let eta = try await TestRegistry()
        _ = try await eta.user("ada_l")
        #expect(try await eta.registry.record.count())
        #expect(eta.registry.record.server.stats.users == 1)
        #expect(try await !eta.registry.record.count())
    }
}
