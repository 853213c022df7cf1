import Base
import Domain
import HTTP

/// Bans and mutes of an instance.
public enum SanctionAPI {
    /// `/api/instances/:id/moderation`
    public struct ModerationPath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/instances/:id/moderation"
        /// What path and query hold.
        public static let parameters = InstanceAPI.InstancePath.parameters
        /// The instance.
        public let instance: InstanceSelector
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            instance = try arguments.capture(0, or: .instanceNotFound) { InstanceSelector($0) }
        }
    }
    /// `/api/instances/:id/moderation`, the list
    public struct SanctionsPath: EndpointPath {
        /// Where it stands.
        public static let template = ModerationPath.template
        /// What path and query hold.
        public static let parameters = ModerationPath.parameters + PageQuery.parameters
        /// The instance.
        public let instance: InstanceSelector
        /// Which part of the list.
        public let page: PageQuery
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            instance = try arguments.capture(0, or: .instanceNotFound) { InstanceSelector($0) }
            page = PageQuery(&arguments)
        }
    }

    /// What a ban or a mute takes.
    public struct Order: Codable, Sendable {
        /// Against whom.
        public let user: UserReference
        /// What.
        public let type: SanctionType
        /// Why.
        public let reason: Reason?
        /// When it ends by itself.
        public let until: Timestamp?
    }
    /// What lifting one takes.
    public struct Lifting: Codable, Sendable {
        /// Against whom it is.
        public let user: UserReference
        /// Which; both where none is named.
        public let type: SanctionType?
    }

    /// Bans and mutes.
    public static let list = Endpoint<SanctionsPath, NoBody, Page<Sanction>>(
        .get, access: .presentOwner, servedBy: .eta, invalid: .instanceInvalidInput,
        errors: [.instanceNotFound], "bans and mutes of an instance")
    /// Bans or mutes.
    public static let impose = Endpoint<ModerationPath, Order, Sanction>(
        .put, access: .presentOwner, servedBy: .eta, invalid: .instanceInvalidInput,
        errors: [.instanceNotFound, .userNotFound], created: true,
        "bans or mutes a user in an instance")
    /// Lifts it.
    public static let lift = Endpoint<ModerationPath, Lifting, Nothing>(
        .delete, access: .presentOwner, servedBy: .eta, invalid: .instanceInvalidInput,
        errors: [.instanceNotFound, .userNotFound], "lifts bans and mutes of a user")

    /// All of them.
    public static let all: [EndpointFacts] = [list.facts, impose.facts, lift.facts]
}
