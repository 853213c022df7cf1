import Base

/// Where a challenge stands.
public enum ChallengeState: String, Sendable, Codable, CaseIterable {
    /// Waits for its signature.
    case pending
    /// Was answered; its token counts.
    case proved
    /// Was not answered in time, failed, or its token has run out.
    case expired
    /// Was ended by either side.
    case revoked
}

/// A proof that a node owns its address; never with nonce or token.
public struct Challenge: Sendable, Hashable, Codable {
    /// The challenge.
    public var id: ChallengeID
    /// Who has to prove it.
    public var server: ServerAddress
    /// Where it stands.
    public var state: ChallengeState
    /// When it was asked for.
    public var createdAt: Timestamp
    /// Until when it, or its token, counts.
    public var expiresAt: Timestamp

    /// Challenge with these fields.
    public init(
        id: ChallengeID, server: ServerAddress, state: ChallengeState, createdAt: Timestamp,
        expiresAt: Timestamp
    ) {
        self.id = id
        self.server = server
        self.state = state
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }

    private enum CodingKeys: String, CodingKey {
        case id, server, state
        case createdAt = "created_at"
        case expiresAt = "expires_at"
    }
}
