import Base

/// Who calls: what a credential was found to say, and all that a handler decides by.
public enum Caller: Sendable, Hashable {
    /// Nobody in particular.
    case nobody
    /// A user of this node.
    case user(UserCaller)
    /// A user of another node, by integrity.
    case visitor(VisitorCaller)
    /// Another node, by its server token.
    case server(ServerAddress)
    /// An Ins, by its credential.
    case ins(InsCaller)
    /// A Reil of this node on its own behalf.
    case gateway

    /// The account, where it is one of this node.
    public var user: UserCaller? { if case .user(let user) = self { user } else { nil } }

    /// The visitor, where it is one.
    public var visitor: VisitorCaller? { if case .visitor(let user) = self { user } else { nil } }

    /// The other node, where it is one.
    public var server: ServerAddress? { if case .server(let node) = self { node } else { nil } }

    /// Whether it may do what the operator may. Tags of other nodes' users grant nothing here.
    public var isAdministrator: Bool { has(.admin) }

    /// Whether it is an account of this node with that tag.
    public func has(_ tag: Tag) -> Bool { user?.tags.contains(tag) ?? false }

    /// Whether it is an account of this node with that right, or an administrator.
    public func may(_ right: Tag) -> Bool { has(right) || isAdministrator }

    /// Whether it is that account of this node.
    public func isUser(_ id: UserID) -> Bool { user?.id == id }

    /// Whether it is that account of this node, and not a service of its.
    public func isThemself(_ id: UserID) -> Bool { isUser(id) && user?.service == nil }

    /// The person, from here or elsewhere, with their home.
    public func reference(home: ServerAddress) -> UserReference? {
        switch self {
        case .user(let user): UserReference(user.id, at: home)
        case .visitor(let visitor): visitor.user.absolute(at: home)
        case .nobody, .server, .ins, .gateway: nil
        }
    }

    /// Whether it is the person that `reference` names.
    public func isPerson(_ reference: UserReference, home: ServerAddress) -> Bool {
        self.reference(home: home) == reference.absolute(at: home)
    }
}

/// A user of this node, by one of their sessions.
public struct UserCaller: Sendable, Hashable, Codable {
    /// The account.
    public let id: UserID
    /// The session that the credential belongs to.
    public let session: SessionID
    /// What the account may do.
    public let tags: TagSet
    /// The service that acts as an automated client of the account, where it is one; its session
    /// is of its own.
    public let service: ServiceID?

    /// That account by that session.
    public init(id: UserID, session: SessionID, tags: TagSet) {
        self.id = id
        self.session = session
        self.tags = tags
        service = nil
    }

    /// A service of that account: as a bot, and never as an administrator.
    public init(id: UserID, session: SessionID, tags: TagSet, as service: ServiceID) {
        self.id = id
        self.session = session
        let kept = tags.tags.filter { $0 != .admin && $0 != .bot && $0 != .serviceCreator }
        self.tags = TagSet(kept + [.bot]) ?? [.bot]
        self.service = service
    }

    /// The same with what the account may do now.
    public func with(tags: TagSet) -> UserCaller {
        guard let service else { return UserCaller(id: id, session: session, tags: tags) }
        return UserCaller(id: id, session: session, tags: tags, as: service)
    }
}

/// A user of another node.
public struct VisitorCaller: Sendable, Hashable, Codable {
    /// Who, with their home.
    public let user: UserReference
    /// The grant that the credential belongs to.
    public let integrity: IntegrityID
    /// Whether their home is limited here: may visit, but not create, invite or follow.
    public let limited: Bool

    /// That user by that grant.
    public init(user: UserReference, integrity: IntegrityID, limited: Bool = false) {
        self.user = user
        self.integrity = integrity
        self.limited = limited
    }
}

/// A machine that hosts instances.
public struct InsCaller: Sendable, Hashable, Codable {
    /// Its name.
    public let name: InsName
    /// Who lent it; nil for the operator's own, which are the pool.
    public let owner: UserReference?

    /// That Ins.
    public init(name: InsName, owner: UserReference? = nil) {
        self.name = name
        self.owner = owner
    }
}

extension Caller: Codable {
    private enum Kind: String, Codable, CaseIterable {
        case nobody, user, visitor, server, ins, gateway
    }
    private enum CodingKeys: String, CodingKey { case kind, user, visitor, server, ins }

    /// Reads what `encode(to:)` wrote: how one process of a node tells another who calls.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self =
            switch try container.decode(Kind.self, forKey: .kind) {
            case .nobody: .nobody
            case .user: .user(try container.decode(UserCaller.self, forKey: .user))
            case .visitor: .visitor(try container.decode(VisitorCaller.self, forKey: .visitor))
            case .server: .server(try container.decode(ServerAddress.self, forKey: .server))
            case .ins: .ins(try container.decode(InsCaller.self, forKey: .ins))
            case .gateway: .gateway
            }
    }

    /// Writes the kind and what goes with it.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .nobody: try container.encode(Kind.nobody, forKey: .kind)
        case .gateway: try container.encode(Kind.gateway, forKey: .kind)
        case .user(let user):
            try container.encode(Kind.user, forKey: .kind)
            try container.encode(user, forKey: .user)
        case .visitor(let visitor):
            try container.encode(Kind.visitor, forKey: .kind)
            try container.encode(visitor, forKey: .visitor)
        case .server(let address):
            try container.encode(Kind.server, forKey: .kind)
            try container.encode(address, forKey: .server)
        case .ins(let ins):
            try container.encode(Kind.ins, forKey: .kind)
            try container.encode(ins, forKey: .ins)
        }
    }
}
