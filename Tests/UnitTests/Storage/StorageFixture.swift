import Base
import Glibc
import Storage
import Testing

/// A folder of its own for each test, removed with all in it.
final class TemporaryFolder: Sendable {
    let path: String

    init() {
        path = "/tmp/reileta-storage-" + Hex.encode(SystemRandom().bytes(8))
        unsafe mkdir(path, 0o700)
    }

    deinit { remove(path) }

    /// All names under the folder, files alone, relative and sorted.
    func files(_ below: String = "") -> [String] {
        var found: [String] = []
        for name in names(path + "/" + below) {
            let relative = below.isEmpty ? name : below + "/" + name
            if let below = unsafe folder(path + "/" + relative) {
                unsafe closedir(below)
                found += files(relative)
            } else {
                found.append(relative)
            }
        }
        return found.sorted()
    }

    private func remove(_ path: String) {
        for name in names(path) { remove(path + "/" + name) }
        if unsafe unlink(path) != 0 { unsafe rmdir(path) }
    }

    private func folder(_ path: String) -> OpaquePointer? { unsafe opendir(path) }

    private func names(_ folder: String) -> [String] {
        guard let stream = unsafe self.folder(folder) else { return [] }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}

/// The schema of the tests.
enum TestMigration: Int, CaseIterable, Migration {
    case createPerson = 1
    case createPet

    var sql: StaticString {
        switch self {
        case .createPerson:
            """
            CREATE TABLE person (
                id INTEGER PRIMARY KEY,
                name TEXT NOT NULL UNIQUE,
                age INTEGER NOT NULL CHECK (age >= 0)
            ) STRICT
            """
        case .createPet:
            """
            CREATE TABLE pet (
                name TEXT NOT NULL,
                owner INTEGER NOT NULL REFERENCES person (id),
                friend INTEGER REFERENCES person (id) DEFERRABLE INITIALLY DEFERRED,
                kind TEXT,
                UNIQUE (owner, name)
            ) STRICT;
            CREATE TABLE filler (bytes BLOB) STRICT;
            CREATE UNIQUE INDEX pet_lower_name ON pet (lower(name)) WHERE kind IS NOT NULL
            """
        }
    }
}

struct PersonRow: RowDecodable, Equatable {
    static let columns: SQL = "id, name, age"
    let id: Int64
    let name: String
    let age: Int

    init(id: Int64, name: String, age: Int) {
        self.id = id
        self.name = name
        self.age = age
    }

    init(row: borrowing Row) throws(DatabaseError) {
        id = try row.value(0, "id")
        name = try row.value(1, "name")
        age = try row.value(2, "age")
    }
}

enum People {
    static let byName = Query<String, PersonRow>(
        "SELECT \(PersonRow.columns) FROM person WHERE name = ?1")
    static let all = Query<PersonRow>("SELECT \(PersonRow.columns) FROM person ORDER BY id")
    static let count = Query<Int>("SELECT count(*) FROM person")
    static let insert = Command<Int64?, String, Int>(
        "INSERT INTO person (id, name, age) VALUES (?1, ?2, ?3)")
    static let insertPet = Command<String, Int64, Int64?, String?>(
        "INSERT INTO pet (name, owner, friend, kind) VALUES (?1, ?2, ?3, ?4)")
    static let setAge = Command<String, Int>("UPDATE person SET age = ?2 WHERE name = ?1")
}

extension Database {
    /// The database of the tests in `folder`.
    static func test(
        _ folder: TemporaryFolder, queueLimit: Int = 4_096
    ) throws(DatabaseError) -> Database {
        try open(
            path: folder.path + "/test.sqlite", migrations: TestMigration.self,
            queueLimit: queueLimit, ambient: .silent())
    }

    /// Adds a person in an act of its own.
    func add(_ name: String, age: Int = 1) async throws(DatabaseError) {
        try await write { (transaction) throws(DatabaseError) in
            _ = try transaction.run(People.insert, nil, name, age)
        }
    }
}

/// Makes a file of these bytes.
func writeFile(_ path: String, _ bytes: [UInt8]) throws {
    let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    try #require(file >= 0)
    defer { close(file) }
    #expect(unsafe write(file, bytes, bytes.count) == bytes.count)
}
