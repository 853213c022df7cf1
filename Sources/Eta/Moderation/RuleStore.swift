import API
import Base
import Domain
import Storage

/// Which list a rule is in.
enum RuleList: String, Sendable {
    /// Other nodes.
    case server
    /// Clients by their address.
    case cidr
    /// Clients by what they call themselves.
    case agent
}

/// A rule as it is kept.
struct RuleRow: RowDecodable, Sendable {
    static let columns: SQL = "list, subject, action, reason, decided_by, until, created_at"

    let list: RuleList
    /// Whom it is about, in the spelling of its list.
    let subject: String
    let action: NodeAction
    let reason: Reason?
    /// Nil for the operator.
    let by: UserReference?
    let until: Timestamp?
    let createdAt: Timestamp

    init(
        _ list: RuleList, _ subject: String, action: NodeAction = .deny, reason: Reason?,
        by: UserReference?, until: Timestamp?, createdAt: Timestamp
    ) {
        self.list = list
        self.subject = subject
        self.action = action
        self.reason = reason
        self.by = by
        self.until = until
        self.createdAt = createdAt
    }

    init(row: borrowing Row) throws(DatabaseError) {
        list = try row.value(0, "list")
        subject = try row.value(1, "subject")
        action = try row.value(2, "action")
        reason = try row.value(3, "reason")
        by = try row.value(4, "decided_by")
        until = try row.value(5, "until")
        createdAt = try row.value(6, "created_at")
    }
}

/// Whom the node has no dealings with, or fewer. What has ended is swept away within a second: what
/// is kept, holds.
enum RuleStore {
    private static let wanted: SQL = """
        (list = 'server') = ?1 AND (?2 IS NULL OR instr(lower(subject), ?2) > 0
            OR instr(lower(reason), ?2) > 0)
        """
    private static let page = Query<Bool, String?, String, Int, RuleRow>(
        """
        SELECT \(RuleRow.columns) FROM rule
        WHERE \(wanted) AND list || ' ' || subject > ?3
        ORDER BY list || ' ' || subject
        LIMIT ?4
        """)
    private static let count = Query<Bool, String?, Int>(
        "SELECT count(*) FROM rule WHERE \(wanted)")
    private static let everything = Query<RuleRow>("SELECT \(RuleRow.columns) FROM rule")
    private static let countOfList = Query<RuleList, Int>(
        "SELECT count(*) FROM rule WHERE list = ?1")
    private static let exists = Query<RuleList, String, Bool>(
        "SELECT EXISTS (SELECT 1 FROM rule WHERE list = ?1 AND subject = ?2)")
    private static let set = Command<
        RuleList, String, NodeAction, Reason?, UserReference?, Timestamp?, Timestamp
    >(
        """
        INSERT INTO rule (list, subject, action, reason, decided_by, until, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT DO UPDATE SET
            action = ?3, reason = ?4, decided_by = ?5, until = ?6, created_at = ?7
        """)
    private static let delete = Command<RuleList, String>(
        "DELETE FROM rule WHERE list = ?1 AND subject = ?2")
    private static let isAnyOver = Query<Timestamp, Bool>(
        "SELECT EXISTS (SELECT 1 FROM rule WHERE until <= ?1)")
    private static let deleteOver = Command<Timestamp>("DELETE FROM rule WHERE until <= ?1")
    private static let nodes = Query<ServerAddress>(
        """
        SELECT address FROM node
        UNION SELECT server FROM challenge
        UNION SELECT server FROM incoming_integrity
        UNION SELECT server FROM outgoing_integrity
        """)

    /// At most `limit` about other nodes, or about clients, behind `after`, and how many there are.
    static func page(
        ofServers: Bool, search: String?, after: String, limit: Int,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (found: [RuleRow], total: Int) {
        let found = try reader.all(page, ofServers, search, after, limit)
        return (found, try reader.first(count, ofServers, search) ?? 0)
    }

    /// Where a rule stands in its list: what ``page(ofServers:search:after:limit:_:)`` goes on behind.
    static func key(_ row: RuleRow) -> [UInt8] {
        Array("\(row.list.rawValue) \(row.subject)".utf8)
    }

    /// All that there are; the limits keep them few.
    static func all(_ reader: borrowing Reader<APIError>) throws(APIError) -> [RuleRow] {
        try reader.all(everything)
    }

    /// How many more a list may hold with one about `subject`.
    static func isFull(
        _ list: RuleList, for subject: String, limit: Int, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Bool {
        if try reader.first(exists, list, subject) ?? false { return false }
        return try reader.first(countOfList, list) ?? 0 >= limit
    }

    /// Holds from now on, in place of what held before.
    static func set(
        _ row: RuleRow, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(
            set, row.list, row.subject, row.action, row.reason, row.by, row.until, row.createdAt)
    }

    /// Holds no more; false when it did not.
    static func delete(
        _ list: RuleList, _ subject: String, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Bool {
        try transaction.run(delete, list, subject) > 0
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

    /// All nodes that something is kept of by which they, or somebody of theirs, could act.
    static func knownNodes(
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [ServerAddress] {
        try reader.all(nodes)
    }
}

extension RuleList: ColumnValue {}
extension NodeAction: ColumnValue {}
