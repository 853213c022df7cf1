import API
import Base
import Domain
import Federation
import Net
import Runtime

/// All that Reil has to do with other nodes, put together.
struct Peering {
    let peers: PeerClient
    /// What a signed request has to pass.
    let check: SignatureCheck
    /// Ends grants abroad in the background.
    let ender: GrantEnder
    /// Tells other nodes what waits for them.
    let runner: DeliveryRunner
    private let directory: PeerDirectory
    private let discovery: DiscoveryController
    private let challenges: ChallengeController
    private let integrity: IntegrityController
    private let deliveries: DeliveryController
    /// Reads from other nodes.
    let reads: ExternalReads
    private let eta: EtaLink

    init(
        _ settings: ReilSettings, eta: EtaLink, desk: RuleDesk, limiter: RateLimiter,
        outside: Outside, group: EventLoopGroup
    ) {
        let ambient = group.ambient
        let directory = PeerDirectory(eta: eta, group: group)
        let transport = OutboundTransport(
            client: outside.client(limits: .toPeers, on: group), group: group,
            outbound: outside.outbound)
        let peers = PeerClient(
            transport: transport, memory: directory, allowsInsecure: settings.insecurePeers,
            ambient: ambient, admits: { (node) throws(APIError) in try desk.require(node) }
        ) { directory.identity }
        self.eta = eta
        self.directory = directory
        self.peers = peers
        check = SignatureCheck(
            eta: eta, directory: directory, peers: peers, limiter: limiter, ambient: ambient)
        ender = GrantEnder(peers: peers, loop: group.loops[0], ambient: ambient)
        runner = DeliveryRunner(eta: eta, peers: peers, loop: group.loops[0], ambient: ambient)
        discovery = DiscoveryController(directory: directory, age: settings.discoveryAge)
        challenges = ChallengeController(eta: eta, peers: peers, desk: desk)
        integrity = IntegrityController(eta: eta, peers: peers)
        deliveries = DeliveryController(eta: eta, peers: peers)
        reads = ExternalReads(peers: peers, ambient: ambient)
        eta.observe(directory)
        eta.observe(ender)
        eta.observe(runner)
        eta.observe(PeerForgetting(peers: peers))
    }

    /// This node with its keys; nil before Eta has said who it is.
    var identity: @Sendable () -> NodeIdentity? {
        { [directory] in directory.identity }
    }

    /// Binds the endpoints of the federation, and puts the reading abroad around all others: to be
    /// called before they are bound.
    func bind(_ router: inout Router) {
        let (reads, directory) = (reads, directory)
        router.wrapping = { bound in
            reads.wrap(bound) { directory.identity?.address }
        }
        router.on(ServerAPI.discovery, discovery.fetch)
        router.on(ChallengeAPI.open, challenges.open)
        router.on(ChallengeAPI.prove, challenges.prove)
        router.on(IntegrityAPI.request, integrity.request)
        router.on(IntegrityAPI.vouch, integrity.vouch)
        router.on(DeliveryAPI.deliver, deliveries.take)
    }
}
