import API
import Base
import Domain
import Storage

/// A user of another node who follows somebody here, or is followed, as their home describes them.
struct PersonAbroad: RowDecodable, Sendable {
    static let columns: SQL = "profile, presence"

    let profile: User
    /// How they are to their friends, as their home last said.
    let status: UserStatus

    /// A person whom their home describes so.
    init(_ profile: User, status: UserStatus) {
        self.profile = profile
        self.status = status
    }

    init(row: borrowing Row) throws(DatabaseError) {
        profile = try row.value(0, "profile", as: StoredProfile.self).user
        status = try row.value(1, "presence")
    }
}

/// Users of other nodes of whom something is known here.
enum PersonAbroadStore {
    private static let one = Query<UserReference, PersonAbroad>(
        "SELECT \(PersonAbroad.columns) FROM person_abroad WHERE person = ?1")
    private static let byName = Query<ServerAddress, String, UserReference>(
        "SELECT person FROM person_abroad WHERE server = ?1 AND name_key = ?2")
    private static let insert = Command<
        UserReference, ServerAddress, String, String, StoredProfile
    >(
        """
        INSERT INTO person_abroad (person, server, name_key, label_key, profile, presence)
        VALUES (?1, ?2, ?3, ?4, ?5, 'offline')
        ON CONFLICT DO UPDATE SET name_key = ?3, label_key = ?4, profile = ?5
        """)
    private static let setStatus = Command<UserReference, UserStatus>(
        "UPDATE person_abroad SET presence = ?2 WHERE person = ?1")
    private static let delete = Command<UserReference>(
        "DELETE FROM person_abroad WHERE person = ?1")
    private static let forget = Command<UserReference>(
        """
        DELETE FROM person_abroad WHERE person = ?1
            AND NOT EXISTS (SELECT 1 FROM follow WHERE follower = ?1 OR followed = ?1)
        """)

    /// What is known of a person.
    static func find(
        _ person: UserReference, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> PersonAbroad? {
        try reader.first(one, person)
    }

    /// The person of that name at a node.
    static func find(
        _ name: Username, at home: ServerAddress, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> UserReference? {
        try reader.first(byName, home, name.folded)
    }

    /// How a person's home describes them now.
    static func set(
        _ profile: User, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(
            insert, UserReference(profile.id, at: profile.server), profile.server,
            profile.username.folded, profile.displayname.text.lowercased(),
            StoredProfile(profile))
    }

    /// How a person is to their friends now.
    static func set(
        _ status: UserStatus, of person: UserReference,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(setStatus, person, status)
    }

    /// Nothing is known of a person any more.
    static func delete(
        _ person: UserReference, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(delete, person)
    }

    /// The same, where nobody here follows them or is followed.
    static func forgetIfStrange(
        _ person: UserReference, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(forget, person)
    }
}
