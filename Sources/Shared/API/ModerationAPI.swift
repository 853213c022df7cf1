import Base
import Domain
import HTTP

/// How administrators keep order on the node: who is suspended, and what was done by whom.
public enum ModerationAPI {
    /// `/api/moderation/users`
    public struct UsersPath: FixedPath {
        /// Where it stands.
        public static let template = "/api/moderation/users"
        /// The only value.
        public init() {}
    }
    /// `/api/moderation/log`
    public struct LogPath: FixedPath {
        /// Where it stands.
        public static let template = "/api/moderation/log"
        /// The only value.
        public init() {}
    }

    /// What suspending a user takes.
    public struct Suspending: Codable, Sendable {
        /// Whom, of any node.
        public let user: UserReference
        /// Why.
        public let reason: Reason?
        /// When it ends by itself.
        public let until: Timestamp?
    }
    /// Whose suspension is lifted.
    public struct Lifting: Codable, Sendable {
        /// Whose.
        public let user: UserReference
        /// Why.
        public let reason: Reason?
    }
    /// A user who is suspended.
    public struct Suspension: Codable, Sendable, Equatable {
        /// Who, with their home.
        public let user: UserReference
        /// Why.
        public let reason: Reason?
        /// Who said so.
        public let by: UserReference
        /// When it ends by itself; null: never.
        public let until: Timestamp?
        /// When it was said.
        public let createdAt: Timestamp

        private enum CodingKeys: String, CodingKey {
            case user, reason, by, until
            case createdAt = "created_at"
        }

        /// A suspension with these fields.
        public init(
            user: UserReference, reason: Reason?, by: UserReference, until: Timestamp?,
            createdAt: Timestamp
        ) {
            self.user = user
            self.reason = reason
            self.by = by
            self.until = until
            self.createdAt = createdAt
        }
    }
    /// What can stand in the log.
    public enum Act: String, Codable, Sendable, CaseIterable {
        case suspend, unsuspend
        case tags
        case updateUser = "update-user"
        case deleteUser = "delete-user"
        case deleteWorld = "delete-world"
        case deleteInstance = "delete-instance"
        case deleteService = "delete-service"
        case ruleNodes = "rule-nodes"
        case unruleNodes = "unrule-nodes"
        case denyClients = "deny-clients"
        case admitClients = "admit-clients"
        case handleReport = "handle-report"
        case updateServer = "update-server"
        case forgetNode = "forget-node"
    }
    /// One thing that an administrator did.
    public struct LogEntry: Codable, Sendable, Equatable {
        /// Its number; later ones are higher.
        public let id: Int64
        /// When.
        public let at: Timestamp
        /// Who, with their home.
        public let by: UserReference
        /// What.
        public let act: Act
        /// To whom, or to what.
        public let subject: String
        /// Why.
        public let reason: Reason?
        /// What else is to be said of it.
        public let details: String?

        /// An entry with these fields.
        public init(
            id: Int64, at: Timestamp, by: UserReference, act: Act, subject: String,
            reason: Reason?, details: String?
        ) {
            self.id = id
            self.at = at
            self.by = by
            self.act = act
            self.subject = subject
            self.reason = reason
            self.details = details
        }
    }

    /// Who is suspended.
    public static let suspended = Endpoint<Paged<UsersPath>, NoBody, Page<Suspension>>(
        .get, access: .administrators, servedBy: .eta, invalid: .userInvalidInput,
        "who is suspended")
    /// Suspends a user of any node.
    public static let suspend = Endpoint<UsersPath, Suspending, Suspension>(
        .put, access: .administrators, servedBy: .eta, invalid: .userInvalidInput,
        errors: [.userNotFound], created: true, "suspends a user of any node")
    /// Lets a user act again.
    public static let unsuspend = Endpoint<UsersPath, Lifting, Nothing>(
        .delete, access: .administrators, servedBy: .eta, invalid: .userInvalidInput,
        errors: [.userNotFound], "lets a user act again")
    /// What administrators did, the newest first.
    public static let log = Endpoint<Paged<LogPath>, NoBody, Page<LogEntry>>(
        .get, access: .administrators, servedBy: .eta, invalid: .userInvalidInput,
        volatile: true, "what administrators did, the newest first")

    /// All of them.
    public static let all: [EndpointFacts] = [
        suspended.facts, suspend.facts, unsuspend.facts, log.facts,
    ]
}
