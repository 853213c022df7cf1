import API
import Base
import Domain
import Federation
import Net

/// All that Reil has to do with services, put together.
struct ServiceGateway {
    /// Asks services whether they are there.
    let checker: ServiceChecker
    /// Which socket speaks for each.
    let switchboard: ServiceSwitch
    private let proxy: ServiceProxy

    init(
        _ settings: ReilSettings, eta: EtaLink, outside: Outside, group: EventLoopGroup,
        identity: @escaping @Sendable () -> NodeIdentity?
    ) {
        let directory = ServiceDirectory()
        let client = outside.client(limits: .toServices, on: group)
        checker = ServiceChecker(
            eta: eta, directory: directory, client: client, outbound: outside.outbound,
            loop: group.loops[0], ambient: group.ambient)
        switchboard = ServiceSwitch(directory: directory, random: group.ambient.random)
        proxy = ServiceProxy(
            directory: directory, client: client, outbound: outside.outbound, checker: checker,
            tunnels: ServiceTunnels(limit: settings.serviceSockets),
            firstByte: settings.servicePatience, identity: identity)
        eta.observe(directory)
        eta.observe(checker)
    }

    /// Binds the way to services.
    func bind(_ router: inout Router) { router.bind(proxy) }
}

extension ClientLimits {
    /// To services: none takes the connections of the others.
    static var toServices: ClientLimits {
        var limits = ClientLimits()
        limits.connectionsPerPeer = 32
        limits.connections = 1_024
        limits.waiting = 256
        return limits
    }
}
