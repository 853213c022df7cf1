import Base

/// What somebody reports: a user, a world or an instance by its reference, or a node by its address.
public struct ReportSubject: TextScalar {
    /// What it is.
    public enum Kind: Sendable, Hashable {
        case user(UserReference)
        case world(WorldReference)
        case instance(Reference<InstanceKind>)
        case server(ServerAddress)
    }

    /// What it is.
    public let kind: Kind

    /// That.
    public init(_ kind: Kind) { self.kind = kind }

    /// Reads an id, perhaps with its node, or a node's address.
    public init?(_ text: String) {
        if let user = UserReference(text) {
            kind = .user(user)
        } else if let world = WorldReference(text) {
            kind = .world(world)
        } else if let instance = Reference<InstanceKind>(text) {
            kind = .instance(instance)
        } else if let server = ServerAddress(text), !text.contains("_") {
            kind = .server(server)
        } else {
            return nil
        }
    }

    /// Its one spelling.
    public var text: String {
        switch kind {
        case .user(let user): user.text
        case .world(let world): world.text
        case .instance(let instance): instance.text
        case .server(let server): server.text
        }
    }

    /// The node that it is of; nil for the one that reads it.
    public var server: ServerAddress? {
        switch kind {
        case .user(let user): user.server
        case .world(let world): world.server
        case .instance(let instance): instance.server
        case .server(let server): server
        }
    }

    /// The same with its node written out: `home` where none was.
    public func absolute(at home: ServerAddress) -> ReportSubject {
        switch kind {
        case .user(let user): ReportSubject(.user(user.absolute(at: home)))
        case .world(let world): ReportSubject(.world(world.absolute(at: home)))
        case .instance(let instance): ReportSubject(.instance(instance.absolute(at: home)))
        case .server: self
        }
    }

    /// What it looks like.
    public static let shape = TextShape(
        1...360, .own,
        expectation: "the id of a user, a world or an instance, perhaps with @server, or a "
            + "server address",
        sample: "u_01890a5d-ac96-774b-bcce-b302099a8057@example.org")
}

/// How far a report has come.
public enum ReportState: String, Sendable, Codable, CaseIterable {
    /// Nobody has looked at it.
    case open
    /// Somebody looks after it.
    case taken
    /// It is done.
    case closed
}

/// Something that somebody wants administrators to look at.
public struct Report: Sendable, Equatable, Codable {
    /// Its number; later ones are higher.
    public let id: Int64
    /// What it is about, with its node.
    public let about: ReportSubject
    /// What is wrong.
    public let reason: Reason
    /// Who reports, with their home; null where another node has passed it on.
    public let by: UserReference?
    /// The node that has passed it on, without who reported.
    public let from: ServerAddress?
    /// How far it has come.
    public let state: ReportState
    /// What an administrator says of it.
    public let note: Reason?
    /// When it was made.
    public let createdAt: Timestamp
    /// When it was last changed.
    public let updatedAt: Timestamp

    /// Report with these fields.
    public init(
        id: Int64, about: ReportSubject, reason: Reason, by: UserReference?,
        from: ServerAddress?, state: ReportState = .open, note: Reason? = nil,
        createdAt: Timestamp, updatedAt: Timestamp
    ) {
        self.id = id
        self.about = about
        self.reason = reason
        self.by = by
        self.from = from
        self.state = state
        self.note = note
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }

    private enum CodingKeys: String, CodingKey {
        case id, about, reason, by, from, state, note
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }
}
