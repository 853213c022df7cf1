import Base
import Glibc
import Storage
import Synchronization
import Testing

/// Reads, scans and types of values.
struct DatabaseTests {
    private let folder = TemporaryFolder()

    @Test func `what was written is read, by name and by position`() async throws {
        let database = try Database.test(folder)
        try await database.add("ada", age: 36)
        let row = try database.first(People.byName, "ada")
        #expect(row == PersonRow(id: 1, name: "ada", age: 36))
        #expect(try database.first(People.byName, "bob") == nil)
        #expect(try database.first(People.count) == 1)
        #expect(try database.all(People.all).map(\.name) == ["ada"])
    }

    @Test func `the file and what is beside it is for nobody else's eyes`() async throws {
        func mode(_ ending: String) -> mode_t {
            var status = stat()
            unsafe stat(folder.path + "/test.sqlite" + ending, &status)
            return status.st_mode & 0o777
        }
        let files = ["", "-wal", "-shm"]
        let database = try Database.test(folder)
        try await database.add("ada", age: 36)
        #expect(files.map(mode) == [0o600, 0o600, 0o600])
        for ending in files { unsafe chmod(folder.path + "/test.sqlite" + ending, 0o644) }
        // Another that opens them takes everybody's rights away, and not what a group was given.
        let second = try Database.test(folder)
        #expect(files.map(mode) == [0o640, 0o640, 0o640])
        try await second.add("bob", age: 1)
    }

    @Test func `every type of value comes back as it went in`() throws {
        let database = try Database.test(folder)
        // An empty text or blob is not NULL, and a text may hold a zero byte.
        #expect(try database.first(Query<Int64, Int64>("SELECT ?1"), .min) == .min)
        #expect(try database.first(Query<Double, Double>("SELECT ?1"), 0.1) == 0.1)
        for text in ["", "a\0b", "Zoë 🜁", String(repeating: "x", count: 100_000)] {
            #expect(try database.first(Query<String, String>("SELECT ?1"), text) == text)
        }
        for bytes in [[], [0, 255], [UInt8](repeating: 7, count: 70_000)] {
            #expect(try database.first(Query<[UInt8], [UInt8]>("SELECT ?1"), bytes) == bytes)
        }
        #expect(try database.first(Query<Bool, Bool>("SELECT ?1"), true) == true)
        let none = try database.first(Query<String?, String?>("SELECT ?1"), nil)
        #expect(none == .some(.none))
        let time = Timestamp(milliseconds: 1_700_000_000_123)
        #expect(try database.first(Query<Timestamp, Timestamp>("SELECT ?1"), time) == time)
    }

    @Test func `a row that is declared otherwise than the statement is an error, not a mix-up`()
        throws
    {
        let database = try Database.test(folder)
        let swapped = Query<PersonRow>("SELECT 1 AS name, 'ada' AS id, 3 AS age")
        let error = #expect(throws: DatabaseError.self) { try database.first(swapped) }
        guard case .misdeclared(let reason, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(reason == "column 0 is name, not id")
        #expect(throws: DatabaseError.unexpectedValue(column: "n", sql: "SELECT NULL AS n")) {
            try database.first(Query<Int>("SELECT NULL AS n"))
        }
        #expect(throws: DatabaseError.self) {
            try database.first(Query<Int, Int>("SELECT 1"), 1)
        }
        #expect(throws: DatabaseError.self) { try database.first(Query<Int>("SELECT 1; SELECT 2")) }
    }

    @Test func `a failure tells the statement and never the arguments`() throws {
        let database = try Database.test(folder)
        let error = #expect(throws: DatabaseError.self) {
            try database.first(Query<String, String>("SELECT abs(?1) FROM nowhere"), "secret")
        }
        let text = "\(String(describing: error))"
        #expect(text.contains("nowhere"))
        #expect(!text.contains("secret"))
    }

    @Test func `a reader keeps its snapshot while others write`() async throws {
        let database = try Database.test(folder)
        try await database.add("ada")
        // The reader waits inside its snapshot for the other's commit.
        let shared = Shared()
        async let counts = database.scan { (reader) throws(DatabaseError) -> [Int?] in
            let before = try reader.first(People.count)
            shared.entered.store(true, ordering: .releasing)
            while !shared.written.load(ordering: .acquiring) { usleep(1_000) }
            return [before, try reader.first(People.count)]
        }
        while !shared.entered.load(ordering: .acquiring) { await Task.yield() }
        try await database.add("bob")
        #expect(try database.first(People.count) == 2)
        shared.written.store(true, ordering: .releasing)
        #expect(try await counts == [1, 1])
    }

    @Test func `a reader cannot write`() throws {
        let database = try Database.test(folder)
        #expect(throws: DatabaseError.self) {
            try database.first(Query<Int>("INSERT INTO person VALUES (1, 'a', 1) RETURNING id"))
        }
        #expect(try database.first(People.count) == 0)
    }

    @Test func `reads inside reads have a snapshot of their own`() async throws {
        let database = try Database.test(folder)
        try await database.add("ada")
        let sum = try database.read { (outer) throws(DatabaseError) in
            let inner = try database.read { (reader) throws(DatabaseError) in
                try reader.first(People.count) ?? 0
            }
            return try inner + (outer.first(People.count) ?? 0)
        }
        #expect(sum == 2)
    }

    @Test func `a closed database refuses, and opens again with all that was written`()
        async throws
    {
        let database = try Database.test(folder)
        try await database.add("ada")
        await database.close()
        #expect(throws: DatabaseError.closed) { try database.first(People.count) }
        await #expect(throws: DatabaseError.closed) { try await database.add("bob") }
        await database.close()
        let again = try Database.test(folder)
        #expect(try again.first(People.count) == 1)
    }

    /// What an operator copies of a node that is stopped is one file.
    @Test func `a closed database is whole in its one file`() async throws {
        let database = try Database.test(folder)
        for number in 0..<50 { try await database.add("\(number)") }
        #expect(try database.first(People.count) == 50)
        await database.close()
        let log = folder.path + "/test.sqlite-wal"
        var status = stat()
        #expect(unsafe stat(log, &status) != 0 || status.st_size == 0, "\(status.st_size) bytes")
        unsafe unlink(log)
        unsafe unlink(folder.path + "/test.sqlite-shm")
        #expect(try Database.test(folder).first(People.count) == 50)
    }

    @Test func `closing under writers answers each of them, and keeps what it said was kept`()
        async throws
    {
        for _ in 0..<20 {
            let folder = TemporaryFolder()
            let database = try Database.test(folder)
            let kept = await withTaskGroup(of: Int.self) { group in
                for writer in 0..<8 {
                    group.addTask {
                        var kept = 0
                        while (try? await database.add("\(writer)-\(kept)")) != nil { kept += 1 }
                        return kept
                    }
                }
                group.addTask {
                    await database.close()
                    return 0
                }
                var sum = 0
                for await kept in group { sum += kept }
                return sum
            }
            #expect(try Database.test(folder).first(People.count) == kept)
        }
    }

    private final class Shared: Sendable {
        let entered = Atomic(false)
        let written = Atomic(false)
    }
}
