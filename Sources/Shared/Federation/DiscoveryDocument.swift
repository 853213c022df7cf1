import Base
import Crypto
import Domain

/// What a node says of itself under `/.well-known/avr`, docs/federation §2: written and signed,
/// read and verified.
public struct DiscoveryDocument: Sendable {
    /// Where the document lies on every node.
    public static let path = "/.well-known/avr"
    /// The version of the protocol.
    static let version = "1"
    /// More than a node in the middle of changing its keys has.
    static let keyLimit = 16
    /// More than a node has Reil.
    static let gatewayLimit = 64

    /// A key that the document names.
    public struct Key: Sendable, Equatable {
        /// The public half.
        public let key: Ed25519PublicKey
        /// When it was made.
        public let createdAt: Timestamp
        /// When it stops to count.
        public let expiresAt: Timestamp
    }

    /// Whose it is.
    public let address: ServerAddress
    /// Whether the node is reached over https.
    public let secure: Bool
    /// The gateway to use.
    public let gateway: Gateway
    /// All gateways of the node.
    public let gateways: [Gateway]
    /// Its keys that count, each of which has signed the document.
    public let keys: [Key]

    /// Why bytes are not believed as a node's document.
    public enum Refusal: Error, Sendable, Equatable {
        /// It is that of another node.
        case wrongAddress
        /// It is none: the reason is for the log.
        case invalid(String)
    }

    /// The document of `identity`, signed by each of its keys that counts.
    public static func write(_ identity: NodeIdentity, now: Timestamp) -> [UInt8] {
        let keys = identity.keys.filter { $0.expiresAt > now }
        var value = JSONCoder.value(
            Wire(
                address: identity.address, secure: identity.secure, gateway: identity.gateway,
                gateways: identity.gateways, version: version,
                software: Software(name: "reileta", version: identity.version),
                keys: keys.map { key in
                    WireKey(
                        id: key.pair.publicKey.id, algorithm: "ed25519",
                        key: key.pair.publicKey.base64URL, createdAt: key.createdAt,
                        expiresAt: key.expiresAt)
                }, signatures: nil))
        let signed = CanonicalJSON.encode(value)
        let signatures = keys.map { key in
            WireSignature(
                key: key.pair.publicKey.id, value: Base64.encodeURL(key.pair.sign(signed)))
        }
        if var object = value.objectValue {
            object["signatures"] = JSONCoder.value(signatures)
            value = .object(object)
        }
        return CanonicalJSON.encode(value)
    }

    /// Reads what `asked` answered. Everything the document says is under its signatures, also
    /// what this version does not know; a key that counts and has not signed makes it void.
    public init(
        reading bytes: [UInt8], of asked: ServerAddress, now: Timestamp
    ) throws(Refusal) {
        guard let value = try? JSONParser.parse(bytes, depth: 16), var object = value.objectValue
        else { throw .invalid("no JSON object") }
        let wire: Wire
        do throws(InvalidFields) {
            wire = try JSONCoder.decode(Wire.self, from: value)
        } catch {
            throw .invalid(
                error.problems.map { "\($0.field): \($0.message)" }.joined(separator: "; "))
        }
        guard wire.version == Self.version else { throw .invalid("version \(wire.version)") }
        guard wire.address == asked else { throw .wrongAddress }
        guard (1...Self.gatewayLimit).contains(wire.gateways.count),
            wire.gateways.contains(wire.gateway)
        else { throw .invalid("gateway is not among gateways") }
        object["signatures"] = nil
        keys = try Self.verified(wire, over: CanonicalJSON.encode(.object(object)), now)
        address = wire.address
        secure = wire.secure
        gateway = wire.gateway
        gateways = wire.gateways
    }

    private static func verified(
        _ wire: Wire, over signed: [UInt8], _ now: Timestamp
    ) throws(Refusal) -> [Key] {
        guard (1...keyLimit).contains(wire.keys.count), wire.signatures?.count ?? 0 <= keyLimit
        else { throw .invalid("\(wire.keys.count) keys") }
        var all: [String: Key] = [:]
        for entry in wire.keys {
            guard entry.algorithm == "ed25519", let key = Ed25519PublicKey(base64URL: entry.key),
                key.id == entry.id
            else { throw .invalid("key \(entry.id) is not sound") }
            let known = Key(key: key, createdAt: entry.createdAt, expiresAt: entry.expiresAt)
            guard all.updateValue(known, forKey: entry.id) == nil else {
                throw .invalid("key \(entry.id) is there twice")
            }
        }
        var signers: Set<String> = []
        for signature in wire.signatures ?? [] {
            guard let key = all[signature.key], signers.insert(signature.key).inserted,
                let bytes = Base64.decodeURL(signature.value), key.key.verify(bytes, of: signed)
            else { throw .invalid("the signature of \(signature.key) does not hold") }
        }
        let counting = wire.keys.compactMap { all[$0.id] }.filter { $0.expiresAt > now }
        guard !counting.isEmpty else { throw .invalid("no key counts") }
        guard counting.allSatisfy({ signers.contains($0.key.id) }) else {
            throw .invalid("a key has not signed")
        }
        return counting
    }

    private struct Wire: Codable {
        let address: ServerAddress
        let secure: Bool
        let gateway: Gateway
        let gateways: [Gateway]
        let version: String
        let software: Software
        let keys: [WireKey]
        @Omittable var signatures: [WireSignature]?
    }

    private struct Software: Codable {
        let name: String
        let version: String
    }

    private struct WireKey: Codable {
        let id: String
        let algorithm: String
        let key: String
        let createdAt: Timestamp
        let expiresAt: Timestamp

        private enum CodingKeys: String, CodingKey {
            case id, algorithm, key
            case createdAt = "created_at"
            case expiresAt = "expires_at"
        }
    }

    private struct WireSignature: Codable {
        let key: String
        let value: String
    }
}
