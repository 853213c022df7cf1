import Domain

/// The kinds of caller that a credential can prove, and nobody.
public struct CallerKinds: OptionSet, Sendable {
    /// One bit a kind.
    public let rawValue: UInt8
    /// A set from its bits.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Without a credential.
    public static let nobody = CallerKinds(rawValue: 1)
    /// A user of this node.
    public static let user = CallerKinds(rawValue: 2)
    /// A user of another node, by integrity.
    public static let visitor = CallerKinds(rawValue: 4)
    /// Another node.
    public static let server = CallerKinds(rawValue: 8)
    /// A Reil of this node on its own behalf, by the cluster key.
    public static let gateway = CallerKinds(rawValue: 16)
    /// An Ins, by its credential.
    public static let ins = CallerKinds(rawValue: 32)
    /// Everybody that a client or another node can be.
    public static let everybody: CallerKinds = [.nobody, .user, .visitor, .server]
}

/// Who may call an endpoint, as far as that can be said without looking at the object. What
/// depends on the object (its owner, its moderators) is for the controller.
public struct Access: Sendable {
    /// Who gets past the gate.
    public let kinds: CallerKinds
    /// A tag that a user of this node needs, administrators aside.
    public let tag: Tag?
    /// Whether a user must be an administrator.
    public let administrator: Bool
    /// Whether a user must act themself, and not a service of theirs.
    public let inPerson: Bool
    /// The word of the contract's tables: `–`, `U`, `X`, `S`, `O`, `A`, and in combination.
    public let word: String

    /// An access of its own; the named ones below cover nearly all.
    public init(
        _ kinds: CallerKinds, tag: Tag? = nil, administrator: Bool = false, inPerson: Bool = false,
        word: String
    ) {
        self.kinds = kinds
        self.tag = tag
        self.administrator = administrator
        self.inPerson = inPerson
        self.word = word
    }

    /// Anyone.
    public static let anyone = Access(.everybody, word: "–")
    /// A user of this node.
    public static let user = Access(.user, word: "U")
    /// A user of this node about what a service of theirs has no say in: accounts, sessions,
    /// services.
    public static let person = Access(.user, inPerson: true, word: "U")
    /// A user of this node or a visitor.
    public static let present = Access([.user, .visitor], word: "X")
    /// Another node.
    public static let server = Access(.server, word: "S")
    /// The owner of the object, or an administrator: the controller decides which.
    public static let owner = Access(.user, word: "O")
    /// The owner of the object, who may be a visitor, or an administrator.
    public static let presentOwner = Access([.user, .visitor], word: "O")
    /// The same, and never by a service of theirs.
    public static let ownerInPerson = Access(.user, inPerson: true, word: "O")
    /// The user themself, or an administrator.
    public static let themself = Access(.user, inPerson: true, word: "U self, A")
    /// An administrator.
    public static let administrators = Access(
        .user, administrator: true, inPerson: true, word: "A")
    /// Another node for its own, administrators for all.
    public static let serverOrAdministrator = Access([.server, .user], word: "S its own, A")
    /// A Reil of this node.
    public static let gateway = Access(.gateway, word: "gateway")
    /// A Reil of this node, for whoever calls.
    public static let throughGateway = Access(
        [.gateway, .user, .visitor, .server, .ins], word: "gateway")
    /// A user who holds `tag`.
    public static func user(with tag: Tag) -> Access {
        Access(.user, tag: tag, word: "U with \(tag)")
    }

    /// A user who holds `tag`, and never a service of theirs.
    public static func person(with tag: Tag) -> Access {
        Access(.user, tag: tag, inPerson: true, word: "U with \(tag)")
    }

    /// Refuses `caller` where it can be said here.
    ///
    /// - Throws: 3 for nobody where somebody is needed, 54 for a credential of a kind that this
    ///   call does not take, 4 for a user without the right, or for a service without it.
    public func check(_ caller: Caller) throws(APIError) {
        guard kinds.contains(caller.kind) else {
            throw APIError(caller.kind == .nobody ? .userNotLogged : .wrongCredential)
        }
        guard case .user(let user) = caller else { return }
        if inPerson, user.service != nil {
            throw APIError(.userDontHavePermission, context: "not for services")
        }
        if caller.isAdministrator { return }
        if administrator { throw APIError(.userDontHavePermission) }
        if let tag, !user.tags.contains(tag) { throw APIError(.userDontHavePermission) }
    }
}

extension Caller {
    /// Which kind of caller this is.
    public var kind: CallerKinds {
        switch self {
        case .nobody: .nobody
        case .user: .user
        case .visitor: .visitor
        case .server: .server
        case .ins: .ins
        case .gateway: .gateway
        }
    }
}
