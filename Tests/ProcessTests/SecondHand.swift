import CSQLite
import Support

/// A second hand on a node's database, as a program of the operator might have it.
// SAFETY: the handle is opened by `init` in SQLite's serialized mode, which lets any thread use it,
// never replaced, and closed once, by `deinit`.
@safe final class SecondHand: @unchecked Sendable {
    private let handle: OpaquePointer

    init(_ node: TestNode) throws {
        var opened: OpaquePointer?
        let path = "\(node.data)/eta.sqlite"
        guard
            unsafe sqlite3_open_v2(
                path, &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_FULLMUTEX, nil) == SQLITE_OK,
            let opened = unsafe opened
        else { throw NeverCame("a second hand on \(path)") }
        unsafe handle = opened
        unsafe sqlite3_busy_timeout(handle, 5_000)
    }

    deinit { unsafe sqlite3_close_v2(handle) }

    /// Keeps everybody else from writing.
    func hold() throws { try run("BEGIN IMMEDIATE") }

    /// Lets the others write again.
    func letGo() throws { try run("ROLLBACK") }

    /// Whether a table has no row.
    func isEmpty(_ table: StaticString) throws -> Bool {
        var statement: OpaquePointer?
        let sql = "SELECT 1 FROM \(table) LIMIT 1"
        let code = unsafe sqlite3_prepare_v2(handle, sql, -1, &statement, nil)
        defer { unsafe sqlite3_finalize(statement) }
        guard code == SQLITE_OK else { throw NeverCame("\(sql): \(code)") }
        return unsafe sqlite3_step(statement) == SQLITE_DONE
    }

    private func run(_ sql: String) throws {
        let code = unsafe sqlite3_exec(handle, sql, nil, nil, nil)
        guard code == SQLITE_OK else { throw NeverCame("\(sql): \(code)") }
    }
}
