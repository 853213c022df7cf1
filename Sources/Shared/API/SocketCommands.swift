import Base
import Domain

/// What a client may ask by socket, docs/client/socket.md.
public enum SocketCommand: String, Sendable, CaseIterable {
    case ping
    case authenticate
    case subscribe
    case unsubscribe
    case instanceJoin = "instance-join"
    case instanceLeave = "instance-leave"
    case instanceData = "instance-data"
    case instanceTransform = "instance-transform"
    case instanceObject = "instance-object"
    case instanceModerate = "instance-moderate"
    case instanceInvite = "instance-invite"

    /// The errors of its own.
    public var errors: [ErrorCode] {
        switch self {
        case .ping: []
        case .authenticate:
            [.authInvalidInput, .userNotLogged, .integrityNotFound, .userSuspended]
        case .subscribe, .unsubscribe: [.invalidSubscription]
        case .instanceJoin:
            [.userNotLogged, .instanceNotFound, .instanceIsFull, .userNotAllowed, .userSuspended]
        case .instanceLeave: [.notInInstance]
        case .instanceData: [.notInInstance, .playerMuted]
        case .instanceTransform: [.notInInstance, .userDontHavePermission]
        case .instanceObject: [.notInInstance, .userDontHavePermission]
        case .instanceModerate:
            [.invalidModerationType, .userDontHavePermission, .playerNotFound]
        case .instanceInvite: [.userDontHavePermission, .userNotFound]
        }
    }
}

/// The `data` of a command that is about an instance, which the frame's subgroup may name instead.
public protocol InstanceNaming {
    /// The instance, where it is named here.
    var instance: InstanceSelector? { get }
    /// What to answer where the rest does not fit.
    static func refusal(of error: InvalidFields) -> ErrorCode
}

/// The `data` of each command and of its answer.
public enum SocketMessages {
    /// Bytes of what an `instance-data` says, docs/client/socket.md, "In an instance".
    public static let dataLimit = 16 << 10

    /// `ping`
    public struct Ping: Codable, Sendable {
        /// The time.
        public let time: Timestamp?
    }
    /// The answer to `ping`.
    public struct Pong: Codable, Sendable {
        /// The client.
        public let client: Timestamp?
        /// The server.
        public let server: Timestamp

        /// An answer.
        public init(client: Timestamp?, server: Timestamp) {
            self.client = client
            self.server = server
        }
    }
    /// `authenticate`: one of the two, or neither where the upgrade had one.
    public struct Authenticate: Codable, Sendable {
        /// The token.
        public let token: String?
        /// The integrity.
        public let integrity: String?
        /// By what an older socket is resumed.
        public let resume: String?
        /// The number of the last event of each subgroup that was seen.
        public let last: [String: Int64]?
    }
    /// The answer to `authenticate`.
    public struct Authenticated: Codable, Sendable {
        /// The user.
        public let user: UserReference
        /// Whether the user is one of this node.
        public let `internal`: Bool
        /// What to resume by.
        public let resume: String
        /// The resumed.
        public let resumed: Bool
        /// The replayed.
        public let replayed: Bool

        /// An answer.
        public init(
            user: UserReference, internal: Bool, resume: String, resumed: Bool, replayed: Bool
        ) {
            self.user = user
            self.internal = `internal`
            self.resume = resume
            self.resumed = resumed
            self.replayed = replayed
        }
    }
    /// `subscribe`, `unsubscribe`: a list, or one as older clients write it.
    public struct Subscription: Codable, Sendable {
        /// The events.
        public let events: [String]?
        /// The event.
        public let event: String?

        /// The names asked for.
        public var names: [String] { (events ?? []) + (event.map { [$0] } ?? []) }
    }
    /// All subscriptions after the command.
    public struct Subscriptions: Codable, Sendable {
        /// The events, and behind them the services, by their names.
        public let events: [String]

        /// A list.
        public init(events: [SocketEvent], services: [ServiceID] = []) {
            self.events = events.map(\.rawValue) + services.map(\.text)
        }
    }
    /// `instance-join`
    public struct Join: Codable, Sendable {
        /// The instance.
        public let instance: InstanceSelector?
        /// The as.
        public let `as`: String?
    }
    /// Bytes of what is said of an object, docs/client/socket.md, "In an instance".
    public static let objectLimit = 8 << 10

    /// `instance-object`
    public struct ObjectCommand: Codable, Sendable {
        /// The instance.
        public let instance: InstanceID?
        /// The object's name.
        public let object: ObjectName
        /// What is to be done.
        public let action: ObjectAction
    }
    /// The answer to `instance-object`.
    public struct ObjectAnswer: Codable, Sendable {
        /// The object.
        public let object: String
        /// Who holds it now; null when it is free.
        public let holder: PlayerID?
        /// How often it has changed.
        public let version: Int

        /// An answer.
        public init(_ object: RoomObject) {
            self.object = object.object
            holder = object.holder
            version = object.version
        }
    }
    /// `instance-moderate`: the player or the user, one of the two.
    public struct Moderation: Codable, Sendable, InstanceNaming {
        /// The instance.
        public let instance: InstanceSelector?
        /// The player.
        public let player: PlayerID?
        /// The user, who need not be there.
        public let user: UserReference?
        /// What is to be done, ``ModerationType``.
        public let type: Int
        /// Why.
        public let reason: Reason?
        /// When it ends by itself.
        public let until: Timestamp?

        /// 40 for a type that is none, 50 for who is none.
        public static func refusal(of error: InvalidFields) -> ErrorCode {
            let fields = Set(error.problems.map(\.field))
            if fields.contains("type") { return .invalidModerationType }
            if fields.contains("player") || fields.contains("user") { return .playerNotFound }
            return fields == ["instance"] ? .instanceNotFound : .instanceInvalidInput
        }
    }
    /// `instance-invite`
    public struct Invitation: Codable, Sendable, InstanceNaming {
        /// The instance.
        public let instance: InstanceSelector?
        /// Whom.
        public let user: UserReference

        /// 17 for who is none.
        public static func refusal(of error: InvalidFields) -> ErrorCode {
            let fields = Set(error.problems.map(\.field))
            if fields.contains("user") { return .userNotFound }
            return fields == ["instance"] ? .instanceNotFound : .instanceInvalidInput
        }
    }
    /// The answer to `instance-leave`, and what the others hear.
    public struct Left: Codable, Sendable {
        /// The instance.
        public let instance: InstanceID
        /// The player.
        public let player: PlayerID
        /// The type.
        public let type: LeaveType

        /// An answer.
        public init(instance: InstanceID, player: PlayerID, type: LeaveType) {
            self.instance = instance
            self.player = player
            self.type = type
        }
    }
}
