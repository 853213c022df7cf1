import Base
import Crypto
import Domain
import Runtime

/// What does not change while Eta runs: who this node is, and its keys.
public struct Node: Sendable {
    /// The node's own record.
    public let id: NodeID
    /// Its identity.
    public let address: ServerAddress
    /// Where clients and other nodes reach it.
    public let gateway: Gateway
    /// When it was made.
    public let createdAt: Timestamp
    /// The account behind `@server`, which nobody can log in to.
    public let account: UserID
    /// Its keys.
    public let keys: NodeKeys

    /// A reference that names `user` everywhere.
    public func reference(_ user: UserID) -> UserReference { UserReference(user, at: address) }

    /// The version of the program.
    public static let version = "0.1.0"

    /// The node as the world sees it.
    public func server(
        _ profile: NodeProfile, stats: ServerStats, readyAt: Timestamp?
    ) -> Server {
        guard let version = SoftwareVersion(Self.version),
            let key = NodeKeyText(keys.signing.publicKey.base64URL)
        else { preconditionFailure("constants of the program are not valid") }
        return Server(
            id: id, title: profile.title, description: profile.description, address: address,
            secure: gateway.secure, version: version, createdAt: createdAt,
            updatedAt: profile.updatedAt, readyAt: readyAt, icon: profile.icon, gateway: gateway,
            key: key, stats: stats)
    }
}

/// The secrets in `keys/` of the data folder.
public struct NodeKeys: Sendable {
    /// Proves the node's address to others.
    public let signing: Ed25519PrivateKey
    /// Shared by the processes of the node.
    public let cluster: Secret
    /// Signs access tokens.
    public let access: Secret

    /// The setting that leads to the files in the data folder.
    private static let setting = EtaSettings.data.key

    /// Names the access key in tokens.
    public var accessID: String { String(SHA256.hash(access.reveal()).hex.prefix(16)) }

    /// Keys of these parts.
    public init(signing: Ed25519PrivateKey, cluster: Secret, access: Secret) {
        self.signing = signing
        self.cluster = cluster
        self.access = access
    }

    /// Reads the files, and makes those that are missing.
    public static func open(
        _ settings: EtaSettings, _ ambient: Ambient
    ) throws(ConfigError) -> NodeKeys {
        let folder = settings.data + "/keys"
        let seed = try secret(folder + "/node.key", ambient)
        guard let signing = Ed25519PrivateKey(seed: seed) else {
            throw .keyFile(
                key: setting, path: folder + "/node.key", reason: "holds no key",
                remedy: "bring back the file that eta made")
        }
        let setting = EtaSettings.clusterKey.key
        let isThere = try KeyFiles.clusterKey(settings.clusterKey, setting: setting) != nil
        let cluster = try KeyFiles.clusterKey(settings.clusterKey, random: ambient.random)
        if !isThere { ambient.log.notice("key made", .text("file", settings.clusterKey)) }
        return NodeKeys(
            signing: signing, cluster: cluster,
            access: try secret(folder + "/access.key", ambient))
    }

    /// Whether the data folder is that of a node.
    static func exist(_ settings: EtaSettings) throws(ConfigError) -> Bool {
        try KeyFiles.read(settings.data + "/keys/node.key", setting: setting) != nil
    }

    /// 32 bytes, in the file as hex.
    private static func secret(
        _ path: String, _ ambient: Ambient
    ) throws(ConfigError) -> Secret {
        let text = try KeyFiles.readOrCreate(path, setting: setting) {
            ambient.log.notice("key made", .text("file", path))
            return Secret(Hex.encode(ambient.random.bytes(32)))
        }
        guard let bytes = Hex.decode(String(decoding: text.reveal(), as: UTF8.self)),
            bytes.count == 32
        else {
            throw .keyFile(
                key: setting, path: path, reason: "holds no key of 64 hexadecimal digits",
                remedy: "bring back the file that eta made")
        }
        return Secret(bytes)
    }
}
