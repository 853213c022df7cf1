import Base

/// An Ins as members see it: whose machine hears all they say.
public struct InsView: Sendable, Hashable, Codable {
    /// Its name.
    public var name: InsName
    /// Who lent it; null for the operator's own.
    public var owner: UserReference?

    /// InsView with these fields.
    public init(
        name: InsName, owner: UserReference? = nil
    ) {
        self.name = name
        self.owner = owner
    }
}

/// A live run of a world.
public struct Instance: Sendable, Hashable, Codable {
    /// The instance.
    public var id: InstanceID
    /// Its name on its node.
    public var name: InstanceName
    /// What it is called.
    public var title: InstanceTitle?
    /// What is said of it.
    public var description: Description?
    /// Which world, with its node, and in which version.
    public var world: WorldReference
    /// Whose it is.
    public var owner: UserReference
    /// Who keep order.
    public var moderators: [UserReference]
    /// On whose client the world's logic runs.
    public var master: PlayerID?
    /// How many players it holds.
    public var capacity: Capacity
    /// How many are in it.
    public var connected: Int
    /// How many wait.
    public var queued: Int
    /// How open it is, and more.
    public var tags: TagSet
    /// Its host.
    public var server: ServerAddress
    /// Which Ins runs it; null while none does.
    public var ins: InsView?
    /// Who is in it: told to members and the owner, left out for others.
    @Omittable public var players: [Player]?
    /// When it was made.
    public var createdAt: Timestamp
    /// When it was last changed.
    public var updatedAt: Timestamp
    /// True on what was read from another node; left out otherwise.
    @Omittable public var external: Bool?

    /// Instance with these fields.
    public init(
        id: InstanceID, name: InstanceName, title: InstanceTitle? = nil,
        description: Description? = nil, world: WorldReference, owner: UserReference,
        moderators: [UserReference] = [], master: PlayerID? = nil, capacity: Capacity,
        connected: Int = 0, queued: Int = 0, tags: TagSet = [], server: ServerAddress,
        ins: InsView? = nil, players: [Player]? = nil, createdAt: Timestamp, updatedAt: Timestamp,
        external: Bool? = nil
    ) {
        self.id = id
        self.name = name
        self.title = title
        self.description = description
        self.world = world
        self.owner = owner
        self.moderators = moderators
        self.master = master
        self.capacity = capacity
        self.connected = connected
        self.queued = queued
        self.tags = tags
        self.server = server
        self.ins = ins
        self.players = players
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.external = external
    }

    private enum CodingKeys: String, CodingKey {
        case id, name, title, description, world, owner, moderators, master, capacity, connected,
            queued, tags, server, ins, players, external
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }
}
