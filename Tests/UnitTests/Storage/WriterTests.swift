import Base
import Glibc
import Storage
import Synchronization
import Testing

/// Group commit: acts share a transaction and nothing else.
struct WriterTests {
    private let folder = TemporaryFolder()

    private struct Refused: DatabaseFailure, Equatable {
        var database: DatabaseError?
        init() {}
        init(_ error: DatabaseError) { database = error }
    }

    @Test func `a failing act undoes what it wrote and takes none with it`() async throws {
        let database = try Database.test(folder)
        let hold = Hold(database)
        await hold.untilHeld()
        // All three wait behind the held writer, so they share a group.
        async let before: Void = database.add("before")
        async let failing: Void = database.write { (transaction) throws(Refused) in
            try transaction.run(People.insert, nil, "half", 1)
            throw Refused()
        }
        async let after: Void = database.add("after")
        await hold.release()
        try await before
        try await after
        do {
            try await failing
            Issue.record("the failing act was kept")
        } catch { #expect(error as? Refused == Refused()) }
        #expect(Set(try database.all(People.all).map(\.name)) == ["before", "after"])
    }

    @Test func `acts of a group see each other in the order they came`() async throws {
        let database = try Database.test(folder)
        let hold = Hold(database)
        await hold.untilHeld()
        let names = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    let count = try? await database.write {
                        (transaction) throws(DatabaseError) -> Int in
                        let count = try transaction.first(People.count) ?? 0
                        try transaction.run(People.insert, nil, "p\(count)", count)
                        return count
                    }
                    return count ?? -1
                }
            }
            await hold.release()
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(names.sorted() == Array(0..<20))
    }

    @Test func `an answer leaves after its commit is there for all to read`() async throws {
        let database = try Database.test(folder)
        // A second program on the same file sees each act that was answered.
        let other = try Database.test(folder)
        for round in 0..<50 {
            try await database.add("p\(round)")
            #expect(try other.first(People.count) == round + 1)
        }
    }

    @Test func `nothing an act wrote is read before its answer could leave`() async throws {
        let database = try Database.test(folder)
        let hold = Hold(database, writing: "early")
        await hold.untilHeld()
        #expect(try database.first(People.byName, "early") == nil)
        await hold.release()
        try await database.add("late")
        #expect(try database.first(People.byName, "early") != nil)
    }

    @Test func `what follows a commit is done in its order, and not for what is undone`()
        async throws
    {
        let database = try Database.test(folder)
        let hold = Hold(database)
        await hold.untilHeld()
        let (written, told) = (Lock<[Int]>([]), Lock<[Int]>([]))
        await withTaskGroup(of: Void.self) { group in
            for index in 0..<40 {
                group.addTask {
                    try? await database.write { (transaction) throws(Refused) in
                        transaction.onCommit {
                            // Durable by now, for other connections too.
                            let row = try? database.first(People.byName, "p\(index)")
                            if row != nil { told.withLock { $0.append(index) } }
                        }
                        if index % 4 == 0 { throw Refused() }
                        // The third kind is refused by the commit's own check.
                        let pet: Int64 = index % 4 == 1 ? 9_999 : 0
                        if pet > 0 { try transaction.run(People.insertPet, "rex", 1, pet, nil) }
                        try transaction.run(People.insert, nil, "p\(index)", 1)
                        written.withLock { $0.append(index) }
                    }
                    #expect(index % 4 < 2 || told.withLock { $0.contains(index) })
                }
            }
            await hold.release()
        }
        let kept = written.withLock { $0.filter { $0 % 4 > 1 } }
        #expect(kept.count == 20 && told.withLock { $0 } == kept)
    }

    @Test func `64 writers lose nothing and double nothing`() async throws {
        let database = try Database.test(folder)
        try await database.add("sum", age: 0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<64 {
                group.addTask {
                    for round in 0..<20 {
                        try await database.write { (transaction) throws(DatabaseError) in
                            let age = try transaction.first(People.byName, "sum")?.age ?? 0
                            try transaction.run(People.setAge, "sum", age + 1)
                            try transaction.run(People.insert, nil, "\(writer)-\(round)", 1)
                        }
                        let read = try database.first(People.byName, "\(writer)-\(round)")
                        #expect(read != nil)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(try database.first(People.byName, "sum")?.age == 64 * 20)
        #expect(try database.first(People.count) == 64 * 20 + 1)
    }

    @Test func `a full queue refuses before anything is begun`() async throws {
        let database = try Database.test(folder, queueLimit: 2)
        let hold = Hold(database)
        await hold.untilHeld()
        let outcomes = await withTaskGroup(of: DatabaseError?.self) { group in
            for index in 0..<5 {
                group.addTask {
                    do throws(DatabaseError) {
                        try await database.add("p\(index)")
                        return nil
                    } catch { return error }
                }
            }
            var refused: [DatabaseError?] = []
            while refused.count < 3, let outcome = await group.next() { refused.append(outcome) }
            await hold.release()
            return await group.reduce(into: refused) { $0.append($1) }
        }
        #expect(outcomes == [.overloaded, .overloaded, .overloaded, nil, nil])
        #expect(try database.first(People.count) == 2)
    }

    @Test func `constraints are told apart, with their columns`() async throws {
        let database = try Database.test(folder)
        try await database.add("ada")
        func violation<each Argument: ColumnValue>(
            _ command: Command<repeat each Argument>, _ arguments: repeat each Argument
        ) async throws -> ConstraintViolation? {
            let bound = (repeat each arguments)
            return try await database.write { (transaction) throws(DatabaseError) in
                try transaction.attempt(command, repeat each bound)
            }
        }
        let unique = try await violation(People.insert, nil, "ada", 2)
        #expect(unique?.isUnique("person.name") == true)
        let primary = try await violation(People.insert, 1, "bob", 2)
        #expect(primary == ConstraintViolation(kind: .unique, names: ["person.id"]))
        let check = try await violation(People.insert, nil, "bob", -1)
        #expect(check?.kind == .check)
        let foreign = try await violation(People.insertPet, "rex", 99, nil, nil)
        #expect(foreign == ConstraintViolation(kind: .foreignKey))
        let null = try await violation(Command<Int64>("INSERT INTO person (id) VALUES (?1)"), 5)
        #expect(null == ConstraintViolation(kind: .notNull, names: ["person.name"]))
        #expect(try await violation(People.insertPet, "Rex", 1, nil, "dog") == nil)
        let pair = try await violation(People.insertPet, "Rex", 1, nil, nil)
        #expect(pair?.isUnique("pet.owner", "pet.name") == true)
        let index = try await violation(People.insertPet, "rex", 1, nil, "cat")
        #expect(index?.isUnique("pet_lower_name") == true)
        await #expect(
            throws: DatabaseError.constraint(.init(kind: .unique, names: ["person.name"]))
        ) {
            try await database.add("ada")
        }
    }

    @Test func `a deferred foreign key fails its own act and not the group`() async throws {
        let database = try Database.test(folder)
        try await database.add("ada")
        let hold = Hold(database)
        await hold.untilHeld()
        async let dangling: Void = database.write { (transaction) throws(DatabaseError) in
            _ = try transaction.run(People.insertPet, "rex", 1, 99, nil)
        }
        async let good: Void = database.add("bob")
        await hold.release()
        try await good
        do {
            try await dangling
            Issue.record("the dangling act was kept")
        } catch {
            #expect(
                error as? DatabaseError == .constraint(ConstraintViolation(kind: .foreignKey)))
        }
        #expect(try database.first(Query<Int>("SELECT count(*) FROM pet")) == 0)
    }

    @Test func `a change can answer with the rows it made`() async throws {
        let database = try Database.test(folder)
        let returning = Query<String, Int, PersonRow>(
            "INSERT INTO person (name, age) VALUES (?1, ?2) RETURNING \(PersonRow.columns)")
        let row = try await database.write { (transaction) throws(DatabaseError) in
            try transaction.first(returning, "ada", 3)
        }
        #expect(row == PersonRow(id: 1, name: "ada", age: 3))
        #expect(try database.first(People.byName, "ada") == row)
    }

    @Test func `the log is moved into the database, so that it does not grow for ever`()
        async throws
    {
        let database = try Database.test(folder)
        let insert = Command<String, [UInt8]>(
            "INSERT INTO person (name, age) SELECT ?1, length(?2)")
        let filler = Command<[UInt8]>("INSERT INTO filler VALUES (?1)")
        for round in 0..<40 {
            try await database.write { (transaction) throws(DatabaseError) in
                try transaction.run(filler, [UInt8](repeating: 1, count: 1 << 20))
                try transaction.run(insert, "p\(round)", [])
            }
        }
        var status = stat()
        unsafe stat(folder.path + "/test.sqlite-wal", &status)
        #expect(status.st_size < 16 << 20)
    }

    @Test func `what was answered is there after the process is killed`() async throws {
        let database = try Database.test(folder)
        for round in 0..<10 { try await database.add("p\(round)") }
        // The files as a dead process leaves them: the log is not moved, nothing is closed; and
        // the last write cut off in its middle.
        let copy = TemporaryFolder()
        for name in ["test.sqlite", "test.sqlite-wal"] {
            try copyFile(folder.path + "/" + name, copy.path + "/" + name)
        }
        let again = try Database.test(copy)
        #expect(try again.first(People.count) == 10)
        let torn = TemporaryFolder()
        try copyFile(folder.path + "/test.sqlite", torn.path + "/test.sqlite")
        try copyFile(
            folder.path + "/test.sqlite-wal", torn.path + "/test.sqlite-wal", cutOff: 100)
        let repaired = try Database.test(torn)
        #expect(try repaired.first(People.count) == 9)
        #expect(try repaired.first(Query<String>("PRAGMA integrity_check")) == "ok")
    }

    private func copyFile(_ from: String, _ to: String, cutOff: Int = 0) throws {
        let source = unsafe open(from, O_RDONLY)
        let target = unsafe open(to, O_WRONLY | O_CREAT, 0o600)
        defer {
            close(source)
            close(target)
        }
        try #require(source >= 0 && target >= 0)
        var bytes = [UInt8](repeating: 0, count: 16 << 20)
        let count = unsafe read(source, &bytes, bytes.count)
        #expect(unsafe write(target, bytes, count - cutOff) == count - cutOff)
    }
}

/// Holds the writer's thread inside an act, so that what comes next gathers behind it.
private final class Hold: Sendable {
    private let held = Atomic(false)
    private let open = Atomic(false)
    private let task: Lock<Task<Void, Never>?> = Lock(nil)

    init(_ database: Database, writing name: String? = nil) {
        let task = Task {
            _ = try? await database.write { (transaction) throws(DatabaseError) in
                if let name { _ = try transaction.run(People.insert, nil, name, 1) }
                self.held.store(true, ordering: .releasing)
                while !self.open.load(ordering: .acquiring) { usleep(1_000) }
            }
        }
        self.task.withLock { $0 = task }
    }

    func untilHeld() async {
        while !held.load(ordering: .acquiring) { await Task.yield() }
    }

    func release() async {
        // Those that shall gather get the time to.
        for _ in 0..<2_000 { await Task.yield() }
        open.store(true, ordering: .releasing)
        await task.withLock { $0 }?.value
    }
}
