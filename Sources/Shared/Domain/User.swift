import Base

/// Whether a user is there; `online` follows from a live socket.
public enum UserStatus: String, Sendable, Codable, CaseIterable {
    /// There.
    case online
    /// Not there.
    case offline
    /// There, but not looking.
    case away
    /// There, and not to be disturbed.
    case busy
}

/// An account as everybody sees it.
public struct User: Sendable, Hashable, Codable {
    /// The account.
    public var id: UserID
    /// Its name.
    public var username: Username
    /// What others see; also written as `display` for old clients.
    public var displayname: DisplayName
    /// What the user says.
    public var description: Description?
    /// A small picture.
    public var thumbnail: WebURL?
    /// A wide picture.
    public var banner: WebURL?
    /// Rights and marks; another node's are shown and grant nothing.
    public var tags: TagSet
    /// The user's home.
    public var server: ServerAddress
    /// When it was made.
    public var createdAt: Timestamp
    /// When it was last changed.
    public var updatedAt: Timestamp
    /// Whether it was read from another node.
    public var external: Bool

    /// User with these fields.
    public init(
        id: UserID, username: Username, displayname: DisplayName, description: Description? = nil,
        thumbnail: WebURL? = nil, banner: WebURL? = nil, tags: TagSet = [], server: ServerAddress,
        createdAt: Timestamp, updatedAt: Timestamp, external: Bool = false
    ) {
        self.id = id
        self.username = username
        self.displayname = displayname
        self.description = description
        self.thumbnail = thumbnail
        self.banner = banner
        self.tags = tags
        self.server = server
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.external = external
    }

    /// The user by id and home.
    public var reference: UserReference { UserReference(id, at: server) }

    /// The keys of both views, so that each can be written into one object.
    fileprivate enum CodingKeys: String, CodingKey {
        case id, username, displayname, display, description, thumbnail, banner, tags, server
        case external, email, status, following, home, isFriend
        case createdAt = "created_at"
        case updatedAt = "updated_at"
        case followingAt = "following_at"
    }

    /// Reads the object, also from nodes that know only `display`, and no tags.
    public init(from decoder: any Decoder) throws {
        try self.init(decoder.container(keyedBy: CodingKeys.self))
    }

    fileprivate init(_ container: KeyedDecodingContainer<CodingKeys>) throws {
        id = try container.decode(UserID.self, forKey: .id)
        username = try container.decode(Username.self, forKey: .username)
        let display = try container.decodeIfPresent(DisplayName.self, forKey: .display)
        displayname =
            try container.decodeIfPresent(DisplayName.self, forKey: .displayname)
            ?? display ?? DisplayName(username)
        description = try container.decodeIfPresent(Description.self, forKey: .description)
        thumbnail = try container.decodeIfPresent(WebURL.self, forKey: .thumbnail)
        banner = try container.decodeIfPresent(WebURL.self, forKey: .banner)
        tags = try container.decodeIfPresent(TagSet.self, forKey: .tags) ?? []
        server = try container.decode(ServerAddress.self, forKey: .server)
        external = try container.decodeIfPresent(Bool.self, forKey: .external) ?? false
        createdAt = try container.decode(Timestamp.self, forKey: .createdAt)
        updatedAt = try container.decode(Timestamp.self, forKey: .updatedAt)
    }

    /// Writes the object.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try encode(into: &container)
    }

    fileprivate func encode(into container: inout KeyedEncodingContainer<CodingKeys>) throws {
        try container.encode(id, forKey: .id)
        try container.encode(username, forKey: .username)
        try container.encode(displayname, forKey: .displayname)
        try container.encode(displayname, forKey: .display)
        try container.encodeIfPresent(description, forKey: .description)
        try container.encodeIfPresent(thumbnail, forKey: .thumbnail)
        try container.encodeIfPresent(banner, forKey: .banner)
        try container.encode(tags, forKey: .tags)
        try container.encode(server, forKey: .server)
        try container.encode(external, forKey: .external)
        try container.encode(createdAt, forKey: .createdAt)
        try container.encode(updatedAt, forKey: .updatedAt)
    }
}

/// An account as its user sees it: User and more, in one object.
public struct UserMe: Sendable, Hashable, Codable {
    /// What everybody sees.
    public var user: User
    /// The email address.
    public var email: EmailAddress?
    /// Whether they are there.
    public var status: UserStatus
    /// Whom they follow, with their homes.
    public var following: [UserReference]
    /// The home world, with its node.
    public var home: WorldReference?

    /// UserMe with these fields.
    public init(
        user: User, email: EmailAddress? = nil, status: UserStatus, following: [UserReference],
        home: WorldReference? = nil
    ) {
        self.user = user
        self.email = email
        self.status = status
        self.following = following
        self.home = home

    }

    /// Reads the fields of both out of one object.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: User.CodingKeys.self)
        user = try User(container)
        email = try container.decodeIfPresent(EmailAddress.self, forKey: .email)
        status = try container.decode(UserStatus.self, forKey: .status)
        following = try container.decode([UserReference].self, forKey: .following)
        home = try container.decodeIfPresent(WorldReference.self, forKey: .home)
    }

    /// Writes the fields of both into one object.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: User.CodingKeys.self)
        try user.encode(into: &container)
        try container.encodeIfPresent(email, forKey: .email)
        try container.encode(status, forKey: .status)
        try container.encode(following, forKey: .following)
        try container.encodeIfPresent(home, forKey: .home)
    }
}

/// An account as a friend sees it, where each follows the other: User and more, in one object.
public struct UserFriend: Sendable, Hashable, Codable {
    /// What everybody sees.
    public var user: User
    /// Since when the one who looks follows them.
    public var followingAt: Timestamp
    /// Whether they are there.
    public var status: UserStatus

    /// UserFriend with these fields.
    public init(user: User, followingAt: Timestamp, status: UserStatus) {
        self.user = user
        self.followingAt = followingAt
        self.status = status
    }

    /// Reads the fields of both out of one object.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: User.CodingKeys.self)
        user = try User(container)
        _ = try container.decode(Bool.self, forKey: .isFriend)
        followingAt = try container.decode(Timestamp.self, forKey: .followingAt)
        status = try container.decode(UserStatus.self, forKey: .status)
    }

    /// Writes the fields of both into one object.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: User.CodingKeys.self)
        try user.encode(into: &container)
        try container.encode(true, forKey: .isFriend)
        try container.encode(followingAt, forKey: .followingAt)
        try container.encode(status, forKey: .status)
    }
}
