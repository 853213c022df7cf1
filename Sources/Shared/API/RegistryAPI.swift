import Base
import Domain
import HTTP

/// What a Reil asks of Eta beside what it passes on; under `/internal`, by the cluster key.
public enum RegistryAPI {
    /// `/internal/link`
    public struct LinkPath: FixedPath {
        /// Where it stands.
        public static let template = "/internal/link"
        /// The only value.
        public init() {}
    }
    /// `/internal/credentials`
    public struct CredentialsPath: FixedPath {
        /// Where it stands.
        public static let template = "/internal/credentials"
        /// The only value.
        public init() {}
    }
    /// `/internal/credentials/standing`
    public struct StandingPath: FixedPath {
        /// Where it stands.
        public static let template = "/internal/credentials/standing"
        /// The only value.
        public init() {}
    }
    /// `/internal/challenges`
    public struct ChallengesPath: FixedPath {
        /// Where it stands.
        public static let template = "/internal/challenges"
        /// The only value.
        public init() {}
    }
    /// `/internal/challenges/spend`
    public struct SpendPath: FixedPath {
        /// Where it stands.
        public static let template = "/internal/challenges/spend"
        /// The only value.
        public init() {}
    }
    /// `/internal/server-tokens`
    public struct ServerTokensPath: FixedPath {
        /// Where it stands.
        public static let template = "/internal/server-tokens"
        /// The only value.
        public init() {}
    }
    /// `/internal/nonces`
    public struct NoncesPath: FixedPath {
        /// Where it stands.
        public static let template = "/internal/nonces"
        /// The only value.
        public init() {}
    }
    /// `/internal/nodes/:address`
    public struct NodePath: EndpointPath {
        /// Where it stands.
        public static let template = "/internal/nodes/:address"
        /// What path and query hold.
        public static let parameters = [
            Parameter.path("address", ServerAddress.jsonSchema, "the other node")
        ]
        /// The other node.
        public let address: ServerAddress
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            address = try arguments.capture(0, or: .serverNotFound) { ServerAddress($0) }
        }
    }
    /// `/internal/nodes/:address/sightings`
    public struct SightingsPath: EndpointPath {
        /// Where it stands.
        public static let template = "/internal/nodes/:address/sightings"
        /// What path and query hold.
        public static let parameters = NodePath.parameters
        /// The other node.
        public let address: ServerAddress
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            address = try arguments.capture(0, or: .serverNotFound) { ServerAddress($0) }
        }
    }
    /// `/internal/integrity/incoming`
    public struct IncomingPath: FixedPath {
        /// Where it stands.
        public static let template = "/internal/integrity/incoming"
        /// The only value.
        public init() {}
    }
    /// `/internal/integrity/outgoing`
    public struct OutgoingPath: FixedPath {
        /// Where it stands.
        public static let template = "/internal/integrity/outgoing"
        /// The only value.
        public init() {}
    }
    /// `/internal/deliveries/:address`
    public struct DeliveriesPath: EndpointPath {
        /// Where it stands.
        public static let template = "/internal/deliveries/:address"
        /// What path and query hold.
        public static let parameters = NodePath.parameters
        /// The other node.
        public let address: ServerAddress
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            address = try arguments.capture(0, or: .serverNotFound) { ServerAddress($0) }
        }
    }
    /// `/internal/services/:id/check`
    public struct ServicePath: EndpointPath {
        /// Where it stands.
        public static let template = "/internal/services/:id/check"
        /// What path and query hold.
        public static let parameters = [Parameter.path("id", ServiceID.jsonSchema, "the service")]
        /// The service.
        public let service: ServiceID
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            service = try arguments.capture(0, or: .serviceNotFound) { ServiceID($0) }
        }
    }
    /// `/internal/following`
    public struct FollowingPath: FixedPath {
        /// Where it stands.
        public static let template = "/internal/following"
        /// The only value.
        public init() {}
    }
    /// `/internal/instances/:id/players`
    public struct SeatsPath: EndpointPath {
        /// Where it stands.
        public static let template = "/internal/instances/:id/players"
        /// What path and query hold.
        public static let parameters = [
            Parameter.path("id", InstanceSelector.jsonSchema, "the instance")
        ]
        /// The instance.
        public let instance: InstanceSelector
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            instance = try arguments.capture(0, or: .instanceNotFound) { InstanceSelector($0) }
        }
    }

    /// `/internal/instances/:id/moderation`
    public struct ModerationPath: EndpointPath {
        /// Where it stands.
        public static let template = "/internal/instances/:id/moderation"
        /// What path and query hold.
        public static let parameters = SeatsPath.parameters
        /// The instance.
        public let instance: InstanceSelector
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            instance = try arguments.capture(0, or: .instanceNotFound) { InstanceSelector($0) }
        }
    }

    /// A credential that Reil does not know yet.
    public struct CredentialQuery: Codable, Sendable {
        /// The token itself.
        public let token: String

        /// A question.
        public init(token: String) {
            self.token = token
        }
    }
    /// Whose it is.
    public struct ResolvedCredential: Codable, Sendable {
        /// Who calls with it.
        public let caller: Caller
        /// When it ends by itself.
        public let expiresAt: Timestamp
        /// The generation of an access token.
        public let generation: UInt64?
        /// The id of an Ins credential.
        public let ins: String?

        /// An answer.
        public init(
            caller: Caller, expiresAt: Timestamp, generation: UInt64? = nil, ins: String? = nil
        ) {
            self.caller = caller
            self.expiresAt = expiresAt
            self.generation = generation
            self.ins = ins
        }
    }
    /// Logins and grants on which open sockets rest.
    public struct StandingQuery: Codable, Sendable {
        /// Users' logins.
        public let sessions: [SessionID]
        /// Visitors' grants.
        public let integrities: [IntegrityID]

        /// A question.
        public init(sessions: [SessionID], integrities: [IntegrityID]) {
            self.sessions = sessions
            self.integrities = integrities
        }
    }
    /// Those of them that still count.
    public struct Standing: Codable, Sendable {
        /// Users by login, with what they may do now.
        public let callers: [UserCaller]
        /// Visitors' grants.
        public let integrities: [IntegrityID]

        /// An answer.
        public init(callers: [UserCaller], integrities: [IntegrityID]) {
            self.callers = callers
            self.integrities = integrities
        }
    }
    /// Which challenge is answered now, and so spent.
    public struct Spending: Codable, Sendable {
        /// Its id.
        public let id: ChallengeID

        /// A spending.
        public init(id: ChallengeID) { self.id = id }
    }
    /// A proof held: make the token.
    public struct TokenIssue: Codable, Sendable {
        /// The challenge.
        public let challenge: ChallengeID
        /// The server.
        public let server: ServerAddress

        /// An order for a token.
        public init(challenge: ChallengeID, server: ServerAddress) {
            self.challenge = challenge
            self.server = server
        }
    }
    /// A nonce of a signed request, to be seen once.
    public struct NonceUse: Codable, Sendable {
        /// The server.
        public let server: ServerAddress
        /// The nonce.
        public let nonce: String
        /// When it ends by itself.
        public let expiresAt: Timestamp

        /// A use.
        public init(server: ServerAddress, nonce: String, expiresAt: Timestamp) {
            self.server = server
            self.nonce = nonce
            self.expiresAt = expiresAt
        }
    }
    /// Whether it was the first use.
    public struct NonceVerdict: Codable, Sendable {
        /// The fresh.
        public let fresh: Bool

        /// A verdict.
        public init(fresh: Bool) { self.fresh = fresh }
    }
    /// Another node as this one remembers it across restarts.
    public struct NodeRecord: Codable, Sendable {
        /// The address.
        public let address: ServerAddress
        /// Whether it was ever seen over https, so that it never may be seen otherwise.
        public let secure: Bool
        /// Its keys, base64url, that this node believes.
        public let keys: [KnownKey]
        /// Its gateway as last told.
        public let gateway: Gateway?
        /// Our server token there, and when it ends.
        public let token: ServerToken?
        /// The token expires at.
        public let tokenExpiresAt: Timestamp?

        /// A record.
        public init(
            address: ServerAddress, secure: Bool, keys: [KnownKey], gateway: Gateway?,
            token: ServerToken?, tokenExpiresAt: Timestamp?
        ) {
            self.address = address
            self.secure = secure
            self.keys = keys
            self.gateway = gateway
            self.token = token
            self.tokenExpiresAt = tokenExpiresAt
        }
    }
    /// A key of another node.
    public struct KnownKey: Codable, Sendable, Hashable {
        /// Base64url.
        public let key: NodeKeyText
        /// When it was first seen.
        public let seenAt: Timestamp
        /// When it counts: at once, or after the waiting time of a key that nobody vouched for.
        public let trustedAt: Timestamp
        /// When its owner says that it ends.
        public let expiresAt: Timestamp

        /// A key.
        public init(
            key: NodeKeyText, seenAt: Timestamp, trustedAt: Timestamp, expiresAt: Timestamp
        ) {
            self.key = key
            self.seenAt = seenAt
            self.trustedAt = trustedAt
            self.expiresAt = expiresAt
        }
    }
    /// What came of looking for a node that is known.
    public struct Sighting: Codable, Sendable {
        /// Why it was not found; nil where it was.
        public let failure: ErrorCode?

        /// What came of it.
        public init(failure: ErrorCode?) { self.failure = failure }
    }
    /// A user abroad got a token at another node, for the record and its revocation.
    public struct OutgoingGrant: Codable, Sendable {
        /// Its id.
        public let id: IntegrityID
        /// The user.
        public let user: UserID
        /// The session.
        public let session: SessionID
        /// The server.
        public let server: ServerAddress
        /// When it ends by itself.
        public let expiresAt: Timestamp

        /// A record.
        public init(
            id: IntegrityID, user: UserID, session: SessionID, server: ServerAddress,
            expiresAt: Timestamp
        ) {
            self.id = id
            self.user = user
            self.session = session
            self.server = server
            self.expiresAt = expiresAt
        }
    }
    /// A visitor comes: their home vouches, the profile was checked by Reil.
    public struct IncomingGrant: Codable, Sendable {
        /// The user.
        public let user: UserReference
        /// The profile.
        public let profile: User

        /// A grant to make.
        public init(user: UserReference, profile: User) {
            self.user = user
            self.profile = profile
        }
    }
    /// A seat in an instance is wanted for the caller.
    public struct SeatRequest: Codable, Sendable {
        /// Who sits there, made by the asking Reil: it can give the seat back although the answer
        /// was lost.
        public let player: PlayerID
        /// `bot` where the player joins as one.
        public let `as`: String?

        /// A request for a seat.
        public init(player: PlayerID, as role: String?) {
            self.player = player
            self.as = role
        }
    }
    /// A seat taken, and who hosts the instance.
    public struct Seat: Codable, Sendable {
        /// The player.
        public let player: Player
        /// The hosting.
        public let hosting: Hosting

        /// A seat.
        public init(player: Player, hosting: Hosting) {
            self.player = player
            self.hosting = hosting
        }
    }
    /// A seat given back.
    public struct SeatReturn: Codable, Sendable {
        /// The player.
        public let player: PlayerID

        /// A return.
        public init(player: PlayerID) { self.player = player }
    }

    /// What another node has told.
    public struct Deliveries: Codable, Sendable {
        /// Its stream.
        public let stream: StreamName
        /// What could be read.
        public let items: [Delivery]
        /// Up to which id the batch went.
        public let through: Int64

        /// Those items.
        public init(stream: StreamName, items: [Delivery], through: Int64) {
            self.stream = stream
            self.items = items
            self.through = through
        }
    }
    /// What came of telling another node.
    public struct DeliveryOutcome: Codable, Sendable {
        /// The stream of what was told.
        public let stream: StreamName
        /// Up to which id it is done; nil where the node could not be told.
        public let through: Int64?

        /// That.
        public init(stream: StreamName, through: Int64?) {
            self.stream = stream
            self.through = through
        }
    }
    /// What came of asking a service whether it is there.
    public struct ServiceCheck: Codable, Sendable {
        /// Where it was asked.
        public let address: ServiceAddress
        /// Whether over TLS.
        public let secure: Bool
        /// Whether it is there.
        public let isUp: Bool

        /// What came of asking at `target`.
        public init(_ target: ServiceTarget, isUp: Bool) {
            address = target.address
            secure = target.secure
            self.isUp = isUp
        }
    }
    /// Whom the caller follows, as their node describes them.
    public struct FollowAbroad: Codable, Sendable {
        /// The user.
        public let profile: User

        /// That user.
        public init(profile: User) { self.profile = profile }
    }

    /// Something is to be done about a player, or about a user who need not be there.
    public struct ModerationOrder: Codable, Sendable {
        /// What, ``ModerationType``.
        public let type: Int
        /// The player; nil where the user is named.
        public let player: PlayerID?
        /// The user; nil where the player is named.
        public let user: UserReference?
        /// Why.
        public let reason: Reason?
        /// When it ends by itself.
        public let until: Timestamp?

        /// An order.
        public init(
            type: Int, player: PlayerID?, user: UserReference?, reason: Reason?, until: Timestamp?
        ) {
            self.type = type
            self.player = player
            self.user = user
            self.reason = reason
            self.until = until
        }
    }

    /// The registry link.
    public static let link = Endpoint<LinkPath, NoBody, Response>(
        raw: .get, access: .gateway, servedBy: .eta, invalid: .malformedRequest,
        "pushes, leases, reports")
    /// Whose a credential is; 3 when nobody's (any more), 58 for the suspended.
    public static let resolve = Endpoint<CredentialsPath, CredentialQuery, ResolvedCredential>(
        .post, access: .gateway, servedBy: .eta, invalid: .authInvalidInput, holdsToken: true,
        "whose a credential is")
    /// Which logins and grants still count: asked when Eta is back, for the sockets that are open.
    public static let standing = Endpoint<StandingPath, StandingQuery, Standing>(
        .post, access: .gateway, servedBy: .eta, invalid: .authInvalidInput,
        "which logins and grants still count")
    /// Stores a pending challenge and makes its nonce.
    public static let openChallenge = Endpoint<
        ChallengesPath, ChallengeAPI.Opening, ChallengeAPI.Nonce
    >(
        .post, access: .gateway, servedBy: .eta, invalid: .serverInvalidInput, holdsToken: true,
        "opens a challenge")
    /// Takes a pending challenge: it is spent whatever the outcome. 59 when there is none.
    public static let spendChallenge = Endpoint<SpendPath, Spending, ChallengeAPI.Nonce>(
        .post, access: .gateway, servedBy: .eta, invalid: .serverInvalidInput, holdsToken: true,
        "spends a challenge")
    /// Makes the server token that a proof earned.
    public static let issueServerToken = Endpoint<
        ServerTokensPath, TokenIssue, ChallengeAPI.Proved
    >(
        .post, access: .gateway, servedBy: .eta, invalid: .serverInvalidInput, holdsToken: true,
        "makes a server token")
    /// Remembers a nonce.
    public static let useNonce = Endpoint<NoncesPath, NonceUse, NonceVerdict>(
        .post, access: .gateway, servedBy: .eta, invalid: .serverInvalidInput,
        "remembers a nonce")
    /// What is remembered of another node; 5 when nothing.
    public static let node = Endpoint<NodePath, NoBody, NodeRecord>(
        .get, access: .gateway, servedBy: .eta, invalid: .serverInvalidInput, holdsToken: true,
        "another node as remembered")
    /// Remembers another node.
    public static let saveNode = Endpoint<NodePath, NodeRecord, Nothing>(
        .put, access: .gateway, servedBy: .eta, invalid: .serverInvalidInput,
        "remembers another node")
    /// Notes whether another node was found; of one that is not known nothing is noted.
    public static let noteSighting = Endpoint<SightingsPath, Sighting, Nothing>(
        .post, access: .gateway, servedBy: .eta, invalid: .serverInvalidInput,
        "notes whether another node was found")
    /// Makes an integrity token for a visitor.
    public static let issueIntegrity = Endpoint<IncomingPath, IncomingGrant, IntegrityGrant>(
        .post, access: .gateway, servedBy: .eta, invalid: .integrityInvalidInput,
        holdsToken: true, "makes an integrity token")
    /// Remembers a token that a user of this node was given abroad.
    public static let recordIntegrity = Endpoint<OutgoingPath, OutgoingGrant, Nothing>(
        .post, access: .gateway, servedBy: .eta, invalid: .integrityInvalidInput,
        "remembers a grant from abroad")
    /// Takes a seat for the caller: 36, 48, 49, 58 where it cannot be had.
    public static let takeSeat = Endpoint<SeatsPath, SeatRequest, Seat>(
        .post, access: .throughGateway, servedBy: .eta, invalid: .instanceInvalidInput,
        "takes a seat")
    /// Gives a seat back.
    public static let returnSeat = Endpoint<SeatsPath, SeatReturn, Nothing>(
        .delete, access: .throughGateway, servedBy: .eta, invalid: .instanceInvalidInput,
        "gives a seat back")

    /// What waits for another node.
    public static let pendingDeliveries = Endpoint<DeliveriesPath, NoBody, DeliveryAPI.Batch>(
        .get, access: .gateway, servedBy: .eta, invalid: .serverInvalidInput, volatile: true,
        "what waits for another node")
    /// What came of telling it.
    public static let settleDeliveries = Endpoint<DeliveriesPath, DeliveryOutcome, Nothing>(
        .post, access: .gateway, servedBy: .eta, invalid: .serverInvalidInput,
        "what came of telling another node")
    /// Takes what another node has told.
    public static let takeDeliveries = Endpoint<
        DeliveriesPath, Deliveries, DeliveryAPI.Receipt
    >(
        .put, access: .gateway, servedBy: .eta, invalid: .serverInvalidInput,
        "takes what another node has told")
    /// Has the caller follow a user of another node.
    public static let followAbroad = Endpoint<FollowingPath, FollowAbroad, UserView>(
        .put, access: .throughGateway, servedBy: .eta, invalid: .userInvalidInput,
        "has the caller follow a user of another node")
    /// Keeps order in an instance for the caller: 4, 36, 40, 50.
    public static let moderate = Endpoint<ModerationPath, ModerationOrder, Nothing>(
        .post, access: .throughGateway, servedBy: .eta, invalid: .instanceInvalidInput,
        "keeps order in an instance")

    /// What came of asking a service whether it is there.
    public static let serviceChecked = Endpoint<ServicePath, ServiceCheck, Nothing>(
        .post, access: .gateway, servedBy: .eta, invalid: .serviceInvalidInput,
        "what came of asking a service whether it is there")

    /// All of them.
    public static let all: [EndpointFacts] = [
        link.facts, serviceChecked.facts, moderate.facts, pendingDeliveries.facts,
        settleDeliveries.facts,
        takeDeliveries.facts, followAbroad.facts,
        resolve.facts, standing.facts, openChallenge.facts, spendChallenge.facts,
        issueServerToken.facts, useNonce.facts, node.facts, saveNode.facts,
        noteSighting.facts, issueIntegrity.facts,
        recordIntegrity.facts, takeSeat.facts, returnSeat.facts,
    ]
}
