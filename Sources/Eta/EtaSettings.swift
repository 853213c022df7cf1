import Base
import Crypto
import Domain
import Net
import Runtime

/// What an operator can set for Eta, read once.
public struct EtaSettings: Sendable {
    /// Who may open an account.
    public enum Registration: String, Sendable, CaseIterable {
        case open, closed, invite
    }

    static let nodeAddress = Setting(
        "node.address", .serverAddress, default: "127.0.0.1:3032",
        help: "The node's address, by which the world knows it; the same at every start")
    static let nodeSecure = Setting(
        "node.secure", .bool, default: "false",
        help: "Whether the node is reached by https at its address")
    static let nodeTitle = Setting(
        "node.title", .serverTitle, default: "Reileta", help: "What the node is called")
    static let listen = Setting(
        "eta.listen", .listenAddress, default: "127.0.0.1:3033",
        help: "Where Reil reaches Eta; a loopback or private address")
    static let data = Setting(
        "eta.data", .path, default: "data", help: "The folder of the database, files and keys")
    static let admin = Setting(
        "eta.admin", .optional(.username), default: "",
        help: "The account that @admin means; nobody: the oldest administrator")
    static let clusterKey = Setting(
        "cluster.key", .optional(.secretFile), default: "",
        described: "keys/cluster.key in eta.data",
        help: "The file of the key that the processes of a node share; made when there is none")
    static let defaultTags = Setting(
        "users.default_tags", .list(of: .userTag),
        default: "avr:world_creator,avr:instance_creator,avr:fetch_external",
        help: "The tags that new accounts get")
    static let registration = Setting<Registration>(
        "users.registration", .word, default: "open",
        help: "Who may open an account: anybody, nobody, or who has a code of `eta invite`")
    static let logN = Setting(
        "passwords.scrypt_log_n", .int(4...20), default: "15",
        help: "How costly a password hash is, as a power of two; below 15 only while testing")
    static let loginBurst = Setting(
        "limits.login_burst", .int(1...1_000), default: "5",
        help: "Failed logins of one account from one address before it has to wait")
    static let loginInterval = Setting(
        "limits.login_interval", .duration(.milliseconds(1)...(.seconds(3_600))), default: "10s",
        help: "After how long that account and address may fail once more")
    static let accountBurst = Setting(
        "limits.login_account_burst", .int(1...10_000), default: "50",
        help: "Failed logins of one account from all addresses before new ones have to wait")
    static let accountInterval = Setting(
        "limits.login_account_interval", .duration(.milliseconds(1)...(.seconds(3_600))),
        default: "1s", help: "After how long that account may fail once more")
    static let resumeWindow = Setting(
        "sockets.resume_window", .duration(.milliseconds(100)...(.seconds(3_600))),
        default: "60s", help: "How long players of a lost Reil keep their seats")
    static let emptyGrace = Setting(
        "instances.empty_grace", .duration(.milliseconds(100)...(.seconds(86_400))),
        default: "60s", help: "How long an instance without players lives")
    static let visitors = Setting(
        "instances.visitors", .bool, default: "true",
        help: "Whether users of other nodes may make instances here")
    static let fallbackHome = Setting(
        "users.fallback_home", .optional(.world), default: "",
        help: "The home world of who has chosen none")
    static let engines = Setting(
        "assets.engines", .list(of: .assetLabel),
        default: "unity,unreal,godot,web,blender,custom",
        help: "The engines that assets may be made for, in any case")
    static let platforms = Setting(
        "assets.platforms", .list(of: .assetLabel),
        default: "windows,linux,macos,android,ios,web,quest,visionos",
        help: "The platforms that assets may be made for, in any case")
    static let largestFile = Setting(
        "assets.largest_file", .byteCount(.kibibytes(1)...(.gibibytes(1_024))), default: "2GiB",
        help: "The largest file of an asset")

    /// All of them; those of the features that declare their own come behind.
    public static let all: [any AnySetting] =
        [
            nodeAddress, nodeSecure, nodeTitle, listen, data, admin, clusterKey, defaultTags,
            registration, logN, loginBurst, loginInterval, accountBurst, accountInterval,
            resumeWindow, emptyGrace, visitors, fallbackHome, engines, platforms, largestFile,
        ] + WaitingSettings.all + FileSettings.all + ServiceSettings.all
        + RuleLimits.all

    /// The node's address.
    public var nodeAddress: ServerAddress
    /// Whether its gateway speaks TLS.
    public var nodeSecure = false
    /// What it is called.
    public var nodeTitle: ServerTitle
    /// Where Eta listens.
    public var listen: SocketAddress
    /// The data folder.
    public var data: String
    /// Who `@admin` is.
    public var admin: Username?
    /// The file of the cluster key.
    public var clusterKey: String
    /// What new accounts get.
    public var defaultTags: TagSet
    /// Who may register.
    public var registration: Registration
    /// The cost of a password hash.
    public var logN: Int
    /// Failed logins of an account from an address.
    public var loginRate: Rate
    /// Failed logins of an account.
    public var accountLoginRate: Rate
    /// How long players of a lost Reil keep their seats.
    public var resumeWindow: Duration
    /// How long an empty instance lives.
    public var emptyGrace: Duration
    /// How people wait to enter instances.
    public var waiting: WaitingSettings
    /// Whether visitors may make instances.
    public var visitors: Bool
    /// The home world of who has chosen none.
    public var fallbackHome: WorldReference?
    /// The engines of assets, in lower case.
    public var engines: Set<String>
    /// The platforms of assets, in lower case.
    public var platforms: Set<String>
    /// The largest file of an asset.
    public var largestFile: ByteCount
    /// How much is kept.
    public var files: FileSettings
    /// With which nodes there are dealings, and how many rules there may be.
    var rules: RuleLimits
    /// How services are registered and watched.
    var services: ServiceSettings
    /// Whether this is a test.
    public var testing: Bool

    /// Reads them and refuses combinations that are not safe.
    public init(_ config: ConfigReader) throws(ConfigError) {
        nodeAddress = config[Self.nodeAddress]
        nodeSecure = config[Self.nodeSecure]
        nodeTitle = config[Self.nodeTitle]
        listen = config[Self.listen]
        data = config[Self.data]
        admin = config[Self.admin]
        clusterKey = config[Self.clusterKey] ?? data + "/keys/cluster.key"
        registration = config[Self.registration]
        logN = config[Self.logN]
        loginRate = Rate(burst: config[Self.loginBurst], every: config[Self.loginInterval])
        accountLoginRate = Rate(
            burst: config[Self.accountBurst], every: config[Self.accountInterval])
        resumeWindow = config[Self.resumeWindow]
        emptyGrace = config[Self.emptyGrace]
        waiting = WaitingSettings(config)
        visitors = config[Self.visitors]
        fallbackHome = config[Self.fallbackHome]
        engines = Set(config[Self.engines].map { $0.text.lowercased() })
        platforms = Set(config[Self.platforms].map { $0.text.lowercased() })
        largestFile = config[Self.largestFile]
        files = FileSettings(config)
        services = ServiceSettings(config)
        rules = RuleLimits(config)
        testing = config[ProcessSettings.testing]
        guard let tags = TagSet(config[Self.defaultTags]) else {
            throw .refused(Self.defaultTags, in: config, accepted: TagSet.expectation)
        }
        defaultTags = tags
        let isPublic = NetworkRange.isPublic(listen.ip)
        if isPublic || listen.ip.isUnspecified, !config[ProcessSettings.insecure] {
            throw .refused(
                Self.listen, in: config,
                accepted: "a loopback or private address, for Eta is no place for strangers, or "
                    + "set insecure if a firewall keeps them out")
        }
        if testing, !listen.ip.isLoopback {
            throw .refused(Self.listen, in: config, accepted: "a loopback address while testing")
        }
        if !testing, !PasswordHash.logNRange.contains(logN) {
            throw .refused(
                Self.logN, in: config, accepted: "at least \(PasswordHash.logNRange.lowerBound)")
        }
    }
}

extension IPAddress {
    /// Whether it means every address of the machine.
    fileprivate var isUnspecified: Bool { description == "0.0.0.0" || description == "::" }
}

extension SettingKind where Value == ServerTitle {
    fileprivate static let serverTitle = SettingKind(
        "title", accepted: ServerTitle.expectation
    ) { ServerTitle($0) }
}

extension SettingKind where Value == Username {
    fileprivate static let username = SettingKind(
        "username", accepted: Username.expectation
    ) { Username($0) }
}

extension SettingKind where Value == WorldReference {
    fileprivate static let world = SettingKind(
        "world", accepted: WorldReference.expectation
    ) { WorldReference($0) }
}

extension SettingKind where Value == AssetLabel {
    fileprivate static let assetLabel = SettingKind(
        "label", accepted: AssetLabel.expectation
    ) { AssetLabel($0) }
}

extension SettingKind where Value == Tag {
    fileprivate static let userTag = SettingKind(
        "tag", accepted: "a tag of users, \(Tag.expectation)"
    ) { text in
        Tag(text).flatMap { TagRules.user.knows($0) ? $0 : nil }
    }
}
