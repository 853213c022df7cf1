import Base

/// How much there is on a node.
public struct ServerStats: Sendable, Hashable, Codable {
    /// Accounts.
    public var users: Int
    /// Worlds.
    public var worlds: Int
    /// Instances that run.
    public var instances: Int
    /// Players in them.
    public var players: Int

    /// ServerStats with these fields.
    public init(
        users: Int, worlds: Int, instances: Int, players: Int
    ) {
        self.users = users
        self.worlds = worlds
        self.instances = instances
        self.players = players
    }
}

/// The wire object that describes a node.
public struct Server: Sendable, Hashable, Codable {
    /// The node's own record.
    public var id: NodeID
    /// What it is called.
    public var title: ServerTitle
    /// What it says of itself; empty rather than null, as old clients expect.
    public var description: Description
    /// Its identity.
    public var address: ServerAddress
    /// Whether its gateway speaks TLS.
    public var secure: Bool
    /// The version of its software.
    public var version: SoftwareVersion
    /// When the node was made.
    public var createdAt: Timestamp
    /// When title, description or icon last changed.
    public var updatedAt: Timestamp
    /// Since when it answers; null while it does not.
    public var readyAt: Timestamp?
    /// Its picture.
    public var icon: WebURL?
    /// Where to go from now on; also written as `gateways` for old clients.
    public var gateway: Gateway
    /// Its public key.
    public var key: NodeKeyText
    /// How much there is on it; no part of its `ETag`.
    public var stats: ServerStats
    /// True on what was read from another node; left out otherwise.
    @Omittable public var external: Bool?

    /// A server with these fields.
    public init(
        id: NodeID, title: ServerTitle, description: Description, address: ServerAddress,
        secure: Bool, version: SoftwareVersion, createdAt: Timestamp, updatedAt: Timestamp,
        readyAt: Timestamp?, icon: WebURL?, gateway: Gateway, key: NodeKeyText,
        stats: ServerStats, external: Bool? = nil
    ) {
        self.id = id
        self.title = title
        self.description = description
        self.address = address
        self.secure = secure
        self.version = version
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.readyAt = readyAt
        self.icon = icon
        self.gateway = gateway
        self.key = key
        self.stats = stats
        self.external = external
    }

    /// The same without what is counted: what its `ETag` is made of.
    public var still: Server {
        var server = self
        server.stats = ServerStats(users: 0, worlds: 0, instances: 0, players: 0)
        return server
    }

    private enum CodingKeys: String, CodingKey {
        case id, title, description, address, secure, version, icon, gateway, gateways, key, stats
        case external
        case createdAt = "created_at"
        case updatedAt = "updated_at"
        case readyAt = "ready_at"
    }

    /// Reads the object, also from nodes that leave out the description.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(NodeID.self, forKey: .id)
        title = try container.decode(ServerTitle.self, forKey: .title)
        description =
            try container.decodeIfPresent(Description.self, forKey: .description) ?? .empty
        address = try container.decode(ServerAddress.self, forKey: .address)
        secure = try container.decode(Bool.self, forKey: .secure)
        version = try container.decode(SoftwareVersion.self, forKey: .version)
        createdAt = try container.decode(Timestamp.self, forKey: .createdAt)
        updatedAt = try container.decode(Timestamp.self, forKey: .updatedAt)
        readyAt = try container.decodeIfPresent(Timestamp.self, forKey: .readyAt)
        icon = try container.decodeIfPresent(WebURL.self, forKey: .icon)
        gateway = try container.decode(Gateway.self, forKey: .gateway)
        _ = try container.decodeIfPresent(GatewayOrigins.self, forKey: .gateways)
        key = try container.decode(NodeKeyText.self, forKey: .key)
        stats = try container.decode(ServerStats.self, forKey: .stats)
        _external = try container.decode(Omittable<Bool>.self, forKey: .external)
    }

    /// Writes the object.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(title, forKey: .title)
        try container.encode(description, forKey: .description)
        try container.encode(address, forKey: .address)
        try container.encode(secure, forKey: .secure)
        try container.encode(version, forKey: .version)
        try container.encode(createdAt, forKey: .createdAt)
        try container.encode(updatedAt, forKey: .updatedAt)
        try container.encodeIfPresent(readyAt, forKey: .readyAt)
        try container.encodeIfPresent(icon, forKey: .icon)
        try container.encode(gateway, forKey: .gateway)
        try container.encode(gateway.origins, forKey: .gateways)
        try container.encode(key, forKey: .key)
        try container.encode(stats, forKey: .stats)
        try container.encode(_external, forKey: .external)
    }
}
