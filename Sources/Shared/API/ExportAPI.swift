import Base
import Domain
import HTTP

/// All that the node holds of a user, for the user.
public enum ExportAPI {
    /// `/api/users/@me/export`
    public struct ExportPath: FixedPath {
        /// Where it stands.
        public static let template = "/api/users/@me/export"
        /// The only value.
        public init() {}
    }

    /// One document. Images and files are named by their URLs.
    public struct Export: Codable, Sendable {
        /// The account.
        public let profile: UserMe
        /// The logins.
        public let sessions: [SessionView]
        /// Whom the user follows, with their homes.
        public let following: [UserReference]
        /// Who follows the user.
        public let followers: [UserReference]
        /// The user's worlds, with their assets.
        public let worlds: [World]
        /// The user's services.
        public let services: [Service]
        /// The instances that the user owns.
        public let instances: [Instance]
        /// What the user may visit other nodes by.
        public let integrity: [Integrity]
        /// Bans and mutes against the user, in whichever instances.
        public let sanctions: [Sanction]

        /// A document of these parts.
        public init(
            profile: UserMe, sessions: [SessionView], following: [UserReference],
            followers: [UserReference], worlds: [World], services: [Service],
            instances: [Instance], integrity: [Integrity], sanctions: [Sanction]
        ) {
            self.profile = profile
            self.sessions = sessions
            self.following = following
            self.followers = followers
            self.worlds = worlds
            self.services = services
            self.instances = instances
            self.integrity = integrity
            self.sanctions = sanctions
        }
    }

    /// The document.
    public static let export = Endpoint<ExportPath, NoBody, Export>(
        .get, access: .person, servedBy: .eta, invalid: .userInvalidInput, rate: .meeting,
        volatile: true, "all that the node holds of the caller")

    /// All of them.
    public static let all: [EndpointFacts] = [export.facts]
}
