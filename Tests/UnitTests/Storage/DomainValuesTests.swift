import Base
import Crypto
import Domain
import Storage
import Testing

/// What goes into a column comes out the same, and what was never valid does not come out.
struct DomainValuesTests {
    private let folder = TemporaryFolder()

    private func roundTrip<Value: ColumnValue & Equatable>(_ value: Value) throws -> Bool {
        let database = try Database.test(folder)
        return try database.first(Query<Value, Value>("SELECT ?1"), value) == value
    }

    @Test func `ids, names, numbers, tags and hashes come back as they went in`() throws {
        let id = UserID.make(at: Timestamp(milliseconds: 5), random: SystemRandom())
        #expect(try roundTrip(id))
        #expect(id.stored == .blob(id.bytes) && id.bytes.count == 16)
        #expect(try roundTrip(Username.sample))
        #expect(try roundTrip(#require(ServerAddress("example.org:3032"))))
        #expect(try roundTrip(#require(Capacity(7))))
        #expect(try roundTrip(TagSet([.admin, .public])))
        #expect(try roundTrip(TagSet([])))
        #expect(try roundTrip(SHA256.hash("a")))
        #expect(try roundTrip(#require(ContentHash(SHA256.hash("a").hex))))
        #expect(try roundTrip(UserStatus.allCases.first))
    }

    @Test func `the set of tags is asked for one by instr`() throws {
        let database = try Database.test(folder)
        let contains = Query<TagSet, String, Bool>("SELECT instr(?1, ?2) > 0")
        #expect(try database.first(contains, [.admin, .public], " avr:public ") == true)
        #expect(try database.first(contains, [.admin, .public], " avr:pub ") == false)
    }

    @Test func `what is no valid value is told by its column, not made into one`() throws {
        let database = try Database.test(folder)
        #expect(throws: DatabaseError.unexpectedValue(column: "a", sql: "SELECT 'no name!' AS a")) {
            try database.first(Query<Username>("SELECT 'no name!' AS a"))
        }
        #expect(throws: DatabaseError.self) {
            try database.first(Query<UserID>("SELECT x'0102'"))
        }
        #expect(throws: DatabaseError.self) { try database.first(Query<Capacity>("SELECT 0")) }
    }

    @Test func `what passes by itself is told to be tried again`() {
        for error: DatabaseError in [.busy, .overloaded, .closed] {
            #expect(APIError(error).code == .overloaded, "\(error)")
        }
        #expect(APIError(DatabaseError.diskFull).code == .insufficientStorage)
        #expect(APIError(DatabaseError.misdeclared(reason: "", sql: "")).code == .internalError)
    }
}
