import Base
import Crypto
import Domain
import Storage

/// A challenge as it is kept.
struct ChallengeRow: RowDecodable {
    /// Where it stands, as far as it does not follow from the time.
    enum State: String, ColumnValue {
        case pending, spent, proved, revoked
    }

    static let columns: SQL = "id, server, nonce, state, created_at, expires_at"

    var id: ChallengeID
    var server: ServerAddress
    var nonce: [UInt8]
    var state: State
    var createdAt: Timestamp
    var expiresAt: Timestamp

    init(row: borrowing Row) throws(DatabaseError) {
        id = try row.value(0, "id")
        server = try row.value(1, "server")
        nonce = try row.value(2, "nonce")
        state = try row.value(3, "state")
        createdAt = try row.value(4, "created_at")
        expiresAt = try row.value(5, "expires_at")
    }

    /// As it is shown: without nonce or token.
    func challenge(now: Timestamp) -> Challenge {
        let shown: ChallengeState =
            switch state {
            case .revoked: .revoked
            case .spent: .expired
            case .pending: expiresAt > now ? .pending : .expired
            case .proved: expiresAt > now ? .proved : .expired
            }
        return Challenge(
            id: id, server: server, state: shown, createdAt: createdAt, expiresAt: expiresAt)
    }
}

/// Challenges that other nodes asked for, and the server tokens that they earned.
enum ChallengeStore {
    private static let byID = Query<ChallengeID, ChallengeRow>(
        "SELECT \(ChallengeRow.columns) FROM challenge WHERE id = ?1")
    private static let byToken = Query<SHA256Digest, Timestamp, ChallengeRow>(
        """
        SELECT \(ChallengeRow.columns) FROM challenge
        WHERE token_hash = ?1 AND state = 'proved' AND expires_at > ?2
        """)
    /// Those of one node by its index, or all.
    private static let own: SQL = "server = ?1 AND (?2 IS NULL OR instr(server, ?2) > 0)"
    private static let any: SQL = "?1 IS NULL AND (?2 IS NULL OR instr(server, ?2) > 0)"
    private static let pageOfNode = page(own)
    private static let pageOfAll = page(any)
    private static let countOfNode = count(own)
    private static let countOfAll = count(any)

    private static func page(
        _ which: SQL
    ) -> Query<ServerAddress?, String?, [UInt8], Int, ChallengeRow> {
        Query(
            """
            SELECT \(ChallengeRow.columns) FROM challenge
            WHERE \(which) AND (length(?3) = 0 OR id < ?3)
            ORDER BY id DESC
            LIMIT ?4
            """)
    }

    private static func count(_ which: SQL) -> Query<ServerAddress?, String?, Int> {
        Query("SELECT count(*) FROM challenge WHERE \(which)")
    }

    private static let insertPending = Command<
        ChallengeID, ServerAddress, [UInt8], Timestamp, Timestamp
    >(
        """
        INSERT INTO challenge (id, server, nonce, state, created_at, expires_at)
        VALUES (?1, ?2, ?3, 'pending', ?4, ?5)
        """)
    private static let spendPending = Query<ChallengeID, Timestamp, ChallengeRow>(
        """
        UPDATE challenge SET state = 'spent'
        WHERE id = ?1 AND state = 'pending' AND expires_at > ?2
        RETURNING \(ChallengeRow.columns)
        """)
    private static let retireProved = Command<ServerAddress, Timestamp>(
        """
        UPDATE challenge SET expires_at = min(expires_at, ?2)
        WHERE server = ?1 AND state = 'proved'
        """)
    private static let provePending = Command<
        ChallengeID, ServerAddress, SHA256Digest, Timestamp
    >(
        """
        UPDATE challenge SET state = 'proved', token_hash = ?3, expires_at = ?4
        WHERE id = ?1 AND server = ?2 AND state = 'spent'
        """)
    private static let revokeAny = Command<ChallengeID>(
        "UPDATE challenge SET state = 'revoked', token_hash = NULL WHERE id = ?1")
    private static let revokeOfNode = Command<ServerAddress>(
        """
        UPDATE challenge SET state = 'revoked', token_hash = NULL
        WHERE server = ?1 AND state <> 'revoked'
        """)
    private static let deleteOld = Command<Timestamp>(
        "DELETE FROM challenge WHERE expires_at <= ?1")

    static func find(
        _ id: ChallengeID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> ChallengeRow? {
        try reader.first(byID, id)
    }

    /// The proved challenge whose token has that hash and counts.
    static func find(
        token hash: SHA256Digest, now: Timestamp, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> ChallengeRow? {
        try reader.first(byToken, hash, now)
    }

    /// The newest first, of one node or of all, at most `limit` behind `after`; and how many there are.
    static func page(
        of server: ServerAddress?, search: String?, after: [UInt8], limit: Int,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (challenges: [ChallengeRow], total: Int) {
        let (page, count) =
            server == nil ? (pageOfAll, countOfAll) : (pageOfNode, countOfNode)
        let challenges = try reader.all(page, server, search, after, limit)
        return (challenges, try reader.first(count, server, search) ?? 0)
    }

    static func insert(
        _ id: ChallengeID, _ server: ServerAddress, nonce: [UInt8], now: Timestamp,
        expiresAt: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(insertPending, id, server, nonce, now, expiresAt)
    }

    /// Takes a pending challenge, once; nil when there is none.
    static func spend(
        _ id: ChallengeID, now: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> ChallengeRow? {
        try transaction.first(spendPending, id, now)
    }

    /// Gives a spent challenge its token, and ends the other tokens of that node at `handover`.
    /// False when there is no such challenge, or it has a token already.
    static func prove(
        _ id: ChallengeID, _ server: ServerAddress, token: SHA256Digest, expiresAt: Timestamp,
        handover: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Bool {
        try transaction.run(retireProved, server, handover)
        return try transaction.run(provePending, id, server, token, expiresAt) == 1
    }

    static func revoke(
        _ id: ChallengeID, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(revokeAny, id)
    }

    /// Ends all challenges of a node and the tokens that they earned.
    static func revoke(
        of server: ServerAddress, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(revokeOfNode, server)
    }

    /// Forgets what ended before `moment`.
    static func sweep(
        before moment: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(deleteOld, moment)
    }
}
