import Base
import Crypto
import Domain

/// This node as it appears to others, with the private halves of its keys.
public struct NodeIdentity: Sendable {
    /// One of its keys.
    public struct Key: Sendable {
        /// The pair.
        public let pair: Ed25519PrivateKey
        /// When it was made.
        public let createdAt: Timestamp
        /// When it stops to count.
        public let expiresAt: Timestamp

        /// A key.
        public init(pair: Ed25519PrivateKey, createdAt: Timestamp, expiresAt: Timestamp) {
            self.pair = pair
            self.createdAt = createdAt
            self.expiresAt = expiresAt
        }
    }

    /// Its address, which is its identity.
    public let address: ServerAddress
    /// Whether it is reached over https.
    public let secure: Bool
    /// The gateway to use.
    public let gateway: Gateway
    /// All of them.
    public let gateways: [Gateway]
    /// The version of its program.
    public let version: String
    /// Its keys, the newest first.
    public let keys: [Key]

    /// A node.
    public init(
        address: ServerAddress, secure: Bool, gateway: Gateway, gateways: [Gateway],
        version: String, keys: [Key]
    ) {
        self.address = address
        self.secure = secure
        self.gateway = gateway
        self.gateways = gateways.contains(gateway) ? gateways : [gateway] + gateways
        self.version = version
        self.keys = keys.sorted { $0.createdAt > $1.createdAt }
    }

    /// The key to sign with.
    public func signingKey(at now: Timestamp) -> Ed25519PrivateKey? {
        keys.first { $0.expiresAt > now }?.pair
    }

    /// What a request that is meant for this node may be addressed to.
    public var authorities: [Gateway] {
        gateways + [Gateway(secure: secure, address: address)]
    }
}
