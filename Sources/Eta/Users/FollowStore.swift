import Base
import Domain
import Storage

/// Somebody on a list of those who follow or are followed.
struct FollowEntry: RowDecodable, Sendable {
    /// Who they are.
    enum Account {
        case here(UserRow, TagSet)
        case abroad(PersonAbroad)
    }

    let account: Account
    /// With their home.
    let person: UserReference
    /// Since when the one whose list it is follows them; nil where they do not.
    let followingAt: Timestamp?
    /// Whether each follows the other.
    let isMutual: Bool

    init(row: borrowing Row) throws(DatabaseError) {
        let isHere: Bool = try row.value(16, "is_here")
        account =
            isHere
            ? .here(try UserRow(row: row), try row.value(12, "tags"))
            : .abroad(
                PersonAbroad(
                    try row.value(17, "profile", as: StoredProfile.self).user,
                    status: try row.value(18, "presence")))
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
        (user.id IS NOT NULL OR person_abroad.person IS NOT NULL)
        AND (?2 IS NULL OR instr(user.username_key, ?2) > 0
            OR instr(user.displayname_key, ?2) > 0
            OR instr(person_abroad.name_key, ?2) > 0
            OR instr(person_abroad.label_key, ?2) > 0)
        """
    /// What is told of somebody on a list, from here or elsewhere.
    private static let account: SQL = """
        user.id IS NOT NULL AS is_here, person_abroad.profile AS profile,
        person_abroad.presence AS presence
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
                WHERE back.follower = follow.followed AND back.followed = ?1) AS is_mutual,
            \(account)
        FROM follow LEFT JOIN user ON user.id = followed_id
            LEFT JOIN person_abroad ON person_abroad.person = followed
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
                WHERE back.follower = ?1 AND back.followed = follow.follower) AS is_mutual,
            \(account)
        FROM follow LEFT JOIN user ON user.id = follower_id
            LEFT JOIN person_abroad ON person_abroad.person = follower
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
    private static let friendships = Query<UserReference, Friendship>(
        """
        SELECT there.followed AS person, back.followed_at AS since FROM follow AS there
        JOIN follow AS back
            ON back.follower = there.followed AND back.followed = there.follower
        WHERE there.follower = ?1
        LIMIT 5000
        """)
    private static let isKnown = Query<UserReference, Bool>(
        "SELECT EXISTS (SELECT 1 FROM follow WHERE follower = ?1 OR followed = ?1)")
    private static let followersAtHome = Query<UserReference, String, Int>(
        """
        SELECT count(*) FROM follow
        WHERE followed = ?1 AND follower_id IS NULL AND substr(follower, 39) = ?2
        """)
    private static let deleteAll = Command<UserReference>(
        "DELETE FROM follow WHERE follower = ?1 OR followed = ?1")
    // A person of another node is `u_` and a UUID, 38 characters, then `@` and the address.
    private static let homesOfFollowers = Query<UserReference, ServerAddress>(
        """
        SELECT DISTINCT substr(follower, 40) FROM follow
        WHERE followed = ?1 AND follower_id IS NULL
        LIMIT 1000
        """)
    private static let homesOfFriends = Query<UserReference, ServerAddress>(
        """
        SELECT DISTINCT substr(there.followed, 40) FROM follow AS there
        JOIN follow AS back
            ON back.follower = there.followed AND back.followed = there.follower
        WHERE there.follower = ?1 AND there.followed_id IS NULL
        LIMIT 1000
        """)
    private static let homesOfAllAround = Query<UserReference, ServerAddress>(
        """
        SELECT DISTINCT substr(follower, 40) FROM follow
        WHERE followed = ?1 AND follower_id IS NULL
        UNION
        SELECT DISTINCT substr(followed, 40) FROM follow
        WHERE follower = ?1 AND followed_id IS NULL
        LIMIT 1000
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

    /// A friend, and since when they follow.
    struct Friendship: RowDecodable {
        let person: UserReference
        let since: Timestamp

        init(row: borrowing Row) throws(DatabaseError) {
            person = try row.value(0, "person")
            since = try row.value(1, "since")
        }
    }

    /// All friends of a person.
    static func friendships(
        of person: UserReference, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [Friendship] {
        try reader.all(friendships, person)
    }

    /// Whether a person follows somebody here, or is followed.
    static func isKnown(
        _ person: UserReference, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Bool {
        try reader.first(isKnown, person) ?? false
    }

    /// How many from the home of `other`, which is another node, follow a person.
    static func countFollowers(
        of person: UserReference, from other: UserReference,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Int {
        let home = other.server.map { "@\($0)" } ?? ""
        return try reader.first(followersAtHome, person, home) ?? 0
    }

    /// A person follows nobody any more, and is followed by nobody.
    static func deleteAll(
        of person: UserReference, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(deleteAll, person)
    }

    /// The other nodes from which somebody follows a user of this one.
    static func homes(
        ofFollowersOf person: UserReference, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [ServerAddress] {
        try reader.all(homesOfFollowers, person)
    }

    /// The other nodes on which a user of this one has friends.
    static func homes(
        ofFriendsOf person: UserReference, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [ServerAddress] {
        try reader.all(homesOfFriends, person)
    }

    /// The other nodes from which somebody follows a user of this one, or is followed.
    static func homes(
        ofAllAround person: UserReference, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [ServerAddress] {
        try reader.all(homesOfAllAround, person)
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
