import Base
import Crypto
import Domain
import Storage
import Testing

@testable import Eta

/// What `eta check` tells of rows that speak of what is not there.
@Suite struct OrphanTests {
    private static let file = Command<[UInt8]>(
        "INSERT INTO file (hash, size, created_at) VALUES (?1, 7, 0)")
    private static let grant = Command<[UInt8], UserID, [UInt8]>(
        """
        INSERT INTO outgoing_integrity (id, server, user_id, session_id, created_at, expires_at)
        VALUES (?1, 'b.example', ?2, ?3, 0, 9000000000000)
        """)
    private static let follow = Command<UserReference, UserReference, UserID>(
        """
        INSERT INTO follow (follower, followed, follower_id, followed_at) VALUES (?1, ?2, ?3, 0)
        """)

    private static let total = Command<Int>(
        "UPDATE list_total SET count = ?1 WHERE name = 'tag:avr:instance_creator'")
    private static let text = Command<String>("UPDATE user_text SET username = ?1")

    private func problems(_ eta: TestRegistry) throws -> [String] {
        try eta.registry.database.read { (reader) throws(APIError) in
            try OrphanStore.problems(reader)
        }
    }

    @Test func `each kind of orphan is told, and a node at work has none`() async throws {
        let eta = try await TestRegistry()
        let ada = try await eta.user("ada_one")
        #expect(try problems(eta) == [])
        let gone = UserReference(
            UserID.make(clock: eta.clock, random: SystemRandom()), at: TestRegistry.address)
        let me = UserReference(ada.id, at: TestRegistry.address)
        let database = eta.registry.database
        try await database.write { (transaction) throws(APIError) in
            _ = try transaction.run(Self.file, [UInt8](repeating: 1, count: 32))
        }
        #expect(try problems(eta) == ["files are counted as 0 bytes, not 7"])
        try await database.write { (transaction) throws(APIError) in
            try transaction.run(
                Self.grant, [UInt8](repeating: 1, count: 16), ada.id,
                [UInt8](repeating: 2, count: 16))
            try transaction.run(Self.follow, me, gone, ada.id)
        }
        try await database.write { (transaction) throws(APIError) in
            try transaction.run(Self.total, 7)
            try transaction.run(Self.text, "other")
        }
        #expect(
            try problems(eta).filter { $0.hasPrefix("lists") } == [
                "lists are wrong about tag:avr:instance_creator",
                "lists are wrong about names of users",
            ])
        let all = try problems(eta).filter { !$0.hasPrefix("lists") }
        #expect(all.count == 3, "\(all)")
        #expect(all.contains { $0.contains("grants abroad") }, "\(all)")
        #expect(all.contains { $0.contains("\(gone)") }, "\(all)")
    }
}
