import Base

/// Names an object of any node: `id[:version][@server]`.
///
/// The first `@` ends the id; a colon after it belongs to the address. Only worlds have versions.
/// Without a server it names an object of the node that reads it; references inside objects are
/// always absolute.
public struct Reference<Kind: IDKind>: TextScalar {
    /// The object on its own node.
    public let id: ID<Kind>
    /// The version of a world, where one is meant.
    public let version: AssetLabel?
    /// The object's node, where it is said.
    public let server: ServerAddress?

    /// The object with that id on `server`, or on the node that reads it.
    public init(_ id: ID<Kind>, at server: ServerAddress? = nil) {
        self.id = id
        self.version = nil
        self.server = server
    }

    private init(id: ID<Kind>, version: AssetLabel?, server: ServerAddress?) {
        self.id = id
        self.version = version
        self.server = server
    }

    /// Reads `id[:version][@server]`.
    public init?(_ text: String) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        var server: ServerAddress?
        if parts.count == 2 {
            guard let address = ServerAddress(String(parts[1])) else { return nil }
            server = address
        }
        let local = parts[0].split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        var version: AssetLabel?
        if local.count == 2 {
            guard Kind.self == WorldKind.self, let label = AssetLabel(String(local[1])) else {
                return nil
            }
            version = label
        }
        guard let id = ID<Kind>(String(local[0])) else { return nil }
        self.init(id: id, version: version, server: server)
    }

    /// `id[:version][@server]`.
    public var text: String {
        var text = id.text
        if let version { text += ":" + version.text }
        if let server { text += "@" + server.text }
        return text
    }

    /// The same with its node written out: `home` where none was.
    public func absolute(at home: ServerAddress) -> Reference {
        Reference(id: id, version: version, server: server ?? home)
    }

    /// Whether it names an object of `home`.
    public func isInternal(to home: ServerAddress) -> Bool { server == nil || server == home }

    /// What it looks like.
    public static var shape: TextShape {
        let versioned = Kind.self == WorldKind.self
        return TextShape(
            38...360, .own,
            expectation: "the id of \(Kind.noun)\(versioned ? ", perhaps :version," : "")"
                + " and perhaps @server",
            sample: ID<Kind>.shape.sample + "@example.org")
    }
}

extension Reference where Kind == WorldKind {
    /// That version of a world.
    public init(_ id: WorldID, version: AssetLabel?, at server: ServerAddress? = nil) {
        self.init(id: id, version: version, server: server)
    }

    /// The same world, that version.
    public func version(_ version: AssetLabel?) -> WorldReference {
        WorldReference(id, version: version, at: server)
    }
}

/// A user of any node.
public typealias UserReference = Reference<UserKind>
/// A world of any node, perhaps in one version.
public typealias WorldReference = Reference<WorldKind>

/// What stands for a user in a path: an id or a name, perhaps with `@server`, or a word with `@`.
public struct UserSelector: TextScalar {
    /// Whom it names.
    public enum Name: Sendable, Hashable {
        /// The account with that id.
        case id(UserID)
        /// The account with that name.
        case username(Username)
        /// `@me`: the caller.
        case me
        /// `@server`, also `@root`: the node's own account.
        case server
        /// `@admin`: the main administrator.
        case admin
    }

    /// Whom it names.
    public let name: Name
    /// On which node, where it is said; never with `@me`, `@server`, `@admin`.
    public let server: ServerAddress?

    /// That user, on `server` or here.
    public init(_ id: UserID, at server: ServerAddress? = nil) {
        name = .id(id)
        self.server = server
    }

    private init(name: Name, server: ServerAddress?) {
        self.name = name
        self.server = server
    }

    /// Reads what a path holds.
    public init?(_ text: String) {
        switch text {
        case "@me": self.init(name: .me, server: nil)
        case "@server", "@root": self.init(name: .server, server: nil)
        case "@admin": self.init(name: .admin, server: nil)
        case _:
            let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
            var server: ServerAddress?
            if parts.count == 2 {
                guard let address = ServerAddress(String(parts[1])) else { return nil }
                server = address
            }
            if let id = UserID(String(parts[0])) {
                self.init(name: .id(id), server: server)
            } else if let username = Username(String(parts[0])) {
                self.init(name: .username(username), server: server)
            } else {
                return nil
            }
        }
    }

    /// The spelling of a path.
    public var text: String {
        let local =
            switch name {
            case .id(let id): id.text
            case .username(let username): username.text
            case .me: "@me"
            case .server: "@server"
            case .admin: "@admin"
            }
        return server.map { "\(local)@\($0)" } ?? local
    }

    /// The same with what `?server=` says: its node, nil where that is `home`. Error 29 when the
    /// two differ, or when a word that only means something here is asked of another node.
    public func located(server query: ServerAddress?, home: ServerAddress) throws(APIError)
        -> UserSelector
    {
        let server = try ServerAddress.agreed(server, query, home: home)
        switch name {
        case .id, .username: break
        case .me, .server, .admin:
            if server != nil {
                throw APIError(
                    .serverInvalidInput,
                    details: [
                        FieldProblem(field: "server", message: "does not go with \(text)")
                    ])
            }
        }
        return UserSelector(name: name, server: server)
    }

    /// What it looks like.
    public static let shape = TextShape(
        3...300, .own,
        expectation: "a user's id or name, perhaps with @server, or @me, @server or @admin",
        sample: "@me")
}

/// What stands for an instance in a path: its id or its name.
public enum InstanceSelector: TextScalar {
    /// The instance with that id.
    case id(InstanceID)
    /// The instance with that name on this node.
    case name(InstanceName)

    /// Reads what a path holds.
    public init?(_ text: String) {
        if let id = InstanceID(text) {
            self = .id(id)
        } else if let name = InstanceName(text) {
            self = .name(name)
        } else {
            return nil
        }
    }

    /// The spelling of a path.
    public var text: String {
        switch self {
        case .id(let id): id.text
        case .name(let name): name.text
        }
    }

    /// What it looks like.
    public static let shape = TextShape(
        3...38, .own, expectation: "an instance's id or name", sample: "lobby")
}
