import Base
import Domain
import Storage

/// Somebody on a list of those who follow or are followed.
struct FollowEntry: RowDecodable, Sendable {
    let user: UserRow
    let tags: TagSet
    /// With their home.
    let person: UserReference
    /// Since when the one whose list it is follows them; nil where they do not.
    let followingAt: Timestamp?
    /// Whether each follows the other.
    let isMutual: Bool

    init(row: borrowing Row) throws(DatabaseError) {
        user = try UserRow(row: row)
        tags = try row.value(12, "tags")
        person = try row.value(13, "person")
        followingAt = try row.value(14, "following_at")
        isMutual = try row.value(15, "is_mutual")
    }
}

/// Who follows whom. People are named with their homes; those of this node also by their account.
enum FollowStore {
    /// How many one user follows.
    static let limit = 5_000

    private static let insert = Command<
        UserReference, UserReference, UserID?, UserID?, Timestamp
    >(
        """
        INSERT INTO follow (follower, followed, follower_id, followed_id, followed_at)
        VALUES (?1, ?2, ?3, ?4, ?5)
        """)
    private static let delete = Command<UserReference, UserReference>(
        "DELETE FROM follow WHERE follower = ?1 AND followed = ?2")
    private static let since = Query<UserReference, UserReference, Timestamp>(
        "SELECT followed_at FROM follow WHERE follower = ?1 AND followed = ?2")
    private static let followed = Query<UserReference, UserReference>(
        "SELECT followed FROM follow WHERE follower = ?1 ORDER BY followed")
    private static let followers = Query<UserReference, UserReference>(
        "SELECT follower FROM follow WHERE followed = ?1 ORDER BY follower")
    private static let countFollowed = Query<UserReference, Int>(
        "SELECT count(*) FROM follow WHERE follower = ?1")
    private static let countFollowers = Query<UserReference, Int>(
        "SELECT count(*) FROM follow WHERE followed = ?1")

    private static let search: SQL = """
        (?2 IS NULL OR instr(username_key, ?2) > 0 OR instr(displayname_key, ?2) > 0)
        """
    private static let tags: SQL = """
        (SELECT coalesce(group_concat(tag, ' '), '') FROM user_tag WHERE user_id = user.id)
        """
    private static let pageOfFollowed = Query<UserReference, String?, String, Int, FollowEntry>(
        """
        SELECT \(UserRow.columns), \(tags) AS tags, followed AS person,
            followed_at AS following_at,
            EXISTS (
                SELECT 1 FROM follow AS back
                WHERE back.follower = follow.followed AND back.followed = ?1) AS is_mutual
        FROM follow JOIN user ON user.id = followed_id
        WHERE follower = ?1 AND \(search) AND followed > ?3
        ORDER BY followed
        LIMIT ?4
        """)
    private static let pageOfFollowers = Query<UserReference, String?, String, Int, FollowEntry>(
        """
        SELECT \(UserRow.columns), \(tags) AS tags, follower AS person,
            (SELECT back.followed_at FROM follow AS back
                WHERE back.follower = ?1 AND back.followed = follow.follower) AS following_at,
            EXISTS (
                SELECT 1 FROM follow AS back
                WHERE back.follower = ?1 AND back.followed = follow.follower) AS is_mutual
        FROM follow JOIN user ON user.id = follower_id
        WHERE followed = ?1 AND \(search) AND follower > ?3
        ORDER BY follower
        LIMIT ?4
        """)
    private static let friends = Query<UserReference, UserID>(
        """
        SELECT user.id FROM follow AS there
        JOIN follow AS back
            ON back.follower = there.followed AND back.followed = there.follower
        JOIN user ON user.id = there.followed_id
        WHERE there.follower = ?1 AND user.status <> 'offline'
        """)
    private static let isFriendOfMember = Query<UserReference, InstanceID, Bool>(
        """
        SELECT EXISTS (
            SELECT 1 FROM player
            JOIN follow AS there ON there.follower = ?1 AND there.followed = player.user
            JOIN follow AS back ON back.follower = player.user AND back.followed = ?1
            WHERE instance_id = ?2)
        """)

    /// The people whom `?6` follows and who follow back, for a filter of instances.
    static let friendsOfViewer: SQL = """
        SELECT there.followed FROM follow AS there
        JOIN follow AS back
            ON back.follower = there.followed AND back.followed = there.follower
        WHERE there.follower = ?6
        """

    /// One follows another from now on; 37 when they do already.
    static func insert(
        _ follower: (reference: UserReference, id: UserID?),
        follows followed: (reference: UserReference, id: UserID?), at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        let violation = try transaction.attempt(
            insert, follower.reference, followed.reference, follower.id, followed.id, now)
        guard let violation else { return }
        if violation.kind == .unique { throw APIError(.alreadyFollowing) }
        throw violation.kind == .foreignKey
            ? APIError(.userNotFound) : .internalError("follow: \(violation)")
    }

    /// One follows another no more; false when they did not.
    static func delete(
        _ follower: UserReference, follows followed: UserReference,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Bool {
        try transaction.run(delete, follower, followed) > 0
    }

    /// Since when one follows another; nil when they do not.
    static func since(
        _ follower: UserReference, follows followed: UserReference,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Timestamp? {
        try reader.first(since, follower, followed)
    }

    /// Since when the first follows the second, where the second follows back.
    static func friends(
        _ person: UserReference, _ other: UserReference, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Timestamp? {
        guard let since = try since(person, follows: other, reader),
            try self.since(other, follows: person, reader) != nil
        else { return nil }
        return since
    }

    /// The users of this node who follow a person and are followed, but for those who want to
    /// appear offline.
    static func friends(
        of person: UserReference, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [UserID] {
        try reader.all(friends, person)
    }

    /// Whether somebody in that instance and that person follow each other.
    static func isFriendOfMember(
        _ person: UserReference, of instance: InstanceID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Bool {
        try reader.first(isFriendOfMember, person, instance) ?? false
    }

    /// All whom a person follows.
    static func followed(
        by person: UserReference, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [UserReference] {
        try reader.all(followed, person)
    }

    /// All who follow a person.
    static func followers(
        of person: UserReference, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [UserReference] {
        try reader.all(followers, person)
    }

    /// How many a person follows.
    static func countFollowed(
        by person: UserReference, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Int {
        try reader.first(countFollowed, person) ?? 0
    }

    /// How many follow a person.
    static func countFollowers(
        of person: UserReference, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Int {
        try reader.first(countFollowers, person) ?? 0
    }

    /// At most `limit` of whom a person follows, behind `after`.
    static func followed(
        by person: UserReference, search: String?, after: String, limit: Int,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [FollowEntry] {
        try reader.all(pageOfFollowed, person, search, after, limit)
    }

    /// At most `limit` of who follow a person, behind `after`.
    static func followers(
        of person: UserReference, search: String?, after: String, limit: Int,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [FollowEntry] {
        try reader.all(pageOfFollowers, person, search, after, limit)
    }
}
