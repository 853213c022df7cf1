import Base
import Domain
import Storage

/// What the node remembers of itself.
enum NodeStore {
    private static let fact = Query<String, String>("SELECT value FROM node_fact WHERE name = ?1")
    private static let setFact = Command<String, String>(
        "INSERT OR REPLACE INTO node_fact (name, value) VALUES (?1, ?2)")

    /// Reads who this node is; at the first start it becomes somebody.
    static func open(
        _ database: Database, _ settings: EtaSettings, _ keys: NodeKeys, _ ambient: Ambient
    ) async throws(APIError) -> Node {
        try await database.write { (transaction) throws(APIError) in
            let now = ambient.clock.timestamp()
            let id: NodeID = try recall("id", transaction) {
                ambient.log.notice(
                    "node made", .text("folder", settings.data),
                    .text("address", settings.nodeAddress.text))
                return .make(at: now, random: ambient.random)
            }
            let account: UserID = try recall("account", transaction) {
                .make(at: now, random: ambient.random)
            }
            let known = try recall("address", transaction) { settings.nodeAddress }
            if known != settings.nodeAddress {
                ambient.log.warning(
                    "node.address is another than before; to other nodes this is another node",
                    .text("before", known.text), .text("now", settings.nodeAddress.text))
                try transaction.run(setFact, "address", settings.nodeAddress.text)
            }
            let createdAt = try recall("created_at", transaction) { Moment(now) }
            if try transaction.first(fact, "title") != settings.nodeTitle.text {
                try transaction.run(setFact, "title", settings.nodeTitle.text)
                try transaction.run(setFact, "updated_at", Moment(now).description)
            }
            let updatedAt = try recall("updated_at", transaction) { createdAt }
            try insertAccount(account, at: now, transaction)
            return Node(
                id: id, address: settings.nodeAddress,
                gateway: Gateway(secure: settings.nodeSecure, address: settings.nodeAddress),
                title: settings.nodeTitle, createdAt: createdAt.timestamp,
                updatedAt: updatedAt.timestamp, account: account, keys: keys)
        }
    }

    /// The fact of that name, which `make` decides when there is none yet.
    private static func recall<Value: LosslessStringConvertible>(
        _ name: String, _ transaction: borrowing Transaction<APIError>, _ make: () -> Value
    ) throws(APIError) -> Value {
        if let text = try transaction.first(fact, name) {
            guard let value = Value(text) else {
                throw .internalError("the node's \(name) in the database is none: \(text)")
            }
            return value
        }
        let value = make()
        try transaction.run(setFact, name, value.description)
        return value
    }

    /// The account that acts for the node itself: without a password nobody logs in to it.
    private static func insertAccount(
        _ account: UserID, at now: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        guard try UserStore.find(account, transaction.reader) == nil else { return }
        guard let name = Username("server") else { preconditionFailure("server is no username") }
        try UserStore.insert(
            account, username: name, displayname: nil, email: nil, password: nil, tags: [],
            at: now, transaction)
    }
}

/// A timestamp among the facts.
private struct Moment: LosslessStringConvertible {
    let timestamp: Timestamp
    init(_ timestamp: Timestamp) { self.timestamp = timestamp }
    init?(_ text: String) {
        guard let number = Int64(text) else { return nil }
        timestamp = Timestamp(milliseconds: number)
    }
    var description: String { String(timestamp.milliseconds) }
}
