import Base

/// One build of a world: version × engine × platform, unique together.
public struct Asset: Sendable, Hashable, Codable {
    /// The asset.
    public var id: AssetID
    /// Of the world.
    public var version: AssetLabel
    /// What it was built for.
    public var engine: AssetLabel
    /// What it runs on.
    public var platform: AssetLabel
    /// Where its file is; null while there is none.
    public var url: WebURL?
    /// The file's SHA-256.
    public var hash: ContentHash?
    /// The file's size.
    public var size: FileSize?
    /// Whether it has no file yet.
    public var empty: Bool
    /// When it was made.
    public var createdAt: Timestamp
    /// When it was last changed.
    public var updatedAt: Timestamp
    /// True on what was read from another node; left out otherwise.
    @Omittable public var external: Bool?

    /// Asset with these fields.
    public init(
        id: AssetID, version: AssetLabel, engine: AssetLabel, platform: AssetLabel,
        url: WebURL? = nil, hash: ContentHash? = nil, size: FileSize? = nil, empty: Bool,
        createdAt: Timestamp, updatedAt: Timestamp, external: Bool? = nil
    ) {
        self.id = id
        self.version = version
        self.engine = engine
        self.platform = platform
        self.url = url
        self.hash = hash
        self.size = size
        self.empty = empty
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.external = external
    }

    private enum CodingKeys: String, CodingKey {
        case id, version, engine, platform, url, hash, size, empty, external
        case createdAt = "created_at"
        case updatedAt = "updated_at"
    }
}
