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
    let ending: SessionEnding

    init(_ registry: Registry) {
        node = registry.node
        database = registry.database
        pushes = registry.pushes
        ending = registry.ending
    }

    private static let any = Query<UserID>("SELECT user_id FROM outside_change LIMIT 1")
    private static let take = Query<UserID>("DELETE FROM outside_change RETURNING user_id")
    private static let insert = Command<UserID>(
        "INSERT OR IGNORE INTO outside_change (user_id) VALUES (?1)")

    /// Leaves a note for the Eta that runs.
    static func note(
        _ user: UserID, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(insert, user)
    }

    /// Tells every Reil what the notes are about, and ends the logins of who was disabled.
    func publish() async throws(APIError) {
        let isNoted = try database.read { (reader) throws(APIError) in
            try reader.first(Self.any) != nil
        }
        guard isNoted else { return }
        try await database.write { (transaction) throws(APIError) in
            for id in try transaction.all(Self.take) {
                guard let row = try UserStore.find(id, transaction.reader) else { continue }
                try UserStore.announce(row, node, pushes, transaction)
                if try UserStore.tags(id, transaction.reader).contains(.disabled) {
                    try ending.endAll(of: id, as: .user(id), transaction)
                } else {
                    transaction.onCommit { pushes.revoke(.rights(of: id)) }
                }
            }
        }
    }
}
