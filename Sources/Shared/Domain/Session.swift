import Base

/// One login, as its user sees it in the list of them.
public struct SessionView: Sendable, Hashable, Codable {
    /// The session.
    public var id: SessionID
    /// When they logged in.
    public var createdAt: Timestamp
    /// When it was last used, to the minute.
    public var usedAt: Timestamp
    /// What the client called itself.
    public var userAgent: String?
    /// From which network: /24 of IPv4, /48 of IPv6.
    public var addressPrefix: String?
    /// Whether this request came by it.
    public var current: Bool

    /// SessionView with these fields.
    public init(
        id: SessionID, createdAt: Timestamp, usedAt: Timestamp, userAgent: String? = nil,
        addressPrefix: String? = nil, current: Bool
    ) {
        self.id = id
        self.createdAt = createdAt
        self.usedAt = usedAt
        self.userAgent = userAgent
        self.addressPrefix = addressPrefix
        self.current = current
    }

    private enum CodingKeys: String, CodingKey {
        case id, current
        case createdAt = "created_at"
        case usedAt = "used_at"
        case userAgent = "user_agent"
        case addressPrefix = "address_prefix"
    }
}

/// What a login, a registration or a refresh answers.
public struct Login: Sendable, Equatable, Codable {
    /// For every request, one hour.
    public var token: AccessToken
    /// For the next pair, once.
    public var refresh: RefreshToken
    /// Until when the access token counts.
    public var expiresAt: Timestamp
    /// Until when the refresh token counts.
    public var refreshExpiresAt: Timestamp
    /// The session; also written as `id` for old clients.
    public var session: SessionID
    /// When the session began.
    public var createdAt: Timestamp
    /// Who it is.
    public var user: UserMe

    /// Login with these fields.
    public init(
        token: AccessToken, refresh: RefreshToken, expiresAt: Timestamp,
        refreshExpiresAt: Timestamp, session: SessionID, createdAt: Timestamp, user: UserMe
    ) {
        self.token = token
        self.refresh = refresh
        self.expiresAt = expiresAt
        self.refreshExpiresAt = refreshExpiresAt
        self.session = session
        self.createdAt = createdAt
        self.user = user
    }

    private enum CodingKeys: String, CodingKey {
        case token, refresh, session, id, user
        case expiresAt = "expires_at"
        case refreshExpiresAt = "refresh_expires_at"
        case createdAt = "created_at"
    }

    /// Reads the object; `id` repeats what `session` says.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        token = try container.decode(AccessToken.self, forKey: .token)
        refresh = try container.decode(RefreshToken.self, forKey: .refresh)
        expiresAt = try container.decode(Timestamp.self, forKey: .expiresAt)
        refreshExpiresAt = try container.decode(Timestamp.self, forKey: .refreshExpiresAt)
        session = try container.decode(SessionID.self, forKey: .session)
        _ = try container.decodeIfPresent(SessionID.self, forKey: .id)
        createdAt = try container.decode(Timestamp.self, forKey: .createdAt)
        user = try container.decode(UserMe.self, forKey: .user)
    }

    /// Writes the object.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(token, forKey: .token)
        try container.encode(refresh, forKey: .refresh)
        try container.encode(expiresAt, forKey: .expiresAt)
        try container.encode(refreshExpiresAt, forKey: .refreshExpiresAt)
        try container.encode(session, forKey: .session)
        try container.encode(session, forKey: .id)
        try container.encode(createdAt, forKey: .createdAt)
        try container.encode(user, forKey: .user)
    }
}
