/// A schema's history: an enum whose cases, numbered from 1, are only ever added to.
///
/// What has shipped is never edited, and no case mentions a type of the program, for those change
/// and the past does not.
public protocol Migration: CaseIterable, RawRepresentable<Int>, Sendable {
    /// What it does, one or more statements.
    var sql: StaticString { get }
}

/// Brings a database from the version it is at to the newest, each step in its transaction.
enum Migrator<M: Migration> {
    private static var version: Query<Int> { Query("PRAGMA user_version") }
    private static var dangling: Query<ForeignKeyProblem> { Query("PRAGMA foreign_key_check") }

    private struct ForeignKeyProblem: RowDecodable {
        let table: String
        init(row: borrowing Row) throws(DatabaseError) { table = try row.value(0, "table") }
    }

    static func migrate(_ connection: Connection) throws(DatabaseError) {
        let known = Array(M.allCases)
        precondition(
            known.map(\.rawValue) == Array(1..<known.count + 1),
            "the cases of \(M.self) are not numbered 1, 2, 3 …")
        let found = try connection.first(version) ?? 0
        guard found <= known.count else { throw .newer(found: found, known: known.count) }
        if found == known.count { return }
        // A table can be rebuilt only while nobody checks who refers to it (the procedure of
        // SQLite's page on ALTER TABLE); inside a transaction this would do nothing.
        try connection.execute("PRAGMA foreign_keys = OFF")
        for migration in known[found...] { try apply(migration, connection) }
        try connection.execute("PRAGMA foreign_keys = ON")
    }

    private static func apply(
        _ migration: M, _ connection: Connection
    ) throws(DatabaseError) {
        try connection.begin()
        defer { connection.rollback() }
        // A second process may have been here since we looked.
        if try connection.first(version) ?? 0 >= migration.rawValue { return }
        try connection.execute(migration.sql.description)
        if let problem = try connection.first(dangling) {
            throw .danglingReference(migration: migration.rawValue, table: problem.table)
        }
        try connection.execute("PRAGMA user_version = \(migration.rawValue)")
        try connection.commit()
    }
}
