import Base
import Domain
import HTTP

/// How a user is known on a node that is not their home, docs/federation §7.
public enum IntegrityAPI {
    /// `/api/integrity`
    public struct ListPath: FixedPath {
        /// Where it stands.
        public static let template = "/api/integrity"
        /// The only value.
        public init() {}
    }
    /// `/api/integrity/:id`
    public struct IntegrityPath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/integrity/:id"
        /// What path and query hold.
        public static let parameters = [
            Parameter.path("id", IntegrityID.jsonSchema, "the grant")
        ]
        /// The grant.
        public let id: IntegrityID
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            id = try arguments.capture(0, or: .integrityNotFound) { IntegrityID($0) }
        }
    }

    /// What a home asks of a host for one of its users.
    public struct Vouching: Codable, Sendable {
        /// The user, `u_…@home`.
        public let user: UserReference
        /// How the home describes them; without it the host reads it from the home.
        public let profile: User?

        /// A request to know a user.
        public init(user: UserReference, profile: User?) {
            self.user = user
            self.profile = profile
        }
    }
    /// What a user asks of their home.
    public struct Wish: Codable, Sendable {
        /// The node that they want to visit.
        public let server: ServerAddress
    }
    /// Lists grants.
    public static let list = Endpoint<Paged<ListPath>, NoBody, Page<Integrity>>(
        .get, access: .present, servedBy: .eta, invalid: .integrityInvalidInput,
        "one's own grants, outgoing or incoming; all for an administrator")
    /// A home vouches for a user.
    public static let vouch = Endpoint<ListPath, Vouching, IntegrityGrant>(
        .put, access: .server, servedBy: .reil, invalid: .integrityInvalidInput,
        errors: [.objectNotInternal, .serverDenied, .userSuspended], created: true,
        holdsToken: true, "a home asks for a token for one of its users")
    /// A user wants to go abroad.
    public static let request = Endpoint<ListPath, Wish, Integrity>(
        .post, access: .person, servedBy: .reil, invalid: .integrityInvalidInput,
        errors: [
            .userCannotFetch, .serverNotFound, .noResponseFromServer, .noDataFromServer,
            .badDataFromServer, .badRedirectionFromServer, .badStructureFromServer,
            .addressRefused, .serverDenied,
        ],
        rate: .meeting, holdsToken: true, "a token for oneself on another node")
    /// Revokes a grant.
    public static let revoke = Endpoint<IntegrityPath, NoBody, Nothing>(
        .delete, access: Access([.user, .visitor, .server], word: "its user, its server, A"),
        servedBy: .eta, invalid: .integrityInvalidInput, errors: [.integrityNotFound],
        "revokes a grant")

    /// All of them.
    public static let all: [EndpointFacts] = [
        list.facts, vouch.facts, request.facts, revoke.facts,
    ]
}
