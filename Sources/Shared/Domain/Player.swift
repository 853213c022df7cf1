import Base

/// What a player is in an instance; the first that fits.
public enum PlayerRole: String, Sendable, Codable, CaseIterable {
    /// An administrator of the node.
    case admin
    /// The instance's owner.
    case owner
    /// On whose client the world's logic runs.
    case master
    /// One of its moderators.
    case moderator
    /// An automated client.
    case bot
    /// Everybody else.
    case normal
}

/// A user's presence in one instance through one socket.
public struct Player: Sendable, Hashable, Codable {
    /// The presence.
    public var id: PlayerID
    /// Who it is, with their home.
    public var user: UserReference
    /// What others see.
    public var displayname: DisplayName
    /// What they are here.
    public var role: PlayerRole
    /// When they entered.
    public var joinedAt: Timestamp
    /// Whether what they say is dropped.
    public var muted: Bool

    /// Player with these fields.
    public init(
        id: PlayerID, user: UserReference, displayname: DisplayName, role: PlayerRole,
        joinedAt: Timestamp, muted: Bool = false
    ) {
        self.id = id
        self.user = user
        self.displayname = displayname
        self.role = role
        self.joinedAt = joinedAt
        self.muted = muted
    }

    private enum CodingKeys: String, CodingKey {
        case id, user, displayname, role, muted
        case joinedAt = "joined_at"
    }
}
