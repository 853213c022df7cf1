import API
import Base
import Domain
import Storage

/// What administrators did: only ever added to, in the act itself, so that nothing is done without
/// being there.
enum AuditLog {
    private struct EntryRow: RowDecodable {
        static let columns: SQL = "number, at, who, act, subject, reason, details"
        let entry: ModerationAPI.LogEntry

        init(row: borrowing Row) throws(DatabaseError) {
            entry = ModerationAPI.LogEntry(
                id: try row.value(0, "number"), at: try row.value(1, "at"),
                by: try row.value(2, "who"), act: try row.value(3, "act"),
                subject: try row.value(4, "subject"), reason: try row.value(5, "reason"),
                details: try row.value(6, "details"))
        }
    }

    private static let insert = Command<
        Timestamp, UserReference, ModerationAPI.Act, String, Reason?, String?
    >(
        """
        INSERT INTO audit (at, who, act, subject, reason, details)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        """)
    private static let page = Query<String?, Int64, Int, EntryRow>(
        """
        SELECT \(EntryRow.columns) FROM audit
        WHERE (?1 IS NULL OR instr(act, ?1) > 0 OR instr(lower(subject), ?1) > 0
            OR instr(lower(who), ?1) > 0) AND number < ?2
        ORDER BY number DESC
        LIMIT ?3
        """)
    private static let count = Query<String?, Int>(
        """
        SELECT count(*) FROM audit
        WHERE ?1 IS NULL OR instr(act, ?1) > 0 OR instr(lower(subject), ?1) > 0
            OR instr(lower(who), ?1) > 0
        """)

    /// An administrator does something, or the operator, who is the node's own account here. Who does
    /// what is theirs is no administrator in that.
    static func note(
        _ act: ModerationAPI.Act, _ subject: String, reason: Reason? = nil,
        details: String? = nil, by caller: Caller, _ node: Node, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        let own = caller == .gateway ? node.reference(node.account) : nil
        guard let who = caller.reference(home: node.address) ?? own else { return }
        try transaction.run(insert, now, who, act, subject, reason, details)
    }

    /// At most `limit`, older than the entry `before`, and how many there are.
    static func page(
        search: String?, before: Int64?, limit: Int, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (found: [ModerationAPI.LogEntry], total: Int) {
        let found = try reader.all(page, search, before ?? .max, limit).map(\.entry)
        return (found, try reader.first(count, search) ?? 0)
    }
}

extension ModerationAPI.Act: ColumnValue {}
