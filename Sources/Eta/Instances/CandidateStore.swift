import Base
import Domain
import Storage

/// Somebody who asked to enter an instance, or was asked to.
struct CandidateRow: RowDecodable, Sendable {
    static let columns: SQL = "user, state, decided_by, since"

    /// With their home.
    let user: UserReference
    /// Asked, invited or admitted.
    let state: CandidateState
    /// Who invited them or let them in.
    let by: UserReference?
    let since: Timestamp

    init(row: borrowing Row) throws(DatabaseError) {
        user = try row.value(0, "user")
        state = try row.value(1, "state")
        by = try row.value(2, "decided_by")
        since = try row.value(3, "since")
    }

    /// As the staff sees it.
    var candidate: Candidate { Candidate(user: user, state: state, by: by, since: since) }
}

/// Who asked to enter an instance, and who was invited or let in.
enum CandidateStore {
    private static let one = Query<InstanceID, UserReference, CandidateRow>(
        "SELECT \(CandidateRow.columns) FROM candidate WHERE instance_id = ?1 AND user = ?2")
    private static let page = Query<InstanceID, String, Int, CandidateRow>(
        """
        SELECT \(CandidateRow.columns) FROM candidate
        WHERE instance_id = ?1 AND user > ?2
        ORDER BY user
        LIMIT ?3
        """)
    private static let count = Query<InstanceID, Int>(
        "SELECT count(*) FROM candidate WHERE instance_id = ?1")
    private static let isLetIn = Query<InstanceID, UserReference, Bool>(
        """
        SELECT EXISTS (
            SELECT 1 FROM candidate
            WHERE instance_id = ?1 AND user = ?2 AND state <> 'asked')
        """)
    private static let set = Command<
        InstanceID, UserReference, CandidateState, UserReference?, Timestamp
    >(
        """
        INSERT INTO candidate (instance_id, user, state, decided_by, since)
        VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT DO UPDATE SET state = ?3, decided_by = ?4, since = ?5
        """)
    private static let delete = Command<InstanceID, UserReference>(
        "DELETE FROM candidate WHERE instance_id = ?1 AND user = ?2")
    private static let deleteAll = Command<UserReference>("DELETE FROM candidate WHERE user = ?1")

    /// Those whom `?6` was let into, for a filter of instances.
    static let letIn: SQL = "SELECT instance_id FROM candidate WHERE user = ?6 AND state <> 'asked'"

    /// One person at an instance.
    static func find(
        _ user: UserReference, in instance: InstanceID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> CandidateRow? {
        try reader.first(one, instance, user)
    }

    /// At most `limit` of an instance, behind `after`.
    static func page(
        in instance: InstanceID, after: String, limit: Int, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [CandidateRow] {
        try reader.all(page, instance, after, limit)
    }

    /// How many an instance has.
    static func count(
        in instance: InstanceID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Int {
        try reader.first(count, instance) ?? 0
    }

    /// Whether a person was invited or let in.
    static func isLetIn(
        _ user: UserReference, to instance: InstanceID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Bool {
        try reader.first(isLetIn, instance, user) ?? false
    }

    /// A person stands so from now on.
    static func set(
        _ candidate: Candidate, in instance: InstanceID,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(
            set, instance, candidate.user, candidate.state, candidate.by, candidate.since)
    }

    /// A person is no candidate any more; false when they were none.
    static func delete(
        _ user: UserReference, from instance: InstanceID,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Bool {
        try transaction.run(delete, instance, user) > 0
    }

    /// A person is none anywhere.
    static func deleteAll(
        of user: UserReference, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(deleteAll, user)
    }
}
