import Base
import Domain
import Storage

/// Somebody in the queue of an instance.
struct WaitingRow: RowDecodable, Sendable {
    static let columns: SQL = "instance_id, user, number, asked_at, held_until"

    let instance: InstanceID
    /// With their home.
    let user: UserReference
    /// Rises in the order in which they came.
    let number: Int64
    /// When they last asked for their place.
    let askedAt: Timestamp
    /// Until when a place is held for them; nil while they wait.
    let heldUntil: Timestamp?

    init(row: borrowing Row) throws(DatabaseError) {
        instance = try row.value(0, "instance_id")
        user = try row.value(1, "user")
        number = try row.value(2, "number")
        askedAt = try row.value(3, "asked_at")
        heldUntil = try row.value(4, "held_until")
    }
}

/// The queues of instances.
enum WaitingStore {
    private static let one = Query<InstanceID, UserReference, WaitingRow>(
        "SELECT \(WaitingRow.columns) FROM waiting WHERE instance_id = ?1 AND user = ?2")
    /// Those first for whom a place is held.
    private static let ofInstance = Query<InstanceID, Int, WaitingRow>(
        """
        SELECT \(WaitingRow.columns) FROM waiting WHERE instance_id = ?1
        ORDER BY held_until IS NULL, number
        LIMIT ?2
        """)
    private static let next = Query<InstanceID, WaitingRow>(
        """
        SELECT \(WaitingRow.columns) FROM waiting
        WHERE instance_id = ?1 AND held_until IS NULL
        ORDER BY number
        LIMIT 1
        """)
    private static let length = Query<InstanceID, Int>(
        "SELECT count(*) FROM waiting WHERE instance_id = ?1 AND held_until IS NULL")
    private static let held = Query<InstanceID, Int>(
        "SELECT count(*) FROM waiting WHERE instance_id = ?1 AND held_until IS NOT NULL")
    private static let before = Query<InstanceID, Int64, Int>(
        """
        SELECT count(*) FROM waiting
        WHERE instance_id = ?1 AND held_until IS NULL AND number < ?2
        """)
    private static let lapsed = Query<Timestamp, WaitingRow>(
        "SELECT \(WaitingRow.columns) FROM waiting WHERE held_until <= ?1 LIMIT 256")
    private static let silent = Query<Timestamp, WaitingRow>(
        """
        SELECT \(WaitingRow.columns) FROM waiting
        WHERE asked_at <= ?1 AND held_until IS NULL
        LIMIT 1000
        """)
    private static let ofUser = Query<UserReference, WaitingRow>(
        "SELECT \(WaitingRow.columns) FROM waiting WHERE user = ?1")
    private static let insert = Command<InstanceID, UserReference, Timestamp>(
        """
        INSERT INTO waiting (\(WaitingRow.columns))
        SELECT ?1, ?2, coalesce(max(number), 0) + 1, ?3, NULL FROM waiting WHERE instance_id = ?1
        """)
    private static let ask = Command<InstanceID, UserReference, Timestamp>(
        "UPDATE waiting SET asked_at = ?3 WHERE instance_id = ?1 AND user = ?2")
    private static let hold = Command<InstanceID, UserReference, Timestamp>(
        "UPDATE waiting SET held_until = ?3 WHERE instance_id = ?1 AND user = ?2")
    private static let delete = Command<InstanceID, UserReference>(
        "DELETE FROM waiting WHERE instance_id = ?1 AND user = ?2")

    /// The place of one person in the queue of an instance.
    static func find(
        _ user: UserReference, in instance: InstanceID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> WaitingRow? {
        try reader.first(one, instance, user)
    }

    /// The first `limit` of a queue.
    static func all(
        in instance: InstanceID, limit: Int, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [WaitingRow] {
        try reader.all(ofInstance, instance, limit)
    }

    /// Who has waited longest and is held no place.
    static func next(
        in instance: InstanceID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> WaitingRow? {
        try reader.first(next, instance)
    }

    /// How many wait and are held no place.
    static func length(
        of instance: InstanceID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Int {
        try reader.first(length, instance) ?? 0
    }

    /// How many places are held.
    static func held(
        in instance: InstanceID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Int {
        try reader.first(held, instance) ?? 0
    }

    /// The place of a row: 1 for the next, 0 where one is held.
    static func position(
        of row: WaitingRow, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Int {
        if row.heldUntil != nil { return 0 }
        return (try reader.first(before, row.instance, row.number) ?? 0) + 1
    }

    /// Some whose held place is theirs no more.
    static func lapsed(
        at now: Timestamp, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [WaitingRow] {
        try reader.all(lapsed, now)
    }

    /// Some who have not asked since `moment`.
    static func silent(
        since moment: Timestamp, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [WaitingRow] {
        try reader.all(silent, moment)
    }

    /// Where a person waits.
    static func all(
        of user: UserReference, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [WaitingRow] {
        try reader.all(ofUser, user)
    }

    /// Somebody comes to the end of a queue in which they do not stand.
    static func append(
        _ user: UserReference, to instance: InstanceID, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(insert, instance, user, now)
    }

    /// Somebody has asked for their place.
    static func note(
        _ user: UserReference, in instance: InstanceID, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(ask, instance, user, now)
    }

    /// A place is held for somebody.
    static func hold(
        for user: UserReference, in instance: InstanceID, until end: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(hold, instance, user, end)
    }

    /// Somebody waits no more; false when they did not.
    static func delete(
        _ user: UserReference, from instance: InstanceID,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Bool {
        try transaction.run(delete, instance, user) > 0
    }
}
