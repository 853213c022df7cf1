import API
import Base
import Crypto
import Domain
import Storage

/// An account as it is kept, without its tags.
struct UserRow: RowDecodable {
    static let columns: SQL = """
        id, username, displayname, description, email, status, password, home, thumbnail, banner,
        created_at, updated_at
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
    /// The image in the node's own store.
    var thumbnail: SHA256Digest?
    /// The same.
    var banner: SHA256Digest?
    var createdAt: Timestamp
    var updatedAt: Timestamp

    init(row: borrowing Row) throws(DatabaseError) {
        id = try row.value(0, "id")
        username = try row.value(1, "username")
        displayname = try row.value(2, "displayname")
        description = try row.value(3, "description")
        email = try row.value(4, "email")
        status = try row.value(5, "status")
        password = try row.value(6, "password")
        home = try row.value(7, "home")
        thumbnail = try row.value(8, "thumbnail")
        banner = try row.value(9, "banner")
        createdAt = try row.value(10, "created_at")
        updatedAt = try row.value(11, "updated_at")
    }
}

/// An account with its tags, for lists.
private struct UserEntry: RowDecodable {
    let user: UserRow
    let tags: TagSet

    init(row: borrowing Row) throws(DatabaseError) {
        user = try UserRow(row: row)
        tags = try row.value(12, "tags")
    }
}

/// Accounts and their tags.
enum UserStore {
    /// Which accounts a list is of.
    struct Filter: Sendable {
        /// Who may be on the list.
        enum Among: Sendable {
            /// All but the node's own account.
            case all(but: UserID)
            case these([UserID])
        }

        let among: Among
        /// In lower case; nil for all.
        let search: String?
        let tag: Tag?
    }

    private static let byID = Query<UserID, UserRow>(
        "SELECT \(UserRow.columns) FROM user WHERE id = ?1")
    private static let byName = Query<String, UserRow>(
        "SELECT \(UserRow.columns) FROM user WHERE username_key = ?1")
    private static let byEmail = Query<String, UserRow>(
        "SELECT \(UserRow.columns) FROM user WHERE email_key = ?1")
    private static let tagsOf = Query<UserID, Tag>(
        "SELECT tag FROM user_tag WHERE user_id = ?1 ORDER BY tag")
    private static let oldestAdministrator = Query<UserRow>(
        """
        SELECT \(UserRow.columns) FROM user
        WHERE id IN (SELECT user_id FROM user_tag WHERE tag = 'avr:admin')
        ORDER BY created_at, id
        LIMIT 1
        """)
    private static let isAdministered = Query<Bool>(
        """
        SELECT EXISTS (
            SELECT 1 FROM user_tag AS mine
            WHERE tag = 'avr:admin' AND NOT EXISTS (
                SELECT 1 FROM user_tag WHERE user_id = mine.user_id AND tag = 'avr:disabled'))
        """)
    private static let isOnlyAdministrator = Query<UserID, Bool>(
        """
        SELECT EXISTS (SELECT 1 FROM user_tag WHERE user_id = ?1 AND tag = 'avr:admin')
            AND NOT EXISTS (
                SELECT 1 FROM user_tag AS other
                WHERE tag = 'avr:admin' AND user_id <> ?1 AND NOT EXISTS (
                    SELECT 1 FROM user_tag
                    WHERE user_id = other.user_id AND tag = 'avr:disabled'))
        """)

    private static let countPeople = Query<Int>(
        "SELECT count(*) FROM user WHERE password IS NOT NULL")

    private static let match: SQL = """
        (?2 IS NULL OR instr(username_key, ?2) > 0 OR instr(displayname_key, ?2) > 0)
        AND (?3 IS NULL
            OR EXISTS (SELECT 1 FROM user_tag WHERE user_id = user.id AND tag = ?3))
        """
    private static let others: SQL = "id <> ?1 AND \(match)"
    private static let pageOfOthers: PageOf<UserID> = page(others)
    private static let countOfOthers: CountOf<UserID> = count(others)
    private static let named: SQL = "id IN (\(SQL.idList)) AND \(match)"
    private static let pageOfNamed: PageOf<IDList<UserKind>> = page(named)
    private static let countOfNamed: CountOf<IDList<UserKind>> = count(named)

    private static let found = Query<SearchMatch, Int, UserID>(
        """
        SELECT user_id FROM user_text
        WHERE row IN (SELECT rowid FROM user_search WHERE user_search MATCH ?1 LIMIT ?2)
        """)
    private static let matches = Query<SearchMatch, Int>(
        "SELECT count(*) FROM user_search WHERE user_search MATCH ?1")
    private static let isOther = Query<UserID, String?, Tag?, Bool>(
        "SELECT NOT EXISTS (SELECT 1 FROM user WHERE id = ?1 AND \(match))")
    private static let tagged: SQL = """
        id IN (SELECT user_id FROM user_tag
            WHERE tag = ?3 AND user_id <> ?1 AND user_id > ?4 ORDER BY user_id LIMIT ?5)
        AND ?2 IS NULL
        """
    private static let pageOfTagged: PageOf<UserID> = page(tagged)

    private typealias PageOf<Who: ColumnValue> = Query<
        Who, String?, Tag?, [UInt8], Int, UserEntry
    >
    private typealias CountOf<Who: ColumnValue> = Query<Who, String?, Tag?, Int>

    private static func page<Who: ColumnValue>(_ which: SQL) -> PageOf<Who> {
        Query(pageText(which))
    }

    private static func pageText(_ which: SQL) -> SQL {
        """
        SELECT \(UserRow.columns),
            (SELECT coalesce(group_concat(tag, ' '), '') FROM user_tag
                WHERE user_id = user.id) AS tags
        FROM user
        WHERE \(which) AND id > ?4
        ORDER BY id
        LIMIT ?5
        """
    }

    private static func count<Who: ColumnValue>(_ which: SQL) -> CountOf<Who> {
        Query("SELECT count(*) FROM user WHERE \(which)")
    }

    private static let insertUser = Command<
        UserID, Username, String, DisplayName, String, EmailAddress?, String?, String?, Timestamp
    >(
        """
        INSERT INTO user (
            id, username, username_key, displayname, displayname_key, email, email_key, password,
            created_at, updated_at
        ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)
        """)
    private static let updateUser = Command<
        UserID, Username, String, DisplayName, String, Description?, EmailAddress?, String?,
        UserStatus, String?, WorldReference?, SHA256Digest?, SHA256Digest?, Timestamp
    >(
        """
        UPDATE user SET
            username = ?2, username_key = ?3, displayname = ?4, displayname_key = ?5,
            description = ?6, email = ?7, email_key = ?8, status = ?9, password = ?10, home = ?11,
            thumbnail = ?12, banner = ?13, updated_at = ?14
        WHERE id = ?1
        """)
    private static let setPassword = Command<UserID, String>(
        "UPDATE user SET password = ?2 WHERE id = ?1")
    private static let deleteUser = Command<UserID>("DELETE FROM user WHERE id = ?1")
    private static let insertTag = Command<UserID, Tag>(
        "INSERT OR IGNORE INTO user_tag (user_id, tag) VALUES (?1, ?2)")
    private static let deleteTags = Command<UserID>("DELETE FROM user_tag WHERE user_id = ?1")

    /// How many accounts somebody can log in to.
    static func countPeople(_ reader: borrowing Reader<APIError>) throws(APIError) -> Int {
        try reader.first(countPeople) ?? 0
    }

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

    /// Whether an account may not act: it is disabled, or its user suspended.
    static func isBarred(
        _ id: UserID, _ tags: TagSet, _ node: Node, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Bool {
        if tags.contains(.disabled) { return true }
        return try SuspensionStore.find(node.reference(id), reader) != nil
    }

    /// The same of an account whose tags are not at hand.
    static func isBarred(
        _ id: UserID, _ node: Node, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Bool {
        try isBarred(id, try tags(id, reader), node, reader)
    }

    /// The tags of an account.
    static func tags(
        _ id: UserID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> TagSet {
        TagSet(try reader.all(tagsOf, id).prefix(TagSet.limit)) ?? []
    }

    /// The administrator who has been here longest.
    static func oldestAdministrator(
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> UserRow? {
        try reader.first(oldestAdministrator)
    }

    /// Whether any account is left that may do what the operator may.
    static func isAdministered(_ reader: borrowing Reader<APIError>) throws(APIError) -> Bool {
        try reader.first(isAdministered) ?? false
    }

    /// Whether that account, and no other, may do what the operator may.
    static func isOnlyAdministrator(
        _ id: UserID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Bool {
        try reader.first(isOnlyAdministrator, id) ?? false
    }

    /// At most `limit` accounts behind `after`, with their tags, and how many there are in all.
    static func page(
        _ filter: Filter, after: [UInt8], limit: Int, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (entries: [(user: UserRow, tags: TagSet)], total: Int) {
        let entries: [UserEntry]
        let total: Int?
        let (search, tag) = (filter.search, filter.tag)
        switch filter.among {
        case .all(let account):
            (entries, total) = try pageOfAll(but: account, filter, after, limit, reader)
        case .these(let users):
            let ids = IDList(users)
            entries = try reader.all(pageOfNamed, ids, search, tag, after, limit)
            total = try reader.first(countOfNamed, ids, search, tag)
        }
        return (entries.map { ($0.user, $0.tags) }, total ?? 0)
    }

    /// The same of all accounts, by whatever finds them soonest.
    private static func pageOfAll(
        but account: UserID, _ filter: Filter, _ after: [UInt8], _ limit: Int,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> ([UserEntry], Int?) {
        let (search, tag) = (filter.search, filter.tag)
        var total: Int?
        let wanted = search.map {
            SearchMatch.Wanted(columns: "username displayname", text: $0)
        }
        // Where the index of names finds few, only they are looked at.
        for attempt in SearchMatch.attempts(wanted.map { [$0] } ?? []) {
            let few = try reader.all(found, attempt, SearchMatch.few + 1)
            guard few.count <= SearchMatch.few else { continue }
            let ids = IDList(few.filter { $0 != account })
            return (
                try reader.all(pageOfNamed, ids, search, tag, after, limit),
                try reader.first(countOfNamed, ids, search, tag)
            )
        }
        if let match = wanted.flatMap({ SearchMatch([$0]) }) {
            if tag == nil { total = try reader.first(matches, match) }
        } else if search == nil {
            total = try ListTotals.count(tag.map { "tag:\($0.text)" } ?? "user", reader)
        }
        let isTagged = search == nil && tag != nil
        let entries = try reader.all(
            isTagged ? pageOfTagged : pageOfOthers, account, search, tag, after, limit)
        guard let total else {
            return (entries, try reader.first(countOfOthers, account, search, tag))
        }
        let isOther = try reader.first(isOther, account, search, tag) ?? true
        return (entries, total - (isOther ? 0 : 1))
    }

    /// Makes an account; 67 when its name or email address is taken.
    static func insert(
        _ id: UserID, username: Username, displayname: DisplayName?, email: EmailAddress?,
        password: String?, tags: TagSet, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        let displayname = displayname ?? DisplayName(username)
        let violation = try transaction.attempt(
            insertUser, id, username, username.folded, displayname,
            displayname.text.lowercased(), email, email?.folded, password, now)
        if let violation { throw taken(violation) }
        for tag in tags.tags { try transaction.run(insertTag, id, tag) }
    }

    /// Keeps an account as it is now; 67 when its name or email address is taken.
    static func update(
        _ user: UserRow, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        let violation = try transaction.attempt(
            updateUser, user.id, user.username, user.username.folded, user.displayname,
            user.displayname.text.lowercased(), user.description, user.email, user.email?.folded,
            user.status, user.password, user.home, user.thumbnail, user.banner, user.updatedAt)
        if let violation { throw taken(violation) }
    }

    /// Replaces the tags of an account.
    static func setTags(
        _ tags: TagSet, of id: UserID, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(deleteTags, id)
        for tag in tags.tags { try transaction.run(insertTag, id, tag) }
    }

    /// Replaces the hash of an account's password.
    static func setPassword(
        _ encoded: String, of id: UserID, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(setPassword, id, encoded)
    }

    /// Deletes an account, and by the schema what belongs to it alone.
    static func delete(
        _ id: UserID, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(deleteUser, id)
    }

    private static func taken(_ violation: ConstraintViolation) -> APIError {
        let field =
            switch violation {
            case _ where violation.isUnique("user.email_key"): "email"
            case _ where violation.isUnique("user.username_key"): "username"
            case _: "id"
            }
        return APIError(.alreadyExists, field: field, "is taken")
    }
}

extension UserRow {
    /// As everybody sees it.
    func user(_ tags: TagSet, _ node: Node) -> User {
        User(
            id: id, username: username, displayname: displayname, description: description,
            thumbnail: image("thumbnail", thumbnail, node), banner: image("banner", banner, node),
            tags: tags, server: node.address, createdAt: createdAt, updatedAt: updatedAt)
    }

    /// The URL names the image's bytes, so that who has it once need never ask again.
    private func image(_ name: String, _ digest: SHA256Digest?, _ node: Node) -> WebURL? {
        digest.map { node.gateway.url("/api/users/\(id)/\(name)?hash=\($0.hex)") }
    }

    /// As they themself see it.
    func themself(
        _ tags: TagSet, following: [UserReference], _ node: Node
    ) -> UserMe {
        UserMe(
            user: user(tags, node), email: email, status: status, following: following,
            home: home?.absolute(at: node.address))
    }

    /// As a friend sees it who has followed since then.
    func friend(
        _ tags: TagSet, since: Timestamp, _ node: Node, _ presence: Presence
    ) -> UserFriend {
        UserFriend(
            user: user(tags, node), followingAt: since,
            status: presence.isOnline(id) ? status : .offline)
    }
}
