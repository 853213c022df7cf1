import Base
import Storage
import Testing

/// Schemas only move forward, step by step, each step whole.
struct MigratorTests {
    private let folder = TemporaryFolder()

    private enum First: Int, CaseIterable, Migration {
        case createPerson = 1
        var sql: StaticString { TestMigration.createPerson.sql }
    }

    private enum Broken: Int, CaseIterable, Migration {
        case createPerson = 1
        case half
        var sql: StaticString {
            switch self {
            case .createPerson: TestMigration.createPerson.sql
            case .half: "CREATE TABLE half (a INTEGER) STRICT; CREATE TABLE person (a INTEGER)"
            }
        }
    }

    private enum Dangling: Int, CaseIterable, Migration {
        case createPerson = 1
        case createPet
        case rebuild
        var sql: StaticString {
            switch self {
            case .createPerson: TestMigration.createPerson.sql
            case .createPet: TestMigration.createPet.sql
            case .rebuild: "DELETE FROM person WHERE id = 1"
            }
        }
    }

    private func open<M: Migration>(_ migrations: M.Type) throws(DatabaseError) -> Database {
        try Database.open(
            path: folder.path + "/test.sqlite", migrations: migrations, ambient: .silent())
    }

    @Test func `an old database is brought forward with what is in it`() async throws {
        let old = try open(First.self)
        try await old.write { (transaction) throws(DatabaseError) in
            _ = try transaction.run(People.insert, nil, "ada", 36)
        }
        await old.close()
        let new = try open(TestMigration.self)
        #expect(try new.first(People.byName, "ada")?.age == 36)
        let otherFolder = TemporaryFolder()
        let fromNothing = try Database.test(otherFolder)
        #expect(try new.schema() == fromNothing.schema())
        #expect(try new.schema().hasPrefix("CREATE TABLE filler ("))
        #expect(try new.schema().contains(";\n\nCREATE UNIQUE INDEX pet_lower_name"))
    }

    @Test func `a database newer than the program is refused and left as it is`() async throws {
        await (try open(TestMigration.self)).close()
        #expect(throws: DatabaseError.newer(found: 2, known: 1)) { try open(First.self) }
        _ = try open(TestMigration.self)
    }

    @Test func `a migration that fails leaves nothing of itself`() async throws {
        #expect(throws: DatabaseError.self) { try open(Broken.self) }
        let database = try open(First.self)
        #expect(!(try database.schema().contains("half")))
    }

    @Test func `a migration may not leave a row that refers to nothing`() async throws {
        let database = try open(TestMigration.self)
        try await database.add("ada")
        try await database.write { (transaction) throws(DatabaseError) in
            _ = try transaction.run(People.insertPet, "rex", 1, nil, nil)
        }
        await database.close()
        #expect(throws: DatabaseError.danglingReference(migration: 3, table: "pet")) {
            try open(Dangling.self)
        }
        #expect(try open(TestMigration.self).first(People.count) == 1)
    }

    @Test func `a file that is no database is refused`() throws {
        let path = folder.path + "/test.sqlite"
        try writeFile(path, Array(repeating: 65, count: 5_000))
        let error = #expect(throws: DatabaseError.self) { try open(First.self) }
        guard case .failed(let code, _, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(code == 26)
    }
}
