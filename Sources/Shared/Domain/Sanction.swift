import Base

/// What holds against a user in an instance.
public enum SanctionType: String, Sendable, Codable, CaseIterable {
    /// May not enter.
    case ban
    /// What they say is dropped.
    case mute
}

/// A ban or a mute: it holds for the user, from every node, and outlives the player.
public struct Sanction: Sendable, Hashable, Codable {
    /// Against whom, with their home.
    public var user: UserReference
    /// What it is.
    public var type: SanctionType
    /// Why.
    public var reason: Reason?
    /// Who said so.
    public var by: UserReference
    /// When it ends by itself; null: never.
    public var until: Timestamp?
    /// When it was said.
    public var createdAt: Timestamp

    /// A sanction with these fields.
    public init(
        user: UserReference, type: SanctionType, reason: Reason?, by: UserReference,
        until: Timestamp?, createdAt: Timestamp
    ) {
        self.user = user
        self.type = type
        self.reason = reason
        self.by = by
        self.until = until
        self.createdAt = createdAt
    }

    private enum CodingKeys: String, CodingKey {
        case user, type, reason, by, until
        case createdAt = "created_at"
    }
}

/// What can be done about a player, as `instance-moderate` and `instance-moderation` number it.
public enum ModerationType: Int, Sendable, Codable, CaseIterable {
    case kick = 0
    case ban = 1
    case mute = 2
    case unmute = 3
    case warn = 4
    case unban = 5
}

/// How much somebody has to say in an instance: nobody keeps order among their equals.
public enum ModerationRank: Int, Sendable, Comparable {
    /// Everybody, the master among them.
    case member
    case moderator
    case owner
    case administrator

    /// The rank of who stands so to an instance.
    public init(_ standing: InstanceStanding) {
        self =
            if standing.isAdministrator { .administrator } else if standing.isOwner {
                .owner
            } else if standing.isModerator { .moderator } else { .member }
    }

    /// Whether who has this rank may keep order at all.
    public var mayModerate: Bool { self > .member }

    /// The lower before the higher.
    public static func < (a: ModerationRank, b: ModerationRank) -> Bool { a.rawValue < b.rawValue }
}
