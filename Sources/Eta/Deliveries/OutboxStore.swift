import API
import Base
import Domain
import Storage

/// A node that is told things: its stream, and when to try.
struct OutboxRow: RowDecodable, Sendable {
    static let columns: SQL = "peer, stream, last, failures, due_at"

    let peer: ServerAddress
    let stream: StreamName
    /// The id of the newest item that there was.
    let last: Int64
    /// How often it could not be told, since it last was.
    let failures: Int
    /// When to try next.
    let dueAt: Timestamp

    init(row: borrowing Row) throws(DatabaseError) {
        peer = try row.value(0, "peer")
        stream = try row.value(1, "stream")
        last = try row.value(2, "last")
        failures = try row.value(3, "failures")
        dueAt = try row.value(4, "due_at")
    }
}

/// What waits to be told to other nodes, each with a queue of its own.
enum OutboxStore {
    /// An item as JSON text.
    private struct StoredDelivery: ColumnValue, RowDecodable {
        let json: JSONValue

        var stored: SQLValue { .text(String(decoding: JSONCoder.encode(json), as: UTF8.self)) }

        init(_ delivery: Delivery) { json = JSONCoder.value(delivery) }

        init?(stored: SQLValue) {
            guard case .text(let text) = stored, let json = try? JSONParser.parse(Array(text.utf8))
            else { return nil }
            self.json = json
        }
    }

    private static let peer = Query<ServerAddress, OutboxRow>(
        "SELECT \(OutboxRow.columns) FROM outbox WHERE peer = ?1")
    /// Those with something that waits.
    private static let due = Query<Timestamp, OutboxRow>(
        """
        SELECT \(OutboxRow.columns) FROM outbox
        WHERE due_at <= ?1 AND EXISTS (SELECT 1 FROM outbox_item WHERE peer = outbox.peer)
        ORDER BY due_at
        LIMIT 100
        """)
    private static let items = Query<ServerAddress, Int, StoredDelivery>(
        "SELECT body FROM outbox_item WHERE peer = ?1 ORDER BY number LIMIT ?2")
    private static let count = Query<ServerAddress, Int>(
        "SELECT count(*) FROM outbox_item WHERE peer = ?1")
    private static let stakes = Query<ServerAddress>(
        """
        SELECT peer FROM outbox
        WHERE EXISTS (SELECT 1 FROM outbox_item WHERE peer = outbox.peer)
        UNION
        SELECT server FROM person_abroad
        LIMIT 10000
        """)
    private static let open = Command<ServerAddress, StreamName, Timestamp>(
        """
        INSERT OR IGNORE INTO outbox (peer, stream, last, failures, due_at)
        VALUES (?1, ?2, 0, 0, ?3)
        """)
    private static let rename = Command<String>(
        "UPDATE outbox SET stream = ?1 || lower(hex(randomblob(16)))")
    private static let advance = Command<ServerAddress>(
        "UPDATE outbox SET last = last + 1 WHERE peer = ?1")
    private static let schedule = Command<ServerAddress, Int, Timestamp>(
        "UPDATE outbox SET failures = ?2, due_at = ?3 WHERE peer = ?1")
    private static let replace = Command<ServerAddress, DeliveryType, UserReference>(
        "DELETE FROM outbox_item WHERE peer = ?1 AND type = ?2 AND subject = ?3")
    private static let insert = Command<
        ServerAddress, Int64, DeliveryType, UserReference?, StoredDelivery, Timestamp
    >(
        """
        INSERT INTO outbox_item (peer, number, type, subject, body, at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        """)
    private static let settle = Command<ServerAddress, Int64>(
        "DELETE FROM outbox_item WHERE peer = ?1 AND number <= ?2")
    private static let trim = Command<ServerAddress, Int>(
        """
        DELETE FROM outbox_item WHERE peer = ?1 AND number IN (
            SELECT number FROM outbox_item WHERE peer = ?1 ORDER BY number LIMIT ?2)
        """)
    private static let expire = Command<Timestamp>("DELETE FROM outbox_item WHERE at < ?1")

    /// A node's queue; nil where it was never told anything.
    static func find(
        _ address: ServerAddress, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> OutboxRow? {
        try reader.first(peer, address)
    }

    /// Some nodes that are to be told something now.
    static func due(
        at now: Timestamp, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [OutboxRow] {
        try reader.all(due, now)
    }

    /// The oldest items for a node.
    static func items(
        for address: ServerAddress, limit: Int, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [JSONValue] {
        try reader.all(items, address, limit).map(\.json)
    }

    /// How many items wait for a node.
    static func count(
        for address: ServerAddress, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Int {
        try reader.first(count, address) ?? 0
    }

    /// The nodes that something waits for, or of whom somebody is known here.
    static func stakes(_ reader: borrowing Reader<APIError>) throws(APIError) -> [ServerAddress] {
        try reader.all(stakes)
    }

    /// Opens a node's queue, where there is none yet.
    static func open(
        _ address: ServerAddress, stream: StreamName, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(open, address, stream, now)
    }

    /// Gives every queue another name: a node that had taken more of one than it now holds, because it
    /// was brought back from a copy, takes what comes from then on as a stream that it has not met.
    static func renameStreams(
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(rename, "s_")
    }

    /// Puts an item at the end of an open queue. `subject` is whose older items of that type it
    /// replaces.
    static func append(
        _ word: DeliveryWord, replacing subject: UserReference?, for address: ServerAddress,
        at now: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        if let subject { try transaction.run(replace, address, word.type, subject) }
        try transaction.run(advance, address)
        guard let queue = try find(address, transaction.reader) else { return }
        let item = StoredDelivery(Delivery(id: queue.last, at: now, word))
        try transaction.run(insert, address, queue.last, word.type, subject, item, now)
    }

    /// Drops the oldest items of a node.
    static func trim(
        _ count: Int, for address: ServerAddress, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(trim, address, count)
    }

    /// A node was told all up to that item.
    static func settle(
        _ address: ServerAddress, through number: Int64,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(settle, address, number)
    }

    /// When to try next, after so many failures.
    static func schedule(
        _ address: ServerAddress, failures: Int, dueAt: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(schedule, address, failures, dueAt)
    }

    /// Drops what is older than that.
    static func expire(
        before moment: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(expire, moment)
    }
}

extension DeliveryType: ColumnValue {}
extension StreamName: ColumnValue {}
