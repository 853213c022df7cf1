import API
import Base
import Domain
import Storage

/// Users that a subcommand changed while Eta runs: it leaves a note in the database, which is
/// looked at every second.
struct OutsideChanges: Sendable {
    let node: Node
    let database: Database
    let pushes: Pushes
    let news: UserNews
    let ending: SessionEnding

    init(_ registry: Registry) {
        node = registry.node
        database = registry.database
        pushes = registry.pushes
        news = UserNews(registry)
        ending = registry.ending
    }

    private static let any = Query<UserID>("SELECT user_id FROM outside_change LIMIT 1")
    private static let take = Query<Note>(
        "DELETE FROM outside_change RETURNING user_id, ends_logins")
    private static let insert = Command<UserID, Bool>(
        """
        INSERT INTO outside_change (user_id, ends_logins) VALUES (?1, ?2)
        ON CONFLICT (user_id) DO UPDATE SET ends_logins = max(ends_logins, excluded.ends_logins)
        """)

    private struct Note: RowDecodable {
        let user: UserID
        let endsLogins: Bool

        init(row: borrowing Row) throws(DatabaseError) {
            user = try row.value(0, "user_id")
            endsLogins = try row.value(1, "ends_logins")
        }
    }

    /// Leaves a note for the Eta that runs, or that is started next.
    static func note(
        _ user: UserID, endsLogins: Bool = false, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(insert, user, endsLogins)
    }

    /// Tells every Reil what the notes are about, and ends the logins of who was disabled.
    func publish() async throws(APIError) {
        let isNoted = try database.read { (reader) throws(APIError) in
            try reader.first(Self.any) != nil
        }
        guard isNoted else { return }
        try await database.write { (transaction) throws(APIError) in
            for note in try transaction.all(Self.take) {
                let id = note.user
                guard let row = try UserStore.find(id, transaction.reader) else { continue }
                try news.changed(row, transaction)
                if try UserStore.tags(id, transaction.reader).contains(.disabled) {
                    try ending.endAll(of: id, as: .user(id), transaction)
                } else {
                    if note.endsLogins { try ending.endAll(of: id, transaction) }
                    transaction.onCommit { pushes.revoke(.rights(of: id)) }
                }
            }
        }
    }
}
