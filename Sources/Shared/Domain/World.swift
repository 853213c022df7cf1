import Base

/// An entry of the catalogue.
public struct World: Sendable, Hashable, Codable {
    /// The world.
    public var id: WorldID
    /// What it is called.
    public var title: WorldTitle
    /// What is said of it.
    public var description: WorldDescription?
    /// How many players its instances hold.
    public var capacity: Capacity
    /// Whose it is; also written as `owner_id` for old clients.
    public var owner: UserReference
    /// Who else may change it; `owner_ids` are these and the owner.
    public var contributors: [UserReference]
    /// A small picture.
    public var thumbnail: WebURL?
    /// How it may be used; another node's are shown and grant nothing.
    public var tags: TagSet
    /// Its node.
    public var server: ServerAddress
    /// Its builds.
    public var assets: [Asset]
    /// When it was made.
    public var createdAt: Timestamp
    /// When it was last changed.
    public var updatedAt: Timestamp
    /// True on what was read from another node; left out otherwise.
    @Omittable public var external: Bool?

    /// World with these fields.
    public init(
        id: WorldID, title: WorldTitle, description: WorldDescription? = nil, capacity: Capacity,
        owner: UserReference, contributors: [UserReference] = [], thumbnail: WebURL? = nil,
        tags: TagSet = [], server: ServerAddress, assets: [Asset] = [], createdAt: Timestamp,
        updatedAt: Timestamp, external: Bool? = nil
    ) {
        self.id = id
        self.title = title
        self.description = description
        self.capacity = capacity
        self.owner = owner
        self.contributors = contributors
        self.thumbnail = thumbnail
        self.tags = tags
        self.server = server
        self.assets = assets
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.external = external
    }

    /// The world by id and node.
    public var reference: WorldReference { WorldReference(id, at: server) }

    private enum CodingKeys: String, CodingKey {
        case id, title, description, capacity, owner, contributors, thumbnail, tags, server, assets
        case external
        case ownerID = "owner_id"
        case ownerIDs = "owner_ids"
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }

    /// Reads the object, also from nodes that know only `owner_id`, and no contributors or tags.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        id = try container.decode(WorldID.self, forKey: .id)
        title = try container.decode(WorldTitle.self, forKey: .title)
        description = try container.decodeIfPresent(WorldDescription.self, forKey: .description)
        capacity = try container.decode(Capacity.self, forKey: .capacity)
        let ownerKey: CodingKeys =
            !container.contains(.owner) && container.contains(.ownerID) ? .ownerID : .owner
        owner = try container.decode(UserReference.self, forKey: ownerKey)
        _ = try container.decodeIfPresent(UserReference.self, forKey: .ownerID)
        _ = try container.decodeIfPresent([UserReference].self, forKey: .ownerIDs)
        contributors =
            try container.decodeIfPresent([UserReference].self, forKey: .contributors) ?? []
        thumbnail = try container.decodeIfPresent(WebURL.self, forKey: .thumbnail)
        tags = try container.decodeIfPresent(TagSet.self, forKey: .tags) ?? []
        server = try container.decode(ServerAddress.self, forKey: .server)
        assets = try container.decodeIfPresent([Asset].self, forKey: .assets) ?? []
        createdAt = try container.decode(Timestamp.self, forKey: .createdAt)
        updatedAt = try container.decode(Timestamp.self, forKey: .updatedAt)
        _external = try container.decode(Omittable<Bool>.self, forKey: .external)
    }

    /// Writes the object.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(id, forKey: .id)
        try container.encode(title, forKey: .title)
        try container.encodeIfPresent(description, forKey: .description)
        try container.encode(capacity, forKey: .capacity)
        try container.encode(owner, forKey: .owner)
        try container.encode(owner, forKey: .ownerID)
        try container.encode([owner] + contributors, forKey: .ownerIDs)
        try container.encode(contributors, forKey: .contributors)
        try container.encodeIfPresent(thumbnail, forKey: .thumbnail)
        try container.encode(tags, forKey: .tags)
        try container.encode(server, forKey: .server)
        try container.encode(assets, forKey: .assets)
        try container.encode(createdAt, forKey: .createdAt)
        try container.encode(updatedAt, forKey: .updatedAt)
        try container.encode(_external, forKey: .external)
    }
}
