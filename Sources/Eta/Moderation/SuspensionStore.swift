import API
import Base
import Domain
import Storage

/// Who is suspended on this node. What has ended is swept away within a second: what is kept,
/// holds.
enum SuspensionStore {
    private struct SuspensionRow: RowDecodable {
        static let columns: SQL = "user, reason, decided_by, until, created_at"
        let suspension: ModerationAPI.Suspension

        init(row: borrowing Row) throws(DatabaseError) {
            suspension = ModerationAPI.Suspension(
                user: try row.value(0, "user"), reason: try row.value(1, "reason"),
                by: try row.value(2, "decided_by"), until: try row.value(3, "until"),
                createdAt: try row.value(4, "created_at"))
        }
    }

    private static let one = Query<UserReference, SuspensionRow>(
        "SELECT \(SuspensionRow.columns) FROM suspension WHERE user = ?1")
    private static let page = Query<String?, String, Int, SuspensionRow>(
        """
        SELECT \(SuspensionRow.columns) FROM suspension
        WHERE (?1 IS NULL OR instr(user, ?1) > 0 OR instr(lower(reason), ?1) > 0) AND user > ?2
        ORDER BY user
        LIMIT ?3
        """)
    private static let count = Query<String?, Int>(
        """
        SELECT count(*) FROM suspension
        WHERE ?1 IS NULL OR instr(user, ?1) > 0 OR instr(lower(reason), ?1) > 0
        """)
    private static let set = Command<
        UserReference, Reason?, UserReference, Timestamp?, Timestamp
    >(
        """
        INSERT INTO suspension (user, reason, decided_by, until, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT DO UPDATE SET reason = ?2, decided_by = ?3, until = ?4, created_at = ?5
        """)
    private static let delete = Command<UserReference>("DELETE FROM suspension WHERE user = ?1")
    private static let isAnyOver = Query<Timestamp, Bool>(
        "SELECT EXISTS (SELECT 1 FROM suspension WHERE until <= ?1)")
    private static let deleteOver = Command<Timestamp>("DELETE FROM suspension WHERE until <= ?1")

    /// What holds against a person; nil where nothing does.
    static func find(
        _ user: UserReference, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> ModerationAPI.Suspension? {
        try reader.first(one, user)?.suspension
    }

    /// At most `limit`, behind `after`, and how many there are.
    static func page(
        search: String?, after: String, limit: Int, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (found: [ModerationAPI.Suspension], total: Int) {
        let found = try reader.all(page, search, after, limit).map(\.suspension)
        return (found, try reader.first(count, search) ?? 0)
    }

    /// Holds from now on, in place of what held before.
    static func set(
        _ suspension: ModerationAPI.Suspension, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(
            set, suspension.user, suspension.reason, suspension.by, suspension.until,
            suspension.createdAt)
    }

    /// Holds no more; false when it did not.
    static func delete(
        _ user: UserReference, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Bool {
        try transaction.run(delete, user) > 0
    }

    /// Whether any has ended by itself.
    static func isAnyOver(
        at now: Timestamp, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Bool {
        try reader.first(isAnyOver, now) ?? false
    }

    /// Forgets those that have.
    static func sweep(
        at now: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(deleteOver, now)
    }
}
