import Base
import Domain
import Storage

/// Rows that speak by value, where the schema checks nothing, of what is not there any more. They
/// belong to no feature: a registry that does what it should never has any.
enum OrphanStore {
    private static let grants = Query<Int>(
        """
        SELECT count(*) FROM outgoing_integrity
        WHERE NOT EXISTS (SELECT 1 FROM session WHERE session.id = session_id)
        """)
    private static let people = Query<UserReference>(
        """
        SELECT user FROM player
        UNION SELECT user FROM waiting
        UNION SELECT owner FROM instance
        UNION SELECT follower FROM follow
        UNION SELECT followed FROM follow
        """)

    /// What is wrong, one line each.
    static func problems(_ reader: borrowing Reader<APIError>) throws(APIError) -> [String] {
        var problems: [String] = []
        let grants = try reader.first(grants) ?? 0
        if grants > 0 { problems.append("\(grants) grants abroad are of logins that are over") }
        let (sum, total) = (try FileTable.sum(reader), try FileTable.total(reader))
        if sum != total { problems.append("files are counted as \(total) bytes, not \(sum)") }
        guard let home = try NodeStore.address(reader) else { return problems }
        for person in try reader.all(people) where person.isInternal(to: home) {
            if try UserStore.find(person.id, reader) == nil {
                problems.append("\(person) plays, waits, owns or follows, and has no account")
            }
        }
        return problems
    }
}
