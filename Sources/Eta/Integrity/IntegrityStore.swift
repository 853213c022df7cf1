import Base
import Crypto
import Domain
import Storage

/// A visitor's grant as it is kept.
struct IncomingRow: RowDecodable {
    static let columns: SQL = "id, user, profile, created_at, expires_at, used_at"

    var id: IntegrityID
    /// Who, with their home.
    var user: UserReference
    /// How their home describes them.
    var profile: User
    var createdAt: Timestamp
    var expiresAt: Timestamp
    var usedAt: Timestamp?

    init(row: borrowing Row) throws(DatabaseError) {
        id = try row.value(0, "id")
        user = try row.value(1, "user")
        profile = try row.value(2, "profile", as: StoredProfile.self).user
        createdAt = try row.value(3, "created_at")
        expiresAt = try row.value(4, "expires_at")
        usedAt = try row.value(5, "used_at")
    }

    /// As it is shown, without its token.
    func integrity(at host: ServerAddress) -> Integrity {
        Integrity(
            id: id, user: user, server: host, createdAt: createdAt, expiresAt: expiresAt,
            usedAt: usedAt)
    }
}

/// What one of our users was granted abroad, as it is kept; the token is theirs alone.
struct OutgoingRow: RowDecodable {
    static let columns: SQL = "id, server, user_id, created_at, expires_at"

    var id: IntegrityID
    /// Where.
    var server: ServerAddress
    var user: UserID
    var createdAt: Timestamp
    var expiresAt: Timestamp

    init(row: borrowing Row) throws(DatabaseError) {
        id = try row.value(0, "id")
        server = try row.value(1, "server")
        user = try row.value(2, "user_id")
        createdAt = try row.value(3, "created_at")
        expiresAt = try row.value(4, "expires_at")
    }

    /// As it is shown.
    func integrity(from home: ServerAddress) -> Integrity {
        Integrity(
            id: id, user: UserReference(user, at: home), server: server, createdAt: createdAt,
            expiresAt: expiresAt)
    }
}

/// A user of another node as JSON text.
struct StoredProfile: ColumnValue {
    let user: User

    init(_ user: User) { self.user = user }

    var stored: SQLValue { .text(String(decoding: JSONCoder.encode(user), as: UTF8.self)) }

    init?(stored: SQLValue) {
        guard case .text(let text) = stored, let value = try? JSONParser.parse(Array(text.utf8)),
            let user = try? JSONCoder.decode(User.self, from: value)
        else { return nil }
        self.user = user
    }
}

/// Grants: those of visitors here, and those of our users abroad.
enum IntegrityStore {
    private static let incomingByToken = Query<SHA256Digest, Timestamp, IncomingRow>(
        """
        SELECT \(IncomingRow.columns) FROM incoming_integrity
        WHERE token_hash = ?1 AND expires_at > ?2
        """)
    private static let incomingByID = Query<IntegrityID, Timestamp, IncomingRow>(
        """
        SELECT \(IncomingRow.columns) FROM incoming_integrity
        WHERE id = ?1 AND expires_at > ?2
        """)
    private static let incomingOfUser = Query<UserReference, Timestamp, IncomingRow>(
        """
        SELECT \(IncomingRow.columns) FROM incoming_integrity
        WHERE user = ?1 AND expires_at > ?2
        ORDER BY created_at DESC, id DESC
        """)
    private static let incomingPage = Query<
        UserReference?, Timestamp, String?, [UInt8], Int, IncomingRow
    >(
        """
        SELECT \(IncomingRow.columns) FROM incoming_integrity
        WHERE \(incomingListed) AND (length(?4) = 0 OR (id, x'') < \(behind))
        ORDER BY id DESC
        LIMIT ?5
        """)
    private static let incomingCount = Query<UserReference?, Timestamp, String?, Int>(
        "SELECT count(*) FROM incoming_integrity WHERE \(incomingListed)")
    private static let incomingListed: SQL = """
        user = ifnull(?1, user) AND expires_at > ?2 AND (?3 IS NULL OR instr(user, ?3) > 0)
        """
    /// The place in a list that `?4` names: an id, and for a grant abroad the other node behind it,
    /// whose ids are its own.
    private static let behind: SQL = "(substr(?4, 1, 16), substr(?4, 17))"
    private static let insertIncoming = Command<
        IntegrityID, UserReference, ServerAddress, StoredProfile, SHA256Digest, Timestamp, Timestamp
    >(
        """
        INSERT INTO incoming_integrity (
            id, user, server, profile, token_hash, created_at, expires_at
        ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        """)
    private static let describe = Command<UserReference, StoredProfile>(
        "UPDATE incoming_integrity SET profile = ?2 WHERE user = ?1")
    private static let touchIncoming = Command<IntegrityID, Timestamp>(
        "UPDATE incoming_integrity SET used_at = ?2 WHERE id = ?1")
    private static let deleteIncoming = Command<IntegrityID>(
        "DELETE FROM incoming_integrity WHERE id = ?1")
    private static let deleteIncomingOf = Command<ServerAddress>(
        "DELETE FROM incoming_integrity WHERE server = ?1")
    private static let deleteOutgoingAt = Command<ServerAddress>(
        "DELETE FROM outgoing_integrity WHERE server = ?1")
    private static let deleteIncomingBefore = Command<Timestamp>(
        "DELETE FROM incoming_integrity WHERE expires_at <= ?1")

    private static let outgoingByID = Query<IntegrityID, UserID?, ServerAddress?, OutgoingRow>(
        """
        SELECT \(OutgoingRow.columns) FROM outgoing_integrity
        WHERE id = ?1 AND user_id = ifnull(?2, user_id) AND server = ifnull(?3, server)
        """)
    private static let outgoingOfUser = Query<UserID, Timestamp, OutgoingRow>(
        """
        SELECT \(OutgoingRow.columns) FROM outgoing_integrity
        WHERE user_id = ?1 AND expires_at > ?2
        ORDER BY created_at DESC, id DESC
        """)
    private static let outgoingPage = Query<
        UserID?, Timestamp, String?, [UInt8], Int, OutgoingRow
    >(
        """
        SELECT \(OutgoingRow.columns) FROM outgoing_integrity
        WHERE \(outgoingListed)
            AND (length(?4) = 0 OR (id, CAST(server AS BLOB)) < \(behind))
        ORDER BY id DESC, server DESC
        LIMIT ?5
        """)
    private static let outgoingCount = Query<UserID?, Timestamp, String?, Int>(
        "SELECT count(*) FROM outgoing_integrity WHERE \(outgoingListed)")
    private static let outgoingListed: SQL = """
        user_id = ifnull(?1, user_id) AND expires_at > ?2
        AND (?3 IS NULL OR instr(server, ?3) > 0)
        """
    private static let insertOutgoing = Command<
        IntegrityID, ServerAddress, UserID, SessionID, Timestamp, Timestamp
    >(
        """
        INSERT OR REPLACE INTO outgoing_integrity (
            id, server, user_id, session_id, created_at, expires_at
        ) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
        """)
    private static let deleteOutgoing = Command<IntegrityID, ServerAddress>(
        "DELETE FROM outgoing_integrity WHERE id = ?1 AND server = ?2")
    private static let takeOfSession = Query<SessionID, OutgoingRow>(
        "DELETE FROM outgoing_integrity WHERE session_id = ?1 RETURNING \(OutgoingRow.columns)")
    private static let takeOfUser = Query<UserID, SessionID?, OutgoingRow>(
        """
        DELETE FROM outgoing_integrity
        WHERE user_id = ?1 AND (?2 IS NULL OR session_id <> ?2)
        RETURNING \(OutgoingRow.columns)
        """)
    private static let deleteOutgoingBefore = Command<Timestamp>(
        "DELETE FROM outgoing_integrity WHERE expires_at <= ?1")

    // MARK: Visitors

    /// The grant whose token has that hash and counts.
    static func find(
        _ hash: SHA256Digest, now: Timestamp, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> IncomingRow? {
        try reader.first(incomingByToken, hash, now)
    }

    static func incoming(
        _ id: IntegrityID, now: Timestamp, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> IncomingRow? {
        try reader.first(incomingByID, id, now)
    }

    /// A visitor's grants, the newest first.
    static func incoming(
        of user: UserReference, now: Timestamp, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [IncomingRow] {
        try reader.all(incomingOfUser, user, now)
    }

    /// Those of a visitor, or everybody's, the newest first, at most `limit` behind `after`; and how
    /// many there are.
    static func incomingPage(
        of user: UserReference?, search: String?, after: [UInt8], limit: Int, now: Timestamp,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (grants: [IncomingRow], total: Int) {
        let grants = try reader.all(incomingPage, user, now, search, after, limit)
        return (grants, try reader.first(incomingCount, user, now, search) ?? 0)
    }

    /// `user` has its home written out.
    static func insertIncoming(
        _ id: IntegrityID, _ user: UserReference, home: ServerAddress, _ profile: User,
        token: SHA256Digest, now: Timestamp, expiresAt: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(
            insertIncoming, id, user, home, StoredProfile(profile), token, now, expiresAt)
    }

    /// A person's home describes them so now.
    static func describe(
        _ profile: User, as user: UserReference, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(describe, user, StoredProfile(profile))
    }

    /// A grant was used.
    static func touch(
        _ id: IntegrityID, now: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(touchIncoming, id, now)
    }

    /// Ends all grants of the users of a node here, and of this node's there.
    static func deleteAll(
        of server: ServerAddress, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(deleteIncomingOf, server)
        try transaction.run(deleteOutgoingAt, server)
    }

    static func deleteIncoming(
        _ id: IntegrityID, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(deleteIncoming, id)
    }

    // MARK: Our users abroad

    /// A grant abroad, of that user or at that node where one is named. Ids are those of other
    /// nodes, so there may be more than one.
    static func outgoing(
        _ id: IntegrityID, of user: UserID?, at server: ServerAddress?,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [OutgoingRow] {
        try reader.all(outgoingByID, id, user, server)
    }

    /// A user's grants abroad, the newest first.
    static func outgoing(
        of user: UserID, now: Timestamp, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [OutgoingRow] {
        try reader.all(outgoingOfUser, user, now)
    }

    /// Those of a user, or everybody's, as ``incomingPage(of:search:after:limit:now:_:)``.
    static func outgoingPage(
        of user: UserID?, search: String?, after: [UInt8], limit: Int, now: Timestamp,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (grants: [OutgoingRow], total: Int) {
        let grants = try reader.all(outgoingPage, user, now, search, after, limit)
        return (grants, try reader.first(outgoingCount, user, now, search) ?? 0)
    }

    static func insertOutgoing(
        _ id: IntegrityID, at server: ServerAddress, of user: UserID, by session: SessionID,
        now: Timestamp, expiresAt: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(insertOutgoing, id, server, user, session, now, expiresAt)
    }

    static func deleteOutgoing(
        _ row: OutgoingRow, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(deleteOutgoing, row.id, row.server)
    }

    /// Takes out what was asked for by a session, which ends.
    static func takeOutgoing(
        of session: SessionID, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> [OutgoingRow] {
        try transaction.all(takeOfSession, session)
    }

    /// Takes out what was asked for by all sessions of a user but perhaps one.
    static func takeOutgoing(
        of user: UserID, except kept: SessionID?, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> [OutgoingRow] {
        try transaction.all(takeOfUser, user, kept)
    }

    /// Forgets what is past its time, on both sides.
    static func sweep(
        now: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(deleteIncomingBefore, now)
        try transaction.run(deleteOutgoingBefore, now)
    }
}
