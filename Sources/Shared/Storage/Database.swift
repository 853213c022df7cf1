import Base
import Glibc

/// The database of a node: SQLite done plainly, and the only place that knows it is SQLite.
///
/// ```swift
/// struct UserRow: RowDecodable {
///     static let columns: SQL = "id, name, created_at"
///     let id: UserID
///     let name: String
///     let createdAt: Timestamp
///     init(row: borrowing Row) throws(DatabaseError) {
///         id = try row.value(0, "id")
///         name = try row.value(1, "name")
///         createdAt = try row.value(2, "created_at")
///     }
/// }
/// static let byName = Query<String, UserRow>("SELECT \(UserRow.columns) FROM user WHERE name = ?1")
/// static let count = Query<Int>("SELECT count(*) FROM user")
/// static let insert = Command<UserID, String, Timestamp>("INSERT INTO user VALUES (?1, ?2, ?3)")
///
/// let database = try Database.open(
///     path: "data/eta.sqlite", migrations: EtaMigration.self, ambient: ambient)
/// let row = try database.first(byName, "ada")            // one indexed read, throws DatabaseError
/// let both = try database.read { (reader) throws(APIError) in   // several, on one snapshot
///     (try reader.first(byName, "ada"), try reader.first(count))
/// }
/// let id = try await database.write { (transaction) throws(APIError) in   // one act
///     if let violation = try transaction.attempt(insert, id, name, now) {
///         throw violation.isUnique("user.name") ? APIError(.nameTaken) : APIError(.invalid)
///     }
///     return id
/// }                                                       // here it is on the disk
/// ```
///
/// `APIError: DatabaseFailure` says once what the database's own failures are to a client.
public final class Database: Sendable {
    private struct State {
        var idle: [Connection] = []
        var isClosed = false
    }

    private let path: String
    private let writer: Writer
    private let readers = Lock(State())
    private let scanners = BlockingPool(name: "scan", threads: 2, queueLimit: 64)

    /// Opens the file, makes it if there is none, and brings its schema up to date.
    ///
    /// At most `queueLimit` writes wait; the next ones are refused before they are begun.
    public static func open<M: Migration>(
        path: String, migrations: M.Type, queueLimit: Int = 4_096, ambient: Ambient
    ) throws(DatabaseError) -> Database {
        do throws(FileError) {
            try Disk.guardFromOthers(path, with: ["-wal", "-shm"])
        } catch { throw .unusable(error) }
        let connection = try Connection(path: path, for: .writing)
        try Migrator<M>.migrate(connection)
        let database = Database(
            path: path, writer: Writer(connection, queueLimit: queueLimit, ambient: ambient))
        ambient.metrics.depth(of: database.scanners)
        return database
    }

    /// Opens a file that is there with the schema that it has, to look at it.
    public static func openAsIs(
        path: String, ambient: Ambient
    ) throws(DatabaseError) -> Database {
        let connection = try Connection(path: path, for: .writing)
        return Database(
            path: path, writer: Writer(connection, queueLimit: 1, ambient: ambient))
    }

    /// Writes the database as it is at one moment to a new file, while others read and write, and
    /// makes that durable. Its schema is not touched, whatever program it belongs to. Blocks.
    public static func copy(_ path: String, to target: String) throws(DatabaseError) {
        let connection = try Connection(path: path, for: .copying)
        do throws(FileError) { try Disk.guardFromOthers(target, with: []) } catch {
            throw .unusable(error)
        }
        _ = try connection.run(copyCommand, target)
        do throws(FileError) { try OpenFile(target, O_RDONLY | O_CLOEXEC).sync() } catch {
            throw .unusable(error)
        }
    }

    private static let copyCommand = Command<String>("VACUUM INTO ?1")

    private init(path: String, writer: Writer) {
        self.path = path
        self.writer = writer
    }

    deinit {
        writer.close()
        scanners.stop()
    }

    /// Reads on one snapshot, on the calling thread: for what an index answers.
    public func read<Answer, Failure: DatabaseFailure>(
        _ body: (borrowing Reader<Failure>) throws(Failure) -> Answer
    ) throws(Failure) -> Answer {
        let connection: Connection
        do { connection = try take() } catch { throw Failure(error) }
        defer { give(connection) }
        return try connection.snapshot(body)
    }

    /// The first row of one query, on the calling thread, without the cost of a snapshot.
    public func first<each Argument: ColumnValue, Output: RowDecodable>(
        _ query: Query<repeat each Argument, Output>, _ arguments: repeat each Argument
    ) throws(DatabaseError) -> Output? {
        let connection = try take()
        defer { give(connection) }
        return try connection.first(query, repeat each arguments)
    }

    /// All rows of one query, on the calling thread, without the cost of a snapshot.
    public func all<each Argument: ColumnValue, Output: RowDecodable>(
        _ query: Query<repeat each Argument, Output>, _ arguments: repeat each Argument
    ) throws(DatabaseError) -> [Output] {
        let connection = try take()
        defer { give(connection) }
        return try connection.all(query, repeat each arguments)
    }

    /// Reads on one snapshot, on a pool: for what looks at many rows.
    public func scan<Answer: Sendable, Failure: DatabaseFailure>(
        _ body: @escaping @Sendable (borrowing Reader<Failure>) throws(Failure) -> Answer
    ) async throws(Failure) -> Answer {
        let result: Result<Answer, Failure>
        do {
            result = try await scanners.run {
                do throws(Failure) { return .success(try self.read(body)) } catch {
                    return .failure(error)
                }
            }
        } catch { throw Failure(.overloaded) }
        return try result.get()
    }

    /// Does one act of writing and comes back when it is durable.
    ///
    /// The closure runs on the writer's thread, together with other acts; it only decides and
    /// writes, and never waits for anything. What it throws undoes what it wrote.
    public func write<Answer: Sendable, Failure: DatabaseFailure>(
        _ body: @escaping @Sendable (borrowing Transaction<Failure>) throws(Failure) -> Answer
    ) async throws(Failure) -> Answer {
        let result: Result<Answer, Failure> = await withCheckedContinuation { continuation in
            let act = WriteAct(continuation, body)
            if let refusal = writer.submit(act) { act.finish(refusal) }
        }
        return try result.get()
    }

    /// Writes what is queued, then refuses all further work. All that was written is in the file
    /// itself then, which can be copied as it is.
    public func close() async {
        // The act before which all others were queued; refused when closed already.
        try? await write { (_) throws(DatabaseError) in }
        scanners.stop()
        readers.withLock { state in
            state.isClosed = true
            state.idle = []
        }
        await withCheckedContinuation { continuation in
            writer.close { continuation.resume() }
        }
    }

    /// The schema as it really is, one statement per line group, in a stable order.
    public func schema() throws(DatabaseError) -> String {
        try all(Self.schemaQuery).map { $0 + ";\n" }.joined(separator: "\n")
    }

    /// The number of the last migration that it has been brought to.
    public func schemaVersion() throws(DatabaseError) -> Int {
        try first(Self.versionQuery) ?? 0
    }

    private static let versionQuery = Query<Int>("PRAGMA user_version")

    /// What SQLite finds wrong in the file, and rows that refer to nothing, one line each. Reads all
    /// of it, on the calling thread.
    public func problems() throws(DatabaseError) -> [String] {
        try all(Self.integrityQuery).filter { $0 != "ok" } + all(Self.referencesQuery)
    }

    private static let integrityQuery = Query<String>("PRAGMA integrity_check")
    private static let referencesQuery = Query<String>(
        """
        SELECT "table" || ' refers to a row of ' || parent || ' that is not there'
        FROM pragma_foreign_key_check
        """)

    private static let schemaQuery = Query<String>(
        """
        SELECT sql FROM sqlite_schema
        WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'
            AND name NOT IN (SELECT name FROM pragma_table_list WHERE type = 'shadow')
        ORDER BY tbl_name, type <> 'table', type, name
        """)

    /// A reader nobody uses: the last one given back, whose caches are warm, or a new one. There
    /// are never more than threads that read at once.
    private func take() throws(DatabaseError) -> Connection {
        let (idle, isClosed) = readers.withLock { ($0.idle.popLast(), $0.isClosed) }
        if isClosed { throw .closed }
        if let idle { return idle }
        return try Connection(path: path, for: .reading)
    }

    private func give(_ connection: Connection) {
        readers.withLock { if !$0.isClosed { $0.idle.append(connection) } }
    }
}
