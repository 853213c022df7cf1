import Base
import Crypto
import Domain
import Storage

/// An invitation to open an account, as it is kept: its code is known to who was given it alone.
struct InviteRow: RowDecodable, Sendable {
    static let columns: SQL = "id, uses, used, expires_at, created_at"

    /// What an operator calls it by.
    let id: String
    /// How many accounts it may open in all.
    let uses: Int
    /// How many it has opened.
    let used: Int
    let expiresAt: Timestamp
    let createdAt: Timestamp

    init(row: borrowing Row) throws(DatabaseError) {
        id = try row.value(0, "id")
        uses = try row.value(1, "uses")
        used = try row.value(2, "used")
        expiresAt = try row.value(3, "expires_at")
        createdAt = try row.value(4, "created_at")
    }
}

/// Invitations: `eta invite`, and registration where it takes one.
enum InviteStore {
    private static let insert = Command<String, SHA256Digest, Int, Timestamp, Timestamp>(
        """
        INSERT INTO invite (id, code_hash, uses, used, expires_at, created_at)
        VALUES (?1, ?2, ?3, 0, ?4, ?5)
        """)
    private static let all = Query<InviteRow>(
        "SELECT \(InviteRow.columns) FROM invite ORDER BY created_at, id")
    private static let counts = Query<SHA256Digest, Timestamp, Bool>(
        """
        SELECT EXISTS (
            SELECT 1 FROM invite WHERE code_hash = ?1 AND used < uses AND expires_at > ?2)
        """)
    private static let use = Command<SHA256Digest, Timestamp>(
        """
        UPDATE invite SET used = used + 1
        WHERE code_hash = ?1 AND used < uses AND expires_at > ?2
        """)
    private static let delete = Command<String>("DELETE FROM invite WHERE id = ?1")
    private static let deleteExpired = Command<Timestamp>(
        "DELETE FROM invite WHERE expires_at <= ?1")

    /// What is kept of a code.
    static func hash(_ code: String) -> SHA256Digest { SHA256.hash(Array(code.utf8)) }

    /// Makes one; its id must be new.
    static func insert(
        _ id: String, code: String, uses: Int, until expiry: Timestamp, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(insert, id, hash(code), uses, expiry, now)
    }

    /// All of them, the oldest first.
    static func all(_ reader: borrowing Reader<APIError>) throws(APIError) -> [InviteRow] {
        try reader.all(all)
    }

    /// Whether a code would open an account.
    static func counts(
        _ code: String, at now: Timestamp, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Bool {
        try reader.first(counts, hash(code), now) ?? false
    }

    /// Takes one use of a code; false when it has none left, or there is no such code.
    static func use(
        _ code: String, at now: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Bool {
        try transaction.run(use, hash(code), now) > 0
    }

    /// Takes an invitation back; false when there is none.
    static func delete(
        _ id: String, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Bool {
        try transaction.run(delete, id) > 0
    }

    /// Forgets those that open nothing any more.
    static func sweep(
        before now: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(deleteExpired, now)
    }
}
