import Base

/// A grant that lets a user act on a node that is not their home.
public struct Integrity: Sendable, Equatable, Codable {
    /// The grant.
    public var id: IntegrityID
    /// Who may act, with their home.
    public var user: UserReference
    /// Where: the host.
    public var server: ServerAddress
    /// When it was made.
    public var createdAt: Timestamp
    /// Until when it counts.
    public var expiresAt: Timestamp
    /// When it was last used; null before, and at the home, which cannot know.
    public var usedAt: Timestamp?
    /// What the user shows there: only in the answer that makes it.
    @Omittable public var token: IntegrityToken?
    /// Where to show it: only in the home's answer to its user.
    @Omittable public var gateway: Gateway?

    /// Integrity with these fields.
    public init(
        id: IntegrityID, user: UserReference, server: ServerAddress, createdAt: Timestamp,
        expiresAt: Timestamp, usedAt: Timestamp? = nil, token: IntegrityToken? = nil,
        gateway: Gateway? = nil
    ) {
        self.id = id
        self.user = user
        self.server = server
        self.createdAt = createdAt
        self.expiresAt = expiresAt
        self.usedAt = usedAt
        self.token = token
        self.gateway = gateway
    }

    private enum CodingKeys: String, CodingKey {
        case id, user, server, token, gateway
        case createdAt = "created_at"
        case expiresAt = "expires_at"
        case usedAt = "used_at"
    }
}

/// What the host answers to the home that asked for a grant; what else it says is not needed.
public struct IntegrityGrant: Sendable, Equatable, Codable {
    /// The grant.
    public var id: IntegrityID
    /// Who may act.
    public var user: UserReference
    /// What the user shows.
    public var token: IntegrityToken
    /// Until when it counts.
    public var expiresAt: Timestamp

    /// IntegrityGrant with these fields.
    public init(
        id: IntegrityID, user: UserReference, token: IntegrityToken, expiresAt: Timestamp
    ) {
        self.id = id
        self.user = user
        self.token = token
        self.expiresAt = expiresAt
    }

    private enum CodingKeys: String, CodingKey {
        case id, user, token
        case expiresAt = "expires_at"
    }
}
