import Base
import Domain
import Net
import Runtime

/// What an operator can set for Reil, read once.
public struct ReilSettings: Sendable {
    static let listen = Setting(
        "reil.listen", .listenAddress, default: "127.0.0.1:3032",
        help: "Where clients and other nodes reach the node")
    static let eta = Setting(
        "reil.eta", .hostAndPort, default: "127.0.0.1:3033", help: "Where Eta listens")
    static let gateway = Setting(
        "reil.gateway", .optional(.serverAddress), default: "",
        described: "the node's address",
        help: "The address under which clients reach this Reil, where the node has several")
    static let linkAddress = Setting(
        "reil.link_address", .optional(.hostAndPort), default: "", described: "reil.listen",
        help: "Where an Ins dials this Reil, where that is not its public address")
    static let certificate = Setting(
        "reil.tls_certificate", .optional(.path), default: "",
        help: "The PEM file of the certificate and its chain; with it Reil speaks TLS")
    static let certificateKey = Setting(
        "reil.tls_key", .optional(.path), default: "",
        help: "The PEM file of the certificate's private key")
    static let trustedProxies = Setting(
        "reil.trusted_proxies", .list(of: .networkRange), default: "",
        help: "Networks of reverse proxies whose X-Forwarded-For is believed")
    static let resumeWindow = Setting(
        "sockets.resume_window", .duration(.milliseconds(100)...(.seconds(3_600))),
        default: "60s", help: "How long a socket that dropped may be resumed")
    static let orphanGrace = Setting(
        "reil.orphan_grace", .duration(.seconds(1)...(.seconds(86_400))), default: "10min",
        help: "How long open sockets go on while Eta is away")
    static let clusterKey = Setting(
        "cluster.key", .secretFile, default: "data/keys/cluster.key",
        help: "The file of the key that the processes of a node share; Eta makes it")
    static let connections = Setting(
        "limits.connections", .int(1...1_000_000), default: "1024",
        help: "Connections of one address (one /64 of IPv6) at once")
    static let exempt = Setting(
        "limits.exempt", .list(of: .networkRange), default: "",
        help: "Networks that neither rates nor `limits.connections` bind")
    static let ordinaryRate = Setting(
        "limits.requests", .int(1...1_000_000), default: "100", unit: "per second",
        help: "Requests of a user, or an address, beyond the burst")
    static let ordinaryBurst = Setting(
        "limits.requests_burst", .int(1...1_000_000), default: "300",
        help: "Requests of a user, or an address, at once")
    static let serverRate = Setting(
        "limits.server_requests", .int(1...1_000_000), default: "50", unit: "per second",
        help: "Requests of another node beyond the burst")
    static let serverBurst = Setting(
        "limits.server_requests_burst", .int(1...1_000_000), default: "200",
        help: "Requests of another node at once")
    static let registerBurst = Setting(
        "limits.register", .int(1...1_000_000), default: "5", unit: "per 30 min",
        help: "Accounts opened from one address")
    static let challengeBurst = Setting(
        "limits.challenges", .int(1...1_000_000), default: "10", unit: "per min",
        help: "Challenges opened or answered from one address")
    static let uploadBurst = Setting(
        "limits.uploads", .int(1...1_000_000), default: "30", unit: "per 30 min",
        help: "Uploads of one user")
    static let createBurst = Setting(
        "limits.creations", .int(1...1_000_000), default: "30", unit: "per 10 min",
        help: "Worlds and instances that one user makes")
    static let meetingBurst = Setting(
        "limits.meetings", .int(1...1_000_000), default: "30", unit: "per min",
        help: "Integrity tokens of one user")
    static let reportBurst = Setting(
        "limits.reports", .int(1...1_000_000), default: "10", unit: "per hour",
        help: "What one user reports to the administrators")
    static let allowNetworks = Setting(
        "federation.allow_networks", .list(of: .networkRange), default: "",
        help: "Networks that are not public and where other nodes may be all the same")
    static let insecurePeers = Setting(
        "federation.insecure_peers", .bool, default: "false",
        help: "Whether nodes without TLS are spoken to")
    static let caFile = Setting(
        "federation.ca_file", .optional(.path), default: "",
        help: "A PEM file of authorities that are trusted beside the system's")
    static let discoveryAge = Setting(
        "federation.discovery_age", .duration(.seconds(1)...(.seconds(86_400))), default: "60s",
        help: "How long others may keep this node's discovery document")
    static let unauthenticatedSockets = Setting(
        "sockets.unauthenticated", .int(1...1_000_000), default: "64",
        help: "Sockets of one address that have not logged in")
    static let userSockets = Setting(
        "sockets.user", .int(1...1_000), default: "16", help: "Sockets of one user")
    static let socketQueue = Setting(
        "sockets.queue", .byteCount(.kibibytes(64)...(.mebibytes(256))), default: "1MiB",
        help: "Bytes that may wait for one socket before it is too slow")
    static let origins = Setting(
        "sockets.origins", .list(of: .text()), default: "",
        help: "Values of Origin that may open sockets; none: any")
    static let servicePatience = Setting(
        "services.first_byte", .duration(.seconds(1)...(.seconds(3_600))), default: "30s",
        help: "How long a service that is there may take to begin its answer")
    static let serviceSockets = Setting(
        "services.sockets", .int(0...1_000_000), default: "1024",
        help: "Upgraded connections through the gateway to one service")

    static let all: [any AnySetting] = [
        listen, eta, gateway, linkAddress, certificate, certificateKey, trustedProxies,
        orphanGrace, clusterKey, connections, exempt, ordinaryRate, ordinaryBurst, serverRate,
        serverBurst,
        registerBurst, challengeBurst, uploadBurst, createBurst, meetingBurst, reportBurst,
        allowNetworks, insecurePeers, caFile, discoveryAge, unauthenticatedSockets, userSockets,
        socketQueue,
        resumeWindow,
        origins, servicePatience, serviceSockets,
    ]

    /// Where Reil listens.
    public var listen: SocketAddress
    /// Where Eta listens.
    public var eta: HostAndPort
    /// The address of this Reil for clients, where it has one of its own.
    public var gateway: ServerAddress?
    /// Where an Ins dials, where that is an address of its own.
    public var linkAddress: HostAndPort?
    /// Certificate and key.
    public var tls: (certificate: String, key: String)?
    /// Whose X-Forwarded-For is believed.
    public var trustedProxies: [NetworkRange]
    /// How long sockets outlive Eta.
    public var orphanGrace: Duration
    /// How long a socket that dropped may be resumed.
    public var resumeWindow: Duration
    /// The key of the node's processes.
    public var clusterKey: Secret
    /// Whom no rate binds.
    public var exempt: [NetworkRange]
    /// Connections of one address.
    public var connections: Int
    /// How often each class of request may come.
    public var rates: RateLimits
    /// Networks that are not public and are spoken to.
    public var allowNetworks: [NetworkRange]
    /// Whether http peers are spoken to.
    public var insecurePeers: Bool
    /// Authorities beside the system's.
    public var caFile: String?
    /// How long the discovery document may be kept.
    public var discoveryAge: Duration
    /// Sockets of an address before login.
    public var unauthenticatedSockets: Int
    /// Sockets of a user.
    public var userSockets: Int
    /// Bytes that may wait for a socket.
    public var socketQueue: Int
    /// Accepted origins; empty: any.
    public var origins: [String]
    /// How long a service may take to begin its answer.
    public var servicePatience: Duration
    /// Upgraded connections to one service.
    public var serviceSockets: Int
    /// Whether this is a test.
    public var testing: Bool

    /// Reads them and refuses combinations that are not safe.
    public init(_ config: ConfigReader) throws(ConfigError) {
        listen = config[Self.listen]
        eta = config[Self.eta]
        gateway = config[Self.gateway]
        linkAddress = config[Self.linkAddress]
        trustedProxies = config[Self.trustedProxies]
        resumeWindow = config[Self.resumeWindow]
        orphanGrace = config[Self.orphanGrace]
        exempt = config[Self.exempt]
        connections = config[Self.connections]
        rates = RateLimits(config)
        allowNetworks = config[Self.allowNetworks]
        insecurePeers = config[Self.insecurePeers]
        caFile = config[Self.caFile]
        discoveryAge = config[Self.discoveryAge]
        unauthenticatedSockets = config[Self.unauthenticatedSockets]
        userSockets = config[Self.userSockets]
        socketQueue = config[Self.socketQueue].bytes
        origins = config[Self.origins]
        servicePatience = config[Self.servicePatience]
        serviceSockets = config[Self.serviceSockets]
        testing = config[ProcessSettings.testing]
        clusterKey = Secret([])
        switch (config[Self.certificate], config[Self.certificateKey]) {
        case (nil, nil): tls = nil
        case (let certificate?, let key?): tls = (certificate, key)
        case (nil, _):
            throw .refused(
                Self.certificate, in: config, accepted: "the certificate that reil.tls_key fits")
        case (_, nil):
            throw .refused(
                Self.certificateKey, in: config, accepted: "the key of reil.tls_certificate")
        }
        if testing, !listen.ip.isLoopback {
            throw .refused(
                Self.listen, in: config, accepted: "a loopback address while testing")
        }
        if tls == nil, !listen.ip.isLoopback, !config[ProcessSettings.insecure] {
            throw .refused(
                Self.listen, in: config,
                accepted: "a loopback address, or reil.tls_certificate and reil.tls_key, or "
                    + "insecure where a proxy in front speaks TLS")
        }
    }
}
