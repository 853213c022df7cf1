import Base
import Domain
import HTTP

/// What administrators see of other nodes, and how they have one forgotten.
public enum NodesAPI {
    /// `/api/nodes`
    public struct NodesPath: FixedPath {
        /// Where it stands.
        public static let template = "/api/nodes"
        /// The only value.
        public init() {}
    }
    /// `/api/nodes/:address`
    public struct NodePath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/nodes/:address"
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

    /// Another node as this one knows it.
    public struct KnownNode: Codable, Sendable, Equatable {
        /// Where it is.
        public let address: ServerAddress
        /// Whether it was ever seen over https, so that nothing else will do.
        public let secure: Bool
        /// Where its requests go.
        public let gateway: Gateway?
        /// The keys that it publishes.
        public let keys: [Key]
        /// When its document was last read and believed.
        public let seenAt: Timestamp
        /// Why it was not found when it was last looked for; null where it was.
        public let error: Failure?

        private enum CodingKeys: String, CodingKey {
            case address, secure, gateway, keys, error
            case seenAt = "seen_at"
        }

        /// A node with these fields.
        public init(
            address: ServerAddress, secure: Bool, gateway: Gateway?, keys: [Key],
            seenAt: Timestamp, error: Failure?
        ) {
            self.address = address
            self.secure = secure
            self.gateway = gateway
            self.keys = keys
            self.seenAt = seenAt
            self.error = error
        }
    }

    /// A key of another node.
    public struct Key: Codable, Sendable, Equatable {
        /// The key.
        public let key: NodeKeyText
        /// When it was first seen.
        public let seenAt: Timestamp
        /// From when on it counts.
        public let trustedAt: Timestamp
        /// When its node says that it ends.
        public let expiresAt: Timestamp

        private enum CodingKeys: String, CodingKey {
            case key
            case seenAt = "seen_at"
            case trustedAt = "trusted_at"
            case expiresAt = "expires_at"
        }

        /// A key with these times.
        public init(
            key: NodeKeyText, seenAt: Timestamp, trustedAt: Timestamp, expiresAt: Timestamp
        ) {
            self.key = key
            self.seenAt = seenAt
            self.trustedAt = trustedAt
            self.expiresAt = expiresAt
        }
    }

    /// How looking for a node failed.
    public struct Failure: Codable, Sendable, Equatable {
        /// The code of the error table.
        public let code: ErrorCode
        /// What the table says of it.
        public let message: String
        /// When.
        public let at: Timestamp

        /// A failure at that time.
        public init(_ code: ErrorCode, at: Timestamp) {
            self.code = code
            message = code.message
            self.at = at
        }
    }

    /// The other nodes that are known.
    public static let list = Endpoint<Paged<NodesPath>, NoBody, Page<KnownNode>>(
        .get, access: .administrators, servedBy: .eta, invalid: .serverInvalidInput,
        volatile: true, "the other nodes that this one knows")
    /// One of them.
    public static let fetch = Endpoint<NodePath, NoBody, KnownNode>(
        .get, access: .administrators, servedBy: .eta, invalid: .serverInvalidInput,
        volatile: true, "another node as this one knows it")
    /// Forgets one: met again, it is met for the first time.
    public static let forget = Endpoint<NodePath, NoBody, Nothing>(
        .delete, access: .administrators, servedBy: .eta, invalid: .serverInvalidInput,
        "forgets another node's keys, and the tokens between it and this node")

    /// All of them.
    public static let all: [EndpointFacts] = [list.facts, fetch.facts, forget.facts]
}
