import Base
import Domain
import Storage

/// What the node remembers of itself.
enum NodeStore {
    private static let fact = Query<String, String>("SELECT value FROM node_fact WHERE name = ?1")
    private static let setFact = Command<String, String>(
        "INSERT OR REPLACE INTO node_fact (name, value) VALUES (?1, ?2)")
    private static let forget = Command<String>("DELETE FROM node_fact WHERE name = ?1")

    /// Reads who this node is; at the first start it becomes somebody.
    static func open(
        _ database: Database, _ settings: EtaSettings, _ keys: NodeKeys, _ ambient: Ambient
    ) async throws(APIError) -> (Node, NodeProfile) {
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
            let profile = try open(settings, createdAt: createdAt, now: now, transaction)
            try insertAccount(account, at: now, transaction)
            let node = Node(
                id: id, address: settings.nodeAddress,
                gateway: Gateway(secure: settings.nodeSecure, address: settings.nodeAddress),
                createdAt: createdAt.timestamp, account: account, keys: keys)
            return (node, profile)
        }
    }

    /// What is said of the node, from now on. The title is that of the settings where they have
    /// changed since the last start, and else what an administrator has set.
    private static func open(
        _ settings: EtaSettings, createdAt: Moment, now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> NodeProfile {
        let configured = settings.nodeTitle
        let known = try recall("title", transaction) { configured }
        let before = try recall("configured_title", transaction) { known }
        if before != configured {
            try transaction.run(setFact, "configured_title", configured.text)
            try transaction.run(setFact, "title", configured.text)
            try transaction.run(setFact, "updated_at", Moment(now).description)
        }
        _ = try recall("description", transaction) { Description.empty }
        _ = try recall("updated_at", transaction) { createdAt }
        return try profile(transaction.reader)
    }

    /// The address by which the world knew it last.
    static func address(
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> ServerAddress? {
        try reader.first(fact, "address").flatMap { ServerAddress($0) }
    }

    /// What is said of the node.
    static func profile(_ reader: borrowing Reader<APIError>) throws(APIError) -> NodeProfile {
        guard let title = try reader.first(fact, "title").flatMap({ ServerTitle($0) }),
            let description = try reader.first(fact, "description").flatMap({ Description($0) }),
            let updatedAt = try reader.first(fact, "updated_at").flatMap({ Moment($0) })
        else { throw .internalError("the node's profile in the database is none") }
        return NodeProfile(
            title: title, description: description,
            icon: try reader.first(fact, "icon").flatMap { WebURL($0) },
            updatedAt: updatedAt.timestamp)
    }

    /// Keeps what is said of the node.
    static func save(
        _ profile: NodeProfile, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(setFact, "title", profile.title.text)
        try transaction.run(setFact, "description", profile.description.text)
        try transaction.run(setFact, "updated_at", Moment(profile.updatedAt).description)
        if let icon = profile.icon {
            try transaction.run(setFact, "icon", icon.text)
        } else {
            try transaction.run(forget, "icon")
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
