import Base
import Domain
import HTTP

/// How a node becomes known to another, docs/federation §4.
public enum ChallengeAPI {
    /// `/api/challenges`
    public struct ListPath: FixedPath {
        /// Where it stands.
        public static let template = "/api/challenges"
        /// The only value.
        public init() {}
    }
    /// `/api/challenges/:id`
    public struct ChallengePath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/challenges/:id"
        /// What path and query hold.
        public static let parameters = [
            Parameter.path("id", ChallengeID.jsonSchema, "the challenge")
        ]
        /// The challenge.
        public let id: ChallengeID
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            id = try arguments.capture(0, or: .challengeNotFound) { ChallengeID($0) }
        }
    }

    /// Who wants to be challenged.
    public struct Opening: Codable, Sendable {
        /// The address that the asker claims.
        public let server: ServerAddress

        /// An opening.
        public init(server: ServerAddress) { self.server = server }
    }
    /// What the asker must sign.
    public struct Nonce: Codable, Sendable {
        private enum CodingKeys: String, CodingKey {
            case id, nonce, server
            case expiresAt = "expires_at"
        }

        /// Its id.
        public let id: ChallengeID
        /// 32 bytes, base64url.
        public let nonce: String
        /// The server.
        public let server: ServerAddress
        /// When it ends by itself.
        public let expiresAt: Timestamp

        /// A nonce to sign.
        public init(id: ChallengeID, nonce: String, server: ServerAddress, expiresAt: Timestamp) {
            self.id = id
            self.nonce = nonce
            self.server = server
            self.expiresAt = expiresAt
        }
    }
    /// The proof.
    public struct Proof: Codable, Sendable {
        /// The id of the key that signed.
        public let key: String
        /// Base64url.
        public let signature: String

        /// A proof.
        public init(key: String, signature: String) {
            self.key = key
            self.signature = signature
        }
    }
    /// The token that a proof earns.
    public struct Proved: Codable, Sendable {
        private enum CodingKeys: String, CodingKey {
            case id, server, token
            case expiresAt = "expires_at"
        }

        /// Its id.
        public let id: ChallengeID
        /// The server.
        public let server: ServerAddress
        /// The token.
        public let token: ServerToken
        /// When it ends by itself.
        public let expiresAt: Timestamp

        /// A token.
        public init(
            id: ChallengeID, server: ServerAddress, token: ServerToken, expiresAt: Timestamp
        ) {
            self.id = id
            self.server = server
            self.token = token
            self.expiresAt = expiresAt
        }
    }

    /// Lists challenges.
    public static let list = Endpoint<Paged<ListPath>, NoBody, Page<Challenge>>(
        .get, access: .serverOrAdministrator, servedBy: .eta, invalid: .serverInvalidInput,
        "challenges: a node its own, an administrator all")
    /// Opens a challenge.
    public static let open = Endpoint<ListPath, Opening, Nonce>(
        .put, access: .anyone, servedBy: .reil, invalid: .serverInvalidInput,
        errors: [.serverNotFound, .noResponseFromServer, .addressRefused, .serverDenied],
        rate: .challenge, created: true, "asks for something to sign")
    /// Answers a challenge.
    public static let prove = Endpoint<ChallengePath, Proof, Proved>(
        .post, access: .anyone, servedBy: .reil, invalid: .serverInvalidInput,
        errors: [.challengeNotFound, .challengeFailed, .serverDenied], rate: .challenge,
        holdsToken: true, "proves the address and gets a server token")
    /// A challenge.
    public static let fetch = Endpoint<ChallengePath, NoBody, Challenge>(
        .get, access: .serverOrAdministrator, servedBy: .eta, invalid: .serverInvalidInput,
        errors: [.challengeNotFound], "a challenge")
    /// Revokes what a challenge earned.
    public static let revoke = Endpoint<ChallengePath, NoBody, Nothing>(
        .delete, access: .serverOrAdministrator, servedBy: .eta, invalid: .serverInvalidInput,
        errors: [.challengeNotFound], "revokes the token that it earned")

    /// All of them.
    public static let all: [EndpointFacts] = [
        list.facts, open.facts, prove.facts, fetch.facts, revoke.facts,
    ]
}
