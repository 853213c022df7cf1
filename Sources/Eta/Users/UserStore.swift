import Base
import Domain
import Storage

/// An account as it is kept, without its tags.
struct UserRow: RowDecodable {
    static let columns: SQL = """
        id, username, displayname, description, email, status, password, home, created_at,
        updated_at
        """

    var id: UserID
    var username: Username
    var displayname: DisplayName
    var description: Description?
    var email: EmailAddress?
    var status: UserStatus
    /// The encoded hash; nil for who can never log in.
    var password: String?
    var home: WorldReference?
    var createdAt: Timestamp
    var updatedAt: Timestamp

    init(row: borrowing Row) throws(DatabaseError) {
        id = try row.value(0, "id")
        username = try row.value(1, "username")
        displayname = try row.value(2, "displayname")
        description = try row.value(3, "description")
        email = try row.value(4, "email")
        status = UserStatus(rawValue: try row.value(5, "status")) ?? .online
        password = try row.value(6, "password")
        home = try row.value(7, "home")
        createdAt = try row.value(8, "created_at")
        updatedAt = try row.value(9, "updated_at")
    }
}

/// Accounts and their tags.
enum UserStore {
    private static let byID = Query<UserID, UserRow>(
        "SELECT \(UserRow.columns) FROM user WHERE id = ?1")
    private static let byName = Query<String, UserRow>(
        "SELECT \(UserRow.columns) FROM user WHERE username_key = ?1")
    private static let byEmail = Query<String, UserRow>(
        "SELECT \(UserRow.columns) FROM user WHERE email_key = ?1")
    private static let tagsOf = Query<UserID, String>(
        "SELECT tag FROM user_tag WHERE user_id = ?1 ORDER BY tag")
    private static let insertUser = Command<
        UserID, Username, String, DisplayName, EmailAddress?, String?, String?, Timestamp
    >(
        """
        INSERT INTO user (
            id, username, username_key, displayname, email, email_key, password, created_at,
            updated_at
        ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)
        """)
    private static let insertTag = Command<UserID, String>(
        "INSERT OR IGNORE INTO user_tag (user_id, tag) VALUES (?1, ?2)")

    private static let updatePassword = Command<UserID, String>(
        "UPDATE user SET password = ?2 WHERE id = ?1")

    /// The account with that id.
    static func find(
        _ id: UserID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> UserRow? {
        try reader.first(byID, id)
    }

    /// The account with that name, whatever its case.
    static func find(
        _ name: Username, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> UserRow? {
        try reader.first(byName, name.folded)
    }

    /// The account with that email address.
    static func find(
        _ email: EmailAddress, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> UserRow? {
        try reader.first(byEmail, email.folded)
    }

    /// The tags of an account.
    static func tags(
        _ id: UserID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> TagSet {
        let texts = try reader.all(tagsOf, id)
        return TagSet(texts.compactMap { Tag($0) }.prefix(TagSet.limit)) ?? []
    }

    /// Makes an account; 67 when its name or email address is taken.
    static func insert(
        _ id: UserID, username: Username, displayname: DisplayName?, email: EmailAddress?,
        password: String?, tags: TagSet, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        let violation = try transaction.attempt(
            insertUser, id, username, username.folded, displayname ?? DisplayName(username),
            email, email?.folded, password, now)
        if let violation {
            let field = violation.isUnique("user.email_key") ? "email" : "username"
            throw APIError(.alreadyExists, field: field, "is taken")
        }
        for tag in tags.tags { try transaction.run(insertTag, id, tag.text) }
    }

    /// Keeps another password hash.
    static func setPassword(
        _ hash: String, of id: UserID, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(updatePassword, id, hash)
    }
}

extension UserRow {
    /// As everybody sees it.
    func user(_ tags: TagSet, _ node: Node) -> User {
        User(
            id: id, username: username, displayname: displayname, description: description,
            tags: tags, server: node.address, createdAt: createdAt, updatedAt: updatedAt)
    }

    /// As they themself see it.
    func themself(_ tags: TagSet, _ node: Node) -> UserMe {
        UserMe(
            user: user(tags, node), email: email, status: status, following: [],
            home: home?.absolute(at: node.address))
    }
}
