import Base
import Crypto
import Domain
import Storage

/// A service as it is kept.
struct ServiceRow: RowDecodable, Sendable {
    static let columns: SQL = """
        id, title, description, address, secure, tags, owner_id, session_id, status, checked_at,
        created_at, updated_at
        """

    let id: ServiceID
    var title: ServiceTitle
    var description: Description?
    var address: ServiceAddress
    var secure: Bool
    var tags: TagSet
    let owner: UserID
    /// Stands for its credential where a login would stand; each credential has another.
    var session: SessionID
    var status: ServiceStatus
    var checkedAt: Timestamp?
    let createdAt: Timestamp
    var updatedAt: Timestamp

    /// A service that is made now; nobody knows yet whether it is there.
    init(
        id: ServiceID, title: ServiceTitle, description: Description?, address: ServiceAddress,
        secure: Bool, tags: TagSet, owner: UserID, session: SessionID, now: Timestamp
    ) {
        self.id = id
        self.title = title
        self.description = description
        self.address = address
        self.secure = secure
        self.tags = tags
        self.owner = owner
        self.session = session
        status = .down
        createdAt = now
        updatedAt = now
    }

    init(row: borrowing Row) throws(DatabaseError) {
        id = try row.value(0, "id")
        title = try row.value(1, "title")
        description = try row.value(2, "description")
        address = try row.value(3, "address")
        secure = try row.value(4, "secure")
        tags = try row.value(5, "tags")
        owner = try row.value(6, "owner_id")
        session = try row.value(7, "session_id")
        status = try row.value(8, "status")
        checkedAt = try row.value(9, "checked_at")
        createdAt = try row.value(10, "created_at")
        updatedAt = try row.value(11, "updated_at")
    }

    /// As everybody sees it.
    func service(_ node: Node) -> Service {
        Service(
            id: id, title: title, description: description, address: address, secure: secure,
            tags: tags, owner: node.reference(owner), server: node.address, status: status,
            checkedAt: checkedAt, createdAt: createdAt, updatedAt: updatedAt)
    }
}

/// The services that somebody runs, each with the hash of its credential.
enum ServiceStore {
    private static let byID = Query<ServiceID, ServiceRow>(
        "SELECT \(ServiceRow.columns) FROM service WHERE id = ?1")
    private static let byToken = Query<SHA256Digest, ServiceRow>(
        "SELECT \(ServiceRow.columns) FROM service WHERE token_hash = ?1")
    private static let bySession = Query<SessionID, ServiceRow>(
        "SELECT \(ServiceRow.columns) FROM service WHERE session_id = ?1")
    private static let byOwner = Query<UserID, ServiceRow>(
        "SELECT \(ServiceRow.columns) FROM service WHERE owner_id = ?1 ORDER BY id")
    private static let everything = Query<ServiceRow>(
        "SELECT \(ServiceRow.columns) FROM service ORDER BY id")
    private static let wanted: SQL = """
        (?1 IS NULL OR instr(title_key, ?1) > 0 OR instr(id, ?1) > 0)
        AND (?2 IS NULL OR instr(tags, ' ' || ?2 || ' ') > 0)
        """
    private static let page = Query<String?, Tag?, String, Int, ServiceRow>(
        """
        SELECT \(ServiceRow.columns) FROM service WHERE \(wanted) AND id > ?3
        ORDER BY id
        LIMIT ?4
        """)
    private static let count = Query<String?, Tag?, Int>(
        "SELECT count(*) FROM service WHERE \(wanted)")
    private static let countOfOwner = Query<UserID, Int>(
        "SELECT count(*) FROM service WHERE owner_id = ?1")
    private static let insert = Command<
        ServiceID, ServiceTitle, String, Description?, ServiceAddress, Bool, TagSet, UserID,
        SHA256Digest, SessionID, Timestamp
    >(
        """
        INSERT INTO service (
            id, title, title_key, description, address, secure, tags, owner_id, token_hash,
            session_id, status, created_at, updated_at
        ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'down', ?11, ?11)
        """)
    private static let update = Command<
        ServiceID, ServiceTitle, String, Description?, ServiceAddress, Bool, TagSet,
        ServiceStatus, Timestamp?, Timestamp
    >(
        """
        UPDATE service SET
            title = ?2, title_key = ?3, description = ?4, address = ?5, secure = ?6, tags = ?7,
            status = ?8, checked_at = ?9, updated_at = ?10
        WHERE id = ?1
        """)
    private static let renew = Command<ServiceID, SHA256Digest, SessionID>(
        "UPDATE service SET token_hash = ?2, session_id = ?3 WHERE id = ?1")
    private static let delete = Command<ServiceID>("DELETE FROM service WHERE id = ?1")

    /// The service with that id.
    static func find(
        _ id: ServiceID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> ServiceRow? {
        try reader.first(byID, id)
    }

    /// Whose a credential is.
    static func find(
        token hash: SHA256Digest, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> ServiceRow? {
        try reader.first(byToken, hash)
    }

    /// Whose credential stands where that session would.
    static func find(
        session: SessionID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> ServiceRow? {
        try reader.first(bySession, session)
    }

    /// All services of an account.
    static func all(
        of owner: UserID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [ServiceRow] {
        try reader.all(byOwner, owner)
    }

    /// All that there are; the limits keep them few.
    static func all(_ reader: borrowing Reader<APIError>) throws(APIError) -> [ServiceRow] {
        try reader.all(everything)
    }

    /// At most `limit`, behind `after`, and how many there are.
    static func page(
        search: String?, tag: Tag?, after: String, limit: Int,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (found: [ServiceRow], total: Int) {
        let found = try reader.all(page, search, tag, after, limit)
        return (found, try reader.first(count, search, tag) ?? 0)
    }

    /// How many there are, and how many of `owner`.
    static func counts(
        of owner: UserID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (all: Int, own: Int) {
        (try reader.first(count, nil, nil) ?? 0, try reader.first(countOfOwner, owner) ?? 0)
    }

    /// Adds a service.
    ///
    /// - Throws: 64 when the id is taken.
    static func insert(
        _ row: ServiceRow, token: SHA256Digest, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        let conflict = try transaction.attempt(
            insert, row.id, row.title, row.title.text.lowercased(), row.description, row.address,
            row.secure, row.tags, row.owner, token, row.session, row.createdAt)
        if conflict != nil { throw APIError(.serviceAlreadyExists) }
    }

    /// Keeps what has changed.
    static func update(
        _ row: ServiceRow, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(
            update, row.id, row.title, row.title.text.lowercased(), row.description, row.address,
            row.secure, row.tags, row.status, row.checkedAt, row.updatedAt)
    }

    /// Another credential counts from now on.
    static func renew(
        _ row: ServiceRow, token: SHA256Digest, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(renew, row.id, token, row.session)
    }

    /// Deletes a service.
    static func delete(
        _ id: ServiceID, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(delete, id)
    }
}
