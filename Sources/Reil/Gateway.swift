import API
import Base
import Crypto
import Domain
import HTTP
import Net
import Runtime

/// Reil put together: what a request passes on its way, and who answers it.
final class GatewayRole: Component {
    let name = "gateway"
    private let settings: ReilSettings
    private let ambient: Ambient
    private let group: EventLoopGroup
    let eta: EtaLink
    let cache: TokenCache
    private let sockets: SocketHub
    private let server: HTTPServer
    private let tls: TLSServerConfiguration?
    let peering: Peering
    let services: ServiceGateway
    private let bound = Lock<SocketAddress?>(nil)

    init(_ settings: ReilSettings, clock: SystemClock, on group: EventLoopGroup) throws {
        self.settings = settings
        self.group = group
        ambient = group.ambient
        tls = try settings.tls.map { files throws(Fault) in
            do throws(TLSError) {
                return try TLSServerConfiguration(
                    certificateChainFile: files.certificate, privateKeyFile: files.key,
                    clock: clock)
            } catch {
                throw Fault(error.text, remedy: "set reil.tls_certificate and reil.tls_key")
            }
        }
        Self.warnOfOpenKey(settings, ambient.log)
        let names = BlockingPool(name: "resolver", threads: 4, queueLimit: 256)
        ambient.metrics.depth(of: names)
        let resolver = Resolver(pool: names)
        let inner = HTTPClient(group: group, resolver: resolver, limits: .withinNode)
        eta = EtaLink(
            eta: settings.eta, clusterKey: settings.clusterKey, client: inner,
            loops: group.loops, ambient: ambient)
        cache = TokenCache()
        eta.observe(cache)
        let worlds = HotWorlds { [eta] in eta.hasLease }
        eta.observe(worlds)
        let limiter = RateLimiter(
            limits: settings.rates, exempt: settings.exempt, clock: ambient.clock)
        let desk = RuleDesk()
        eta.observe(desk)
        let outside = try Outside(settings, resolver: resolver)
        peering = Peering(
            settings, eta: eta, desk: desk, limiter: limiter, outside: outside, group: group)
        services = ServiceGateway(
            settings, eta: eta, outside: outside, group: group, identity: peering.identity)
        let authenticator = Authenticator(
            eta: eta, cache: cache, limiter: limiter, ambient: ambient)
        let gate = Gate([
            ClientCheck(desk: desk, proxies: settings.trustedProxies),
            authenticator,
            NodeCheck(desk: desk),
            peering.check,
            limiter,
            AuthoriseCheck(),
        ])
        ambient.log.info("gate", .text("checks", gate.names.joined(separator: ", ")))
        var router = Router(gate: gate, ambient: ambient)
        peering.bind(&router)
        services.bind(&router)
        let roster = InsRoster(
            eta: eta, resumeTime: settings.resumeWindow, ambient: ambient)
        sockets = SocketHub(
            SocketServices(
                eta: eta, authenticator: authenticator, roster: roster,
                counts: SocketCounts(
                    perAddress: settings.unauthenticatedSockets, perPerson: settings.userSockets,
                    report: { [eta] in eta.report($0) }),
                switchboard: services.switchboard, desk: desk, ambient: ambient,
                queue: settings.socketQueue,
                resumes: ResumeBook(),
                resumeTime: settings.resumeWindow,
                orphanGrace: settings.orphanGrace),
            loops: group.loops, origins: settings.origins)
        eta.observe(sockets)
        let local = LocalController(
            eta: eta, ambient: ambient, insCount: { roster.linkCount })
        router.on(encoded: ServerAPI.fetch, local.server)
        router.on(encoded: ServerAPI.fetchAt, local.serverAt)
        router.on(atOnce: ServerAPI.time, local.time)
        router.on(atOnce: ServerAPI.health, local.health)
        router.on(ServerAPI.openAPI, local.openAPI)
        router.on(ServerAPI.socket, sockets.socket)
        if settings.testing {
            TestController(eta: eta, clock: clock).bind(&router)
            eta.observe(ClockObserver(clock: clock))
        }
        for facts in AllEndpoints.all where facts.servedBy == .eta {
            let relay = RelayEndpoint(facts: facts, eta: eta)
            switch (facts.method, facts.template) {
            case (.get, WorldAPI.WorldPath.template):
                router.bind(HotWorldEndpoint(relay: relay, worlds: worlds))
            case (.get, WorldAPI.FilePath.template) where settings.eta.isLoopback:
                router.bind(FileEndpoint(relay: relay, worlds: worlds))
            case _ where WorldAbroadEndpoint.concerns(facts):
                router.bind(WorldAbroadEndpoint(relay: relay, reads: peering.reads))
            case _ where FollowAbroadEndpoint.concerns(facts):
                router.bind(FollowAbroadEndpoint(relay: relay, reads: peering.reads))
            case _: router.bind(relay)
            }
        }
        router.bindAliases()
        let missing = router.missing(of: AllEndpoints.all + AllEndpoints.ofEveryMethod)
        precondition(missing.isEmpty, "endpoints without a method: \(missing)")
        var limits = ServerLimits()
        limits.connectionsPerAddress = settings.connections
        // Behind a proxy there is everybody.
        limits.unlimited = settings.exempt + settings.trustedProxies
        server = HTTPServer(
            group: group, name: "front",
            responder: FrontServer(router: router, eta: eta, secure: tls != nil), limits: limits,
            tls: tls)
    }

    /// Where it really listens.
    var address: String { bound.withLock { $0 }?.description ?? "" }

    /// Takes the port, before anything is promised under it.
    func bind() throws(Fault) {
        do throws(SystemError) {
            let address = try server.listen(on: settings.listen)
            bound.withLock { $0 = address }
            eta.introduce(
                gateway: settings.gateway.map { Gateway(secure: tls != nil, address: $0) },
                link: linkAddress(boundTo: address))
        } catch {
            throw Fault(
                "reil.listen \(settings.listen) cannot be had (\(error))",
                remedy: "free the port or set another")
        }
    }

    /// Where an Ins dials: as set, else where Reil listens; nil, for the public address, where it
    /// listens on every address of the machine.
    private func linkAddress(boundTo address: SocketAddress) -> Gateway? {
        let isEvery = address.ip == IPAddress("0.0.0.0") || address.ip == IPAddress("::")
        if isEvery, settings.linkAddress == nil { return nil }
        let text = settings.linkAddress?.description ?? address.description
        return ServerAddress(text).map { Gateway(secure: tls != nil, address: $0) }
    }

    func stop() async {
        await sockets.goAway()
        await server.drain(deadline: .seconds(10))
        server.closeAll()
    }

    /// Reads the certificate again.
    func reload() {
        do throws(TLSError) {
            try tls?.reload()
            Self.warnOfOpenKey(settings, ambient.log)
        } catch {
            ambient.log.error("the old certificate stays", .reason(error.text))
        }
    }

    /// A start that fails over the rights of a file would be worse than the rights.
    private static func warnOfOpenKey(_ settings: ReilSettings, _ log: Log) {
        guard let key = settings.tls?.key, KeyFiles.isOpenToAll(key) else { return }
        log.warning(
            "every user of this machine can read the private key",
            .text("setting", "reil.tls_key"), .text("remedy", "chmod o-rwx it, and renew it"))
    }
}

extension ClientLimits {
    /// To Eta: as many connections as there are requests under way.
    static var withinNode: ClientLimits {
        var limits = ClientLimits()
        limits.connectionsPerPeer = 64
        limits.connections = 128
        return limits
    }
}
