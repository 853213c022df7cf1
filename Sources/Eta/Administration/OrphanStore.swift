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

    /// What is kept beside the rows, and is not as they are.
    private static let stale = Query<String>(
        """
        SELECT name FROM list_total
        WHERE count <> CASE name
            WHEN 'user' THEN (SELECT count(*) FROM user)
            WHEN 'world' THEN (SELECT count(*) FROM world)
            WHEN 'private' THEN
                (SELECT count(*) FROM world WHERE instr(tags, ' avr:private ') > 0)
            ELSE (SELECT count(*) FROM user_tag WHERE tag = substr(name, 5)) END
        UNION ALL SELECT 'names of users' WHERE EXISTS (
            SELECT 1 FROM user LEFT JOIN user_text ON user_id = id
            WHERE user_text.username IS NOT username_key OR user_text.displayname IS NOT displayname_key)
        UNION ALL SELECT 'titles of worlds' WHERE EXISTS (
            SELECT 1 FROM world LEFT JOIN world_text ON world_id = id
            WHERE world_text.title IS NOT title_key OR world_text.tags IS NOT world.tags)
        """)

    /// What is wrong, one line each.
    static func problems(_ reader: borrowing Reader<APIError>) throws(APIError) -> [String] {
        var problems: [String] = []
        let grants = try reader.first(grants) ?? 0
        if grants > 0 { problems.append("\(grants) grants abroad are of logins that are over") }
        let (sum, total) = (try FileTable.sum(reader), try FileTable.total(reader))
        if sum != total { problems.append("files are counted as \(total) bytes, not \(sum)") }
        for name in try reader.all(stale) { problems.append("lists are wrong about \(name)") }
        guard let home = try NodeStore.address(reader) else { return problems }
        for person in try reader.all(people) where person.isInternal(to: home) {
            if try UserStore.find(person.id, reader) == nil {
                problems.append("\(person) plays, waits, owns or follows, and has no account")
            }
        }
        return problems
    }
}
