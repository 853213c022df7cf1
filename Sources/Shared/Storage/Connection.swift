import CSQLite
import Glibc

/// One connection to the database file, with the statements prepared on it.
@safe final class Connection: @unchecked Sendable {
    // SAFETY: `handle` is opened in `init` and closed in `deinit`; whoever took the connection
    // (the writer for its own, a reader from the pool of them) is the only one to use it until it
    // is given back, under a lock that orders the two.
    private let handle: OpaquePointer
    private var statements: [SQL: Statement] = [:]
    private let boundaries: Boundaries
    /// Frames in the write-ahead log after the last commit of this connection.
    private(set) var framesInLog: Int32 = 0
    /// The last thing SQLite failed at here.
    private(set) var lastFailure: DatabaseError?

    /// How a connection is used.
    enum Purpose { case writing, reading, copying }

    /// Statements that every connection runs, kept apart from those of the stores.
    private struct Boundaries {
        let begin: SQL = "BEGIN"
        let beginWriting: SQL = "BEGIN IMMEDIATE"
        let commit: SQL = "COMMIT"
        let rollback: SQL = "ROLLBACK"
        let savepoint: SQL = "SAVEPOINT act"
        let release: SQL = "RELEASE act"
        let rollbackToSavepoint: SQL = "ROLLBACK TO act"
    }

    /// More statements than this were not written by hand: the cache starts anew.
    private static let statementLimit = 512
    /// How long another process (a subcommand of the same node) may hold the database.
    private static let busyMilliseconds: Int32 = 5_000

    private static let isConfigured = reileta_sqlite_configure() == SQLITE_OK

    init(path: String, for purpose: Purpose) throws(DatabaseError) {
        precondition(Self.isConfigured, "SQLite was in use before it was configured")
        var opened: OpaquePointer?
        let making = purpose == .copying ? 0 : SQLITE_OPEN_CREATE
        let flags = SQLITE_OPEN_READWRITE | making | SQLITE_OPEN_NOMUTEX
        let code = unsafe sqlite3_open_v2(path, &opened, flags, nil)
        guard code == SQLITE_OK, let opened = unsafe opened else {
            let error = unsafe Self.failure(code, opened, "open \(path)")
            unsafe sqlite3_close_v2(opened)
            throw error
        }
        unsafe handle = opened
        boundaries = Boundaries()
        unsafe sqlite3_extended_result_codes(handle, 1)
        unsafe sqlite3_busy_timeout(handle, Self.busyMilliseconds)
        try execute("PRAGMA journal_mode = WAL")
        // What is acknowledged survives the loss of power: each commit syncs the log.
        try execute("PRAGMA synchronous = FULL")
        try execute("PRAGMA foreign_keys = ON")
        try execute("PRAGMA temp_store = MEMORY")
        try execute("PRAGMA mmap_size = 268435456")
        try execute("PRAGMA journal_size_limit = 67108864")
        switch purpose {
        case .reading: try execute("PRAGMA query_only = ON")
        // What is copied is read alone, but the copy is written by the same connection.
        case .copying: break
        case .writing:
            // The writer moves the log into the database itself, once its answers have left.
            // This takes the place of `wal_autocheckpoint`.
            unsafe sqlite3_wal_hook(
                handle,
                { context, _, _, frames in
                    guard let context = unsafe context else { return SQLITE_OK }
                    let connection = unsafe Unmanaged<Connection>.fromOpaque(context)
                    unsafe connection._withUnsafeGuaranteedRef { $0.framesInLog = frames }
                    return SQLITE_OK
                }, Unmanaged.passUnretained(self).toOpaque())
        }
    }

    deinit {
        statements = [:]
        unsafe sqlite3_close_v2(handle)
    }

    // MARK: Statements of the stores

    func first<each Argument: ColumnValue, Output: RowDecodable>(
        _ query: Query<repeat each Argument, Output>, _ arguments: repeat each Argument
    ) throws(DatabaseError) -> Output? {
        let statement = try statement(query.sql)
        defer { statement.reset() }
        try statement.bind(repeat each arguments)
        guard try statement.step() else { return nil }
        let output = try Output(row: Row(statement))
        // A query that changes something (`RETURNING`) is done only when it is stepped to its end.
        while try statement.step() {}
        return output
    }

    func all<each Argument: ColumnValue, Output: RowDecodable>(
        _ query: Query<repeat each Argument, Output>, _ arguments: repeat each Argument
    ) throws(DatabaseError) -> [Output] {
        let statement = try statement(query.sql)
        defer { statement.reset() }
        try statement.bind(repeat each arguments)
        var outputs: [Output] = []
        while try statement.step() { outputs.append(try Output(row: Row(statement))) }
        return outputs
    }

    func run<each Argument: ColumnValue>(
        _ command: Command<repeat each Argument>, _ arguments: repeat each Argument
    ) throws(DatabaseError) -> Int {
        let statement = try statement(command.sql)
        defer { statement.reset() }
        try statement.bind(repeat each arguments)
        while try statement.step() {}
        return unsafe Int(sqlite3_changes64(handle))
    }

    private func statement(_ sql: SQL) throws(DatabaseError) -> Statement {
        if let known = statements[sql] { return known }
        if statements.count >= Self.statementLimit { statements = [:] }
        let fresh = try Statement(sql, on: self)
        statements[sql] = fresh
        return fresh
    }

    // MARK: Transactions

    /// Whether a transaction is open. SQLite gives one up by itself when the disk is full.
    var isInTransaction: Bool { unsafe sqlite3_get_autocommit(handle) == 0 }

    /// Runs `body` on one snapshot of the database.
    func snapshot<Result, Failure: DatabaseFailure>(
        _ body: (borrowing Reader<Failure>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        do { try perform(boundaries.begin) } catch { throw Failure(error) }
        defer { rollback() }
        return try body(Reader(self))
    }

    func begin() throws(DatabaseError) { try perform(boundaries.beginWriting) }
    func commit() throws(DatabaseError) { try perform(boundaries.commit) }
    func savepoint() throws(DatabaseError) { try perform(boundaries.savepoint) }
    func release() throws(DatabaseError) { try perform(boundaries.release) }

    func rollbackToSavepoint() throws(DatabaseError) {
        try perform(boundaries.rollbackToSavepoint)
        try perform(boundaries.release)
    }

    /// Ends the transaction without keeping anything; does nothing when there is none.
    func rollback() {
        // It fails only where SQLite has already done it.
        if isInTransaction { try? perform(boundaries.rollback) }
    }

    /// Whether a deferred foreign key still points nowhere, which COMMIT would refuse for all.
    var hasDanglingReferences: Bool {
        var current: Int32 = 0
        var highest: Int32 = 0
        unsafe sqlite3_db_status(handle, SQLITE_DBSTATUS_DEFERRED_FKS, &current, &highest, 0)
        return current > 0
    }

    /// Moves the log into the database as far as no reader needs it.
    func checkpoint() throws(DatabaseError) {
        framesInLog = 0
        let code = unsafe sqlite3_wal_checkpoint_v2(
            handle, nil, SQLITE_CHECKPOINT_PASSIVE, nil, nil)
        if code != SQLITE_OK { throw failure(code, "checkpoint") }
    }

    /// Moves all of the log into the database and cuts it to nothing; throws `busy` where somebody
    /// still reads.
    func emptyLog() throws(DatabaseError) {
        let code = unsafe sqlite3_wal_checkpoint_v2(
            handle, nil, SQLITE_CHECKPOINT_TRUNCATE, nil, nil)
        if code != SQLITE_OK { throw failure(code, "checkpoint") }
    }

    private func perform(_ sql: SQL) throws(DatabaseError) {
        let statement = try statement(sql)
        defer { statement.reset() }
        _ = try statement.step()
    }

    // MARK: SQLite

    /// Runs one or more statements that are not worth keeping.
    func execute(_ sql: String) throws(DatabaseError) {
        let code = unsafe sqlite3_exec(handle, sql, nil, nil, nil)
        if code != SQLITE_OK { throw failure(code, sql) }
    }

    /// A prepared statement, and whether more follows it in the text.
    @unsafe func prepare(_ sql: String) throws(DatabaseError) -> (OpaquePointer, Bool) {
        var pointer: OpaquePointer?
        var sql = sql
        let (code, rest) = sql.withUTF8 { bytes in
            unsafe bytes.withMemoryRebound(to: CChar.self) { characters in
                var tail: UnsafePointer<CChar>?
                let code = unsafe sqlite3_prepare_v3(
                    handle, characters.baseAddress, Int32(characters.count),
                    UInt32(SQLITE_PREPARE_PERSISTENT), &pointer, &tail)
                let used = unsafe tail.flatMap { tail in
                    unsafe characters.baseAddress.map { unsafe tail - $0 }
                }
                let rest = unsafe bytes[(used ?? bytes.count)...].contains { $0 > 0x20 }
                return (code, rest)
            }
        }
        if code != SQLITE_OK { throw failure(code, sql) }
        guard let pointer = unsafe pointer else {
            throw .misdeclared(reason: "no statement", sql: sql)
        }
        return unsafe (pointer, rest)
    }

    /// What `code` means, in our words.
    func failure(_ code: Int32, _ sql: String) -> DatabaseError {
        let error = unsafe Self.failure(code, handle, sql)
        lastFailure = error
        return error
    }

    private static func failure(
        _ code: Int32, _ handle: OpaquePointer?, _ sql: String
    ) -> DatabaseError {
        let message = unsafe sqlite3_errmsg(handle).map { unsafe String(cString: $0) } ?? ""
        let extended = code > 0xFF ? code : unsafe sqlite3_extended_errcode(handle)
        switch code & 0xFF {
        case SQLITE_CONSTRAINT:
            return .constraint(ConstraintViolation(extendedCode: extended, message: message))
        case SQLITE_FULL: return .diskFull
        case SQLITE_IOERR
        where unsafe [ENOSPC, EDQUOT, EFBIG].contains(sqlite3_system_errno(handle)):
            return .diskFull
        case SQLITE_BUSY: return .busy
        case _: return .failed(code: extended, message: message, sql: sql)
        }
    }
}
