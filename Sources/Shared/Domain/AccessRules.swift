/// How open an instance is, from the mildest to the strictest.
public enum InstanceAccess: Int, Sendable, CaseIterable, Comparable {
    /// For everybody.
    case everybody
    /// For friends of the owner, the master or any member.
    case friendsPlus
    /// For friends of the owner or the master.
    case friendsOnly
    /// For whom any member invites.
    case invitePlus
    /// For whom the owner, a moderator or the master invites.
    case inviteOnly
    /// For the owner and the moderators.
    case staffOnly

    /// The tag that says so.
    public var tag: Tag {
        switch self {
        case .everybody: .public
        case .friendsPlus: .friendsPlus
        case .friendsOnly: .friendsOnly
        case .invitePlus: .invitePlus
        case .inviteOnly: .inviteOnly
        case .staffOnly: .private
        }
    }

    /// What the tags of an instance say: the strictest of them.
    public init(_ tags: TagSet) {
        self = Self.allCases.last { tags.contains($0.tag) } ?? .everybody
    }

    /// Milder before stricter.
    public static func < (a: InstanceAccess, b: InstanceAccess) -> Bool { a.rawValue < b.rawValue }
}

/// What is known of a caller and an instance, gathered by who can look it up.
public struct InstanceStanding: Sendable, Equatable {
    /// An administrator of the node.
    public var isAdministrator = false
    /// The instance's owner.
    public var isOwner = false
    /// One of its moderators.
    public var isModerator = false
    /// Has a player, or a seat held, in it now.
    public var isMember = false
    /// Was invited, or let in after asking.
    public var isInvited = false
    /// Banned from it.
    public var isBanned = false
    /// Follows, and is followed by, the owner or the master.
    public var isFriend = false
    /// Follows, and is followed by, any member.
    public var isFriendOfMember = false

    /// A stranger.
    public init() {}

    /// Whether the instance is theirs to look after.
    public var isStaff: Bool { isAdministrator || isOwner || isModerator }
}

/// What is known of a caller and a world.
public struct WorldStanding: Sendable, Equatable {
    /// An administrator of the node.
    public var isAdministrator = false
    /// The world's owner.
    public var isOwner = false
    /// One of its contributors.
    public var isContributor = false
    /// A member of an instance of it here.
    public var isMember = false

    /// A stranger.
    public init() {}
}

/// Who may see and enter what: pure functions over what others looked up.
public enum AccessRules {
    /// Whether the caller may know that the instance is there: 36 for all others.
    ///
    /// Friends see one that is entered by invitation, too, since they are who may ask for one.
    public static func maySee(_ access: InstanceAccess, _ caller: InstanceStanding) -> Bool {
        if caller.isStaff || caller.isMember { return true }
        switch access {
        case .everybody: return true
        case .friendsPlus, .invitePlus:
            return caller.isInvited || caller.isFriend || caller.isFriendOfMember
        case .friendsOnly, .inviteOnly: return caller.isInvited || caller.isFriend
        case .staffOnly: return false
        }
    }

    /// Whether the caller may enter, were there a place: 49 for who sees it and may not.
    ///
    /// A ban holds against all but administrators and the owner, who could lift it.
    public static func mayEnter(_ access: InstanceAccess, _ caller: InstanceStanding) -> Bool {
        if caller.isAdministrator || caller.isOwner { return true }
        if caller.isBanned { return false }
        if caller.isModerator { return true }
        switch access {
        case .everybody: return true
        case .friendsPlus: return caller.isInvited || caller.isFriend || caller.isFriendOfMember
        case .friendsOnly: return caller.isInvited || caller.isFriend
        case .invitePlus, .inviteOnly: return caller.isInvited
        case .staffOnly: return false
        }
    }

    /// What to tell who wants to enter; nil for who may.
    public static func refusal(
        _ access: InstanceAccess, _ caller: InstanceStanding
    ) -> ErrorCode? {
        if mayEnter(access, caller) { return nil }
        return maySee(access, caller) ? .userNotAllowed : .instanceNotFound
    }

    /// Whether the caller may know that the world, and what is below it, is there: 25 for others.
    public static func maySee(world tags: TagSet, _ caller: WorldStanding) -> Bool {
        !tags.contains(.private) || caller.isAdministrator || caller.isOwner
            || caller.isContributor || caller.isMember
    }

    /// Whether the caller may change the world and its assets.
    public static func mayEdit(_ caller: WorldStanding) -> Bool {
        caller.isAdministrator || caller.isOwner || caller.isContributor
    }

    /// Whether the caller may delete the world, or say who contributes.
    public static func mayDispose(_ caller: WorldStanding) -> Bool {
        caller.isAdministrator || caller.isOwner
    }

    /// Whether the caller may change the instance, but for title and description.
    public static func mayEdit(_ caller: InstanceStanding) -> Bool {
        caller.isAdministrator || caller.isOwner
    }

    /// Whether the caller may change the instance's title and description.
    public static func mayDescribe(_ caller: InstanceStanding) -> Bool { caller.isStaff }
}
