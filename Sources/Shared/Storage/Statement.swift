import CSQLite

/// A prepared statement, kept by its connection for the next use.
@safe final class Statement {
    // SAFETY: `pointer` is made in `init` and finalised in `deinit`; a statement is used by the
    // thread that has its connection, and no pointer that SQLite lends is kept beyond a call.
    private let pointer: OpaquePointer
    private unowned let connection: Connection
    let sql: SQL
    /// Which columns' declared names were compared with the real ones, one bit each.
    private var verified: UInt64 = 0
    private let parameters: Int32
    private let columns: Int32

    init(_ sql: SQL, on connection: Connection) throws(DatabaseError) {
        let (pointer, rest) = unsafe try connection.prepare(sql.text)
        unsafe self.pointer = pointer
        self.connection = connection
        self.sql = sql
        parameters = unsafe sqlite3_bind_parameter_count(pointer)
        columns = unsafe sqlite3_column_count(pointer)
        if rest {
            throw .misdeclared(reason: "more than one statement", sql: sql.text)
        }
    }

    deinit { unsafe sqlite3_finalize(pointer) }

    /// Binds the arguments to `?1` and on.
    func bind<each Argument: ColumnValue>(
        _ arguments: repeat each Argument
    ) throws(DatabaseError) {
        var position: Int32 = 0
        repeat try bind((each arguments).stored, &position)
        if position != parameters {
            throw .misdeclared(reason: "\(position) of \(parameters) arguments", sql: sql.text)
        }
    }

    private func bind(_ value: SQLValue, _ position: inout Int32) throws(DatabaseError) {
        position += 1
        let code: Int32
        switch value {
        case .null: code = unsafe sqlite3_bind_null(pointer, position)
        case .integer(let number): code = unsafe sqlite3_bind_int64(pointer, position, number)
        case .real(let number): code = unsafe sqlite3_bind_double(pointer, position, number)
        case .text(var text):
            code = text.withUTF8 { bytes in
                // An empty buffer may have no address, which SQLite would take for NULL.
                unsafe bytes.withMemoryRebound(to: CChar.self) { characters in
                    unsafe sqlite3_bind_text64(
                        pointer, position, characters.baseAddress ?? Self.nothing,
                        UInt64(bytes.count), reileta_sqlite_transient(), UInt8(SQLITE_UTF8))
                }
            }
        case .blob(let bytes):
            code = unsafe bytes.withUnsafeBytes { buffer in
                unsafe sqlite3_bind_blob64(
                    pointer, position, buffer.baseAddress ?? UnsafeRawPointer(Self.nothing),
                    UInt64(buffer.count), reileta_sqlite_transient())
            }
        }
        if code != SQLITE_OK { throw connection.failure(code, sql.text) }
    }

    // SAFETY: one byte that lives as long as the process and is only read.
    private nonisolated(unsafe) static let nothing: UnsafePointer<CChar> = {
        let byte = UnsafeMutablePointer<CChar>.allocate(capacity: 1)
        unsafe byte.initialize(to: 0)
        return unsafe UnsafePointer(byte)
    }()

    /// Goes to the next row; false after the last.
    func step() throws(DatabaseError) -> Bool {
        switch unsafe sqlite3_step(pointer) {
        case SQLITE_ROW: return true
        case SQLITE_DONE: return false
        case let code: throw connection.failure(code, sql.text)
        }
    }

    /// Ready for the next use; gives up the snapshot if there is no transaction around it.
    func reset() {
        unsafe sqlite3_reset(pointer)
        if parameters > 0 { unsafe sqlite3_clear_bindings(pointer) }
    }

    /// The value in a column of the current row.
    func value(_ position: Int) -> SQLValue {
        let column = Int32(position)
        switch unsafe sqlite3_column_type(pointer, column) {
        case SQLITE_INTEGER: return .integer(unsafe sqlite3_column_int64(pointer, column))
        case SQLITE_FLOAT: return .real(unsafe sqlite3_column_double(pointer, column))
        case SQLITE_TEXT:
            let start = unsafe sqlite3_column_text(pointer, column)
            let count = unsafe Int(sqlite3_column_bytes(pointer, column))
            return .text(
                unsafe String(
                    decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self))
        case SQLITE_BLOB:
            let start = unsafe sqlite3_column_blob(pointer, column)
            let count = unsafe Int(sqlite3_column_bytes(pointer, column))
            return .blob(unsafe [UInt8](UnsafeRawBufferPointer(start: start, count: count)))
        case _: return .null
        }
    }

    /// Makes sure, once, that the column at `position` is called `name`.
    func verify(_ position: Int, _ name: StaticString) throws(DatabaseError) {
        if position < 64, verified & 1 << UInt64(position) != 0 { return }
        let real = self.name(position)
        guard let real, real == name.description else {
            throw .misdeclared(
                reason: "column \(position) is \(real ?? "missing"), not \(name)", sql: sql.text)
        }
        if position < 64 { verified |= 1 << UInt64(position) }
    }

    /// What the column at `position` is called.
    func name(_ position: Int) -> String? {
        guard position >= 0, position < Int(columns),
            let name = unsafe sqlite3_column_name(pointer, Int32(position))
        else { return nil }
        return unsafe String(cString: name)
    }
}

/// The current row of a result, lent for the length of `init(row:)`.
public struct Row: ~Copyable {
    private let statement: Statement

    init(_ statement: Statement) { self.statement = statement }

    /// The value of the column at `position`, which the statement calls `name`.
    ///
    /// Inlined, for a generic call across modules looks its types up anew for each column.
    @inlinable
    public func value<Value: ColumnValue>(
        _ position: Int, _ name: StaticString, as: Value.Type = Value.self
    ) throws(DatabaseError) -> Value {
        if let value = Value(stored: try stored(position, name)) { return value }
        throw unexpected(position)
    }

    /// The value of the first column, whatever its name.
    func first<Value: ColumnValue>(as: Value.Type) throws(DatabaseError) -> Value {
        if let value = Value(stored: statement.value(0)) { return value }
        throw unexpected(0)
    }

    @usableFromInline
    func stored(_ position: Int, _ name: StaticString) throws(DatabaseError) -> SQLValue {
        try statement.verify(position, name)
        return statement.value(position)
    }

    @usableFromInline
    func unexpected(_ position: Int) -> DatabaseError {
        .unexpectedValue(
            column: statement.name(position) ?? "\(position)", sql: statement.sql.text)
    }
}
