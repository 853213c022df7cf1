import Base
import Crypto
import Domain
import Storage

/// A login as it is kept.
struct SessionRow: RowDecodable {
    static let columns: SQL = """
        id, user_id, generation, refresh_hash, expires_at, previous_hash, previous_expires_at,
        user_agent, address_prefix, created_at, used_at
        """

    var id: SessionID
    var user: UserID
    /// The number of the newest pair of tokens.
    var generation: Int64
    /// The newest refresh token.
    var refresh: SHA256Digest
    var expiresAt: Timestamp
    /// The one before, as long as the newest pair was not used.
    var previous: SHA256Digest?
    var previousExpiresAt: Timestamp?
    var userAgent: String?
    var addressPrefix: String?
    var createdAt: Timestamp
    var usedAt: Timestamp

    /// A login that begins.
    init(
        id: SessionID, user: UserID, refresh: SHA256Digest, userAgent: String?,
        addressPrefix: String?, now: Timestamp
    ) {
        self.id = id
        self.user = user
        generation = 1
        self.refresh = refresh
        expiresAt = now + SessionRules.refreshLifetime
        self.userAgent = userAgent
        self.addressPrefix = addressPrefix
        createdAt = now
        usedAt = now
    }

    init(row: borrowing Row) throws(DatabaseError) {
        id = try row.value(0, "id")
        user = try row.value(1, "user_id")
        generation = try row.value(2, "generation")
        refresh = try row.value(3, "refresh_hash")
        expiresAt = try row.value(4, "expires_at")
        previous = try row.value(5, "previous_hash")
        previousExpiresAt = try row.value(6, "previous_expires_at")
        userAgent = try row.value(7, "user_agent")
        addressPrefix = try row.value(8, "address_prefix")
        createdAt = try row.value(9, "created_at")
        usedAt = try row.value(10, "used_at")
    }
}

/// Logins, their refresh tokens, and the access tokens that count no more.
enum SessionStore {
    private static let byID = Query<SessionID, SessionRow>(
        "SELECT \(SessionRow.columns) FROM session WHERE id = ?1")
    private static let byRefresh = Query<SHA256Digest, SessionRow>(
        "SELECT \(SessionRow.columns) FROM session WHERE refresh_hash = ?1")
    private static let byPrevious = Query<SHA256Digest, SessionRow>(
        "SELECT \(SessionRow.columns) FROM session WHERE previous_hash = ?1")
    private static let bySpent = Query<SHA256Digest, SessionRow>(
        """
        SELECT \(SessionRow.columns) FROM session
        WHERE id = (SELECT session_id FROM spent_refresh WHERE hash = ?1)
        """)
    private static let page = Query<UserID, Timestamp, String?, [UInt8], Int, SessionRow>(
        """
        SELECT \(SessionRow.columns) FROM session
        WHERE user_id = ?1 AND expires_at > ?2 AND (?3 IS NULL OR instr(lower(user_agent), ?3) > 0)
            AND (length(?4) = 0 OR id < ?4)
        ORDER BY id DESC
        LIMIT ?5
        """)
    private static let count = Query<UserID, Timestamp, String?, Int>(
        """
        SELECT count(*) FROM session
        WHERE user_id = ?1 AND expires_at > ?2 AND (?3 IS NULL OR instr(lower(user_agent), ?3) > 0)
        """)
    private static let byAddress = Query<UserID, String, SessionID>(
        "SELECT id FROM session WHERE user_id = ?1 AND address_prefix = ?2 LIMIT 1")
    private static let insertSession = Command<
        SessionID, UserID, Int64, SHA256Digest, Timestamp, String?, String?, Timestamp
    >(
        """
        INSERT INTO session (
            id, user_id, generation, refresh_hash, expires_at, user_agent, address_prefix,
            created_at, used_at
        ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)
        """)
    private static let updatePair = Command<
        SessionID, Int64, SHA256Digest, Timestamp, SHA256Digest?, Timestamp?, Timestamp
    >(
        """
        UPDATE session SET
            generation = ?2, refresh_hash = ?3, expires_at = ?4, previous_hash = ?5,
            previous_expires_at = ?6, used_at = ?7
        WHERE id = ?1
        """)
    private static let touchSession = Command<SessionID, Timestamp>(
        "UPDATE session SET used_at = ?2 WHERE id = ?1")
    private static let spend = Command<SHA256Digest, SessionID, Timestamp>(
        "INSERT OR REPLACE INTO spent_refresh (hash, session_id, expires_at) VALUES (?1, ?2, ?3)")
    private static let extendReplaced = Command<SessionID, Int64, Timestamp>(
        """
        UPDATE replaced_generation SET high = ?2, expires_at = ?3
        WHERE session_id = ?1 AND high = ?2 - 1
        """)
    private static let insertReplaced = Command<SessionID, Int64, Timestamp>(
        """
        INSERT INTO replaced_generation (session_id, low, high, expires_at)
        VALUES (?1, ?2, ?2, ?3)
        """)
    private static let findReplaced = Query<SessionID, Int64, Int64>(
        """
        SELECT low FROM replaced_generation
        WHERE session_id = ?1 AND low <= ?2 AND high >= ?2
        """)
    private static let deleteSession = Command<SessionID>("DELETE FROM session WHERE id = ?1")
    private static let deleteOfUser = Command<UserID, SessionID?>(
        "DELETE FROM session WHERE user_id = ?1 AND (?2 IS NULL OR id <> ?2)")
    private static let expired = Query<Timestamp, SessionRow>(
        "SELECT \(SessionRow.columns) FROM session WHERE expires_at <= ?1 LIMIT 1000")
    private static let deleteSpent = Command<Timestamp>(
        "DELETE FROM spent_refresh WHERE expires_at <= ?1")
    private static let deleteReplaced = Command<Timestamp>(
        "DELETE FROM replaced_generation WHERE expires_at <= ?1")

    /// The session with that id.
    static func find(
        _ id: SessionID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> SessionRow? {
        try reader.first(byID, id)
    }

    /// The session that a refresh token is or was of, and how it stands to it.
    static func find(
        refresh hash: SHA256Digest, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (session: SessionRow, standing: SessionRules.Standing)? {
        if let session = try reader.first(byRefresh, hash) { return (session, .newest) }
        if let session = try reader.first(byPrevious, hash) { return (session, .previous) }
        if let session = try reader.first(bySpent, hash) { return (session, .spent) }
        return nil
    }

    /// A user's sessions, the newest first, at most `limit` behind `after`; and how many there are.
    static func page(
        of user: UserID, search: String?, after: [UInt8], limit: Int, now: Timestamp,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (sessions: [SessionRow], total: Int) {
        let sessions = try reader.all(page, user, now, search, after, limit)
        return (sessions, try reader.first(count, user, now, search) ?? 0)
    }

    /// All of a user's sessions.
    static func all(
        of user: UserID, now: Timestamp, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [SessionRow] {
        try page(of: user, search: nil, after: [], limit: .max, now: now, reader).sessions
    }

    /// Whether the user is logged in from that network.
    static func isKnown(
        _ addressPrefix: String, to user: UserID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Bool {
        try reader.first(byAddress, user, addressPrefix) != nil
    }

    /// Whether the access token of that generation was replaced before it was used.
    static func isReplaced(
        _ generation: Int64, of session: SessionID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Bool {
        try reader.first(findReplaced, session, generation) != nil
    }

    /// Keeps a login that begins; false when there is no such user any more.
    static func insert(
        _ session: SessionRow, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Bool {
        let violation = try transaction.attempt(
            insertSession, session.id, session.user, session.generation, session.refresh,
            session.expiresAt, session.userAgent, session.addressPrefix, session.createdAt)
        return violation == nil
    }

    /// The newest pair is used: the refresh token before it must not be shown any more.
    static func confirm(
        _ session: inout SessionRow, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        guard let previous = session.previous, let end = session.previousExpiresAt else { return }
        try transaction.run(spend, previous, session.id, end)
        session.previous = nil
        session.previousExpiresAt = nil
        try write(session, transaction)
    }

    /// A new pair follows the newest one.
    static func rotate(
        _ session: inout SessionRow, to refresh: SHA256Digest, now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try confirm(&session, transaction)
        session.previous = session.refresh
        session.previousExpiresAt = session.expiresAt
        session.generation += 1
        try renew(&session, refresh, now, transaction)
    }

    /// A new pair takes the place of the newest one.
    static func replace(
        _ session: inout SessionRow, by refresh: SHA256Digest, now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        let end = now + AccessTokens.lifetime
        if try transaction.run(extendReplaced, session.id, session.generation, end) == 0 {
            try transaction.run(insertReplaced, session.id, session.generation, end)
        }
        session.generation += 1
        try renew(&session, refresh, now, transaction)
    }

    /// Remembers to the minute that a session was used.
    static func touch(
        _ session: SessionRow, now: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(touchSession, session.id, now)
    }

    /// Ends a session.
    static func delete(
        _ id: SessionID, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(deleteSession, id)
    }

    /// Ends all sessions of a user but perhaps one.
    static func deleteAll(
        of user: UserID, except kept: SessionID?, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(deleteOfUser, user, kept)
    }

    /// Some sessions that are over.
    static func expired(
        now: Timestamp, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [SessionRow] {
        try reader.all(expired, now)
    }

    /// Forgets the tokens that are past their time.
    static func sweep(
        now: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(deleteSpent, now)
        try transaction.run(deleteReplaced, now)
    }

    private static func renew(
        _ session: inout SessionRow, _ refresh: SHA256Digest, _ now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        session.refresh = refresh
        session.expiresAt = now + SessionRules.refreshLifetime
        session.usedAt = now
        try write(session, transaction)
    }

    private static func write(
        _ session: SessionRow, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(
            updatePair, session.id, session.generation, session.refresh, session.expiresAt,
            session.previous, session.previousExpiresAt, session.usedAt)
    }
}

extension SessionRow {
    /// As its user sees it.
    func view(isCurrent: Bool) -> SessionView {
        SessionView(
            id: id, createdAt: createdAt, usedAt: usedAt, userAgent: userAgent,
            addressPrefix: addressPrefix, current: isCurrent)
    }
}
