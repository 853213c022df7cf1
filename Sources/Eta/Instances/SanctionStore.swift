import Base
import Domain
import Storage

/// What holds against people in instances. What has ended is swept away within a second: what
/// is kept, holds.
enum SanctionStore {
    /// What is kept against somebody: what is listed, and that they were kicked a moment ago.
    enum Kind: String, Sendable, CaseIterable {
        case ban, mute, kick

        init(_ type: SanctionType) {
            self =
                switch type {
                case .ban: .ban
                case .mute: .mute
                }
        }
    }
    /// A sanction as it is listed.
    struct ListedRow: RowDecodable, Sendable {
        static let columns: SQL = "user, type, reason, decided_by, until, created_at"
        let sanction: Sanction

        init(row: borrowing Row) throws(DatabaseError) {
            sanction = Sanction(
                user: try row.value(0, "user"), type: try row.value(1, "type"),
                reason: try row.value(2, "reason"), by: try row.value(3, "decided_by"),
                until: try row.value(4, "until"), createdAt: try row.value(5, "created_at"))
        }
    }
    /// One that has ended.
    struct EndedRow: RowDecodable, Sendable {
        let instance: InstanceID
        let user: UserReference
        let kind: Kind

        init(row: borrowing Row) throws(DatabaseError) {
            instance = try row.value(0, "instance_id")
            user = try row.value(1, "user")
            kind = try row.value(2, "type")
        }
    }

    private static let page = Query<InstanceID, String, Int, ListedRow>(
        """
        SELECT \(ListedRow.columns) FROM sanction
        WHERE instance_id = ?1 AND type <> 'kick' AND user || ' ' || type > ?2
        ORDER BY user || ' ' || type
        LIMIT ?3
        """)
    private static let count = Query<InstanceID, Int>(
        "SELECT count(*) FROM sanction WHERE instance_id = ?1 AND type <> 'kick'")
    private static let isBarred = Query<InstanceID, UserReference, Bool>(
        """
        SELECT EXISTS (
            SELECT 1 FROM sanction
            WHERE instance_id = ?1 AND user = ?2 AND type IN ('ban', 'kick'))
        """)
    private static let against = Query<UserReference, ListedRow>(
        """
        SELECT \(ListedRow.columns) FROM sanction WHERE user = ?1 AND type <> 'kick'
        ORDER BY created_at
        """)
    private static let inInstance = Query<UserReference, InstanceID, ListedRow>(
        """
        SELECT \(ListedRow.columns) FROM sanction
        WHERE user = ?1 AND instance_id = ?2 AND type <> 'kick'
        """)
    private static let ended = Query<Timestamp, EndedRow>(
        "SELECT instance_id, user, type FROM sanction WHERE until <= ?1 LIMIT 256")
    private static let set = Command<
        InstanceID, UserReference, Kind, Reason?, UserReference, Timestamp?, Timestamp
    >(
        """
        INSERT INTO sanction (
            instance_id, user, type, reason, decided_by, until, created_at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
        ON CONFLICT DO UPDATE SET
            reason = ?4, decided_by = ?5, until = ?6, created_at = ?7
        """)
    private static let deleteAll = Command<UserReference>("DELETE FROM sanction WHERE user = ?1")
    private static let delete = Command<InstanceID, UserReference, Kind>(
        "DELETE FROM sanction WHERE instance_id = ?1 AND user = ?2 AND type = ?3")

    /// Whether a row of `player` is of somebody who is muted.
    static let isMuted: SQL = """
        EXISTS (
            SELECT 1 FROM sanction
            WHERE sanction.instance_id = player.instance_id AND sanction.user = player.user
                AND type = 'mute')
        """

    /// At most `limit` of an instance, behind `after`, which is a user and a type.
    static func page(
        in instance: InstanceID, after: String, limit: Int, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [Sanction] {
        try reader.all(page, instance, after, limit).map(\.sanction)
    }

    /// How many bans and mutes an instance has.
    static func count(
        in instance: InstanceID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Int {
        try reader.first(count, instance) ?? 0
    }

    /// Whether a person is banned from an instance, or was kicked a moment ago.
    static func isBarred(
        _ user: UserReference, from instance: InstanceID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Bool {
        try reader.first(isBarred, instance, user) ?? false
    }

    /// What holds against a person, wherever.
    static func all(
        against user: UserReference, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [Sanction] {
        try reader.all(against, user).map(\.sanction)
    }

    /// What holds against a person in one instance.
    static func all(
        against user: UserReference, in instance: InstanceID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [Sanction] {
        try reader.all(inInstance, user, instance).map(\.sanction)
    }

    /// Nothing holds against a person any more, anywhere.
    static func deleteAll(
        against user: UserReference, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(deleteAll, user)
    }

    /// Some that have ended by themselves.
    static func ended(
        at now: Timestamp, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [EndedRow] {
        try reader.all(ended, now)
    }

    /// Holds from now on; replaces what held of the same kind.
    static func set(
        _ kind: Kind, against user: UserReference, in instance: InstanceID, reason: Reason?,
        by judge: UserReference, until end: Timestamp?, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(set, instance, user, kind, reason, judge, end, now)
    }

    /// Holds no more; false when it did not.
    static func delete(
        _ kind: Kind, against user: UserReference, in instance: InstanceID,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Bool {
        try transaction.run(delete, instance, user, kind) > 0
    }
}

extension SanctionStore.Kind: ColumnValue {}
