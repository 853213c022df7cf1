import Base

/// Names a service in the whole federation: a reverse domain name, or the plain name of one that
/// ships with the node.
public struct ServiceID: TextScalar, Comparable {
    /// Its one spelling.
    public let text: String

    /// 3 to 64 of `a-z`, `0-9`, `.`, `-`.
    public init?(_ text: String) {
        guard Self.shape.accepts(text) else { return nil }
        self.text = text
    }

    /// Whether it is a reverse domain name, as all have that do not ship with the node: two or more
    /// labels, none of them empty.
    public var isReverseDomain: Bool {
        let labels = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return labels.count > 1
            && labels.allSatisfy { label in
                !label.isEmpty && label.first != UInt8(ascii: "-")
                    && label.last != UInt8(ascii: "-")
            }
    }

    /// By spelling.
    public static func < (a: ServiceID, b: ServiceID) -> Bool { a.text < b.text }

    /// `^[a-z0-9.-]{3,64}$`
    public static let shape = TextShape(
        3...64, .ascii(any: characters, first: characters), pattern: "^[a-z0-9.-]{3,64}$",
        expectation: "3 to 64 lower-case letters, digits, dots or hyphens",
        sample: "org.example.jukebox")
    private static let characters = ASCIISet.lower + .digits + ASCIISet(".-")
}

/// A service of any node: `id[@server]`.
public struct ServiceReference: TextScalar {
    /// The service.
    public let id: ServiceID
    /// Its node, where it is said.
    public let server: ServerAddress?

    /// The service with that id on `server`, or on the node that reads it.
    public init(_ id: ServiceID, at server: ServerAddress? = nil) {
        self.id = id
        self.server = server
    }

    /// Reads `id[@server]`.
    public init?(_ text: String) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        guard let id = ServiceID(String(parts[0])) else { return nil }
        self.id = id
        server = parts.count == 2 ? ServerAddress(String(parts[1])) : nil
        if parts.count == 2, server == nil { return nil }
    }

    /// `id[@server]`
    public var text: String { server.map { "\(id.text)@\($0.text)" } ?? id.text }

    /// What it looks like.
    public static let shape = TextShape(
        3...324, .own, expectation: "a service's id, and perhaps @server",
        sample: "org.example.jukebox")
}

/// What a service is called.
public struct ServiceTitle: TextScalar {
    /// As it was written.
    public let text: String

    /// 1 to 64 characters.
    public init?(_ text: String) {
        guard Self.shape.accepts(text) else { return nil }
        self.text = text
    }

    /// 1 to 64 characters on one line.
    public static let shape = TextShape(1...64, sample: "Jukebox")
}

/// Where a service listens: `host[:port][/path]`, the port 443 where none is written.
public struct ServiceAddress: TextScalar {
    /// Its one spelling.
    public let text: String
    /// The host and the port.
    public let server: ServerAddress
    /// What stands before every path, from its `/` and without one at the end; empty for nothing.
    public let path: String

    /// Normalises `text`; nil when it is no such address.
    public init?(_ text: String) {
        guard text.utf8.count <= 512 else { return nil }
        let end = text.utf8.firstIndex(of: UInt8(ascii: "/")) ?? text.utf8.endIndex
        guard let server = ServerAddress(String(text[..<end])) else { return nil }
        var path = String(text[end...])
        if path.utf8.last == UInt8(ascii: "/") { path.removeLast() }
        let segments = path.utf8.dropFirst().split(
            separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let isPlain = segments.allSatisfy { segment in
            !segment.isEmpty && segment.allSatisfy(Self.characters.contains)
                && segment.contains { $0 != UInt8(ascii: ".") }
        }
        guard path.isEmpty || isPlain else { return nil }
        self.server = server
        self.path = path
        self.text = server.text + path
    }

    /// A host, perhaps a port, perhaps a path of plain segments.
    public static let shape = TextShape(
        1...512, .own,
        expectation: "host, host:port or either with a path of letters, digits and . _ ~ -, "
            + "without scheme and query",
        sample: "jukebox.example.org")
    private static let characters = .letters + .digits + ASCIISet("._~-")
}

/// How a service belongs to its node.
public enum ServiceKind: String, Sendable, Codable, CaseIterable {
    /// It ships with the node.
    case bundled
    /// Somebody runs it.
    case external
}

/// Whether a service answers.
public enum ServiceStatus: String, Sendable, Codable, CaseIterable {
    case up, down
}

/// An addon for clients, or for other servers.
public struct Service: Sendable, Equatable, Codable {
    /// The service.
    public var id: ServiceID
    /// What it is called.
    public var title: ServiceTitle
    /// What is said of it.
    public var description: Description?
    /// Where it listens.
    public var address: ServiceAddress
    /// Whether it speaks TLS there.
    public var secure: Bool
    /// How it belongs to the node.
    public var kind: ServiceKind
    /// How it may be found; none means anything to the node.
    public var tags: TagSet
    /// Whose it is.
    public var owner: UserReference
    /// Its node.
    public var server: ServerAddress
    /// Whether it answered when it was last asked.
    public var status: ServiceStatus
    /// When that was; null before the first time.
    public var checkedAt: Timestamp?
    /// When it was made.
    public var createdAt: Timestamp
    /// When it was last changed.
    public var updatedAt: Timestamp
    /// What it acts by: only in the answer that makes it.
    @Omittable public var credential: ServiceToken?
    /// True on what was read from another node; left out otherwise.
    @Omittable public var external: Bool?

    /// Service with these fields.
    public init(
        id: ServiceID, title: ServiceTitle, description: Description? = nil,
        address: ServiceAddress, secure: Bool, kind: ServiceKind = .external, tags: TagSet = [],
        owner: UserReference, server: ServerAddress, status: ServiceStatus = .down,
        checkedAt: Timestamp? = nil, createdAt: Timestamp, updatedAt: Timestamp,
        credential: ServiceToken? = nil, external: Bool? = nil
    ) {
        self.id = id
        self.title = title
        self.description = description
        self.address = address
        self.secure = secure
        self.kind = kind
        self.tags = tags
        self.owner = owner
        self.server = server
        self.status = status
        self.checkedAt = checkedAt
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.credential = credential
        self.external = external
    }

    private enum CodingKeys: String, CodingKey {
        case id, title, description, address, secure, kind, tags, owner, server, status
        case credential, external
        case checkedAt = "checked_at"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }
}
