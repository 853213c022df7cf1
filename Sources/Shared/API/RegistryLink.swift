import Base
import Domain

/// What Eta tells each Reil over the registry link (`/internal/link`, subprotocol
/// `avr.registry.1`, one JSON text frame each). In order: what a Reil has seen last is true.
public enum RegistryPush: Codable, Sendable {
    /// The first frame: all that a Reil needs to be the node's gateway.
    case welcome(Welcome)
    /// The answer to a renewal of the lease; the lease counts from when the renewal was sent.
    case leased(number: Int64)
    /// Where clients reach each Reil, and where an Ins dials it, since one came or went.
    case reils(gateways: [Gateway], links: [Gateway])
    /// Something that counted counts no more.
    case revoke(Revocation)
    /// An object is not what it was: caches forget it, sockets hear of it.
    case changed(ObjectChange)
    /// An instance is hosted by that Ins under that epoch, from now on.
    case host(Hosting)
    /// An instance is over; its members are told and leave.
    case close(InstanceID)
    /// A player's seat is gone by Eta's own decision.
    case dismissed(instance: InstanceID, player: PlayerID, type: LeaveType)
    /// What players of an instance say is dropped from now on, or no more.
    case muted(instance: InstanceID, players: [PlayerID], isMuted: Bool)
    /// Some people are told something, at whichever sockets they have.
    case tell(Telling)
    /// Where those stand who wait for an instance.
    case queue(QueueReport)
    /// An integrity token that a user of this node holds abroad is to be revoked there.
    case endAbroad(server: ServerAddress, integrity: IntegrityID)
    /// That node is to be told what waits for it, or, with `knock`, that this one is there.
    case deliver(server: ServerAddress, knock: Bool)
    /// With whom there are dealings, in place of what was said before.
    case rules(RuleSet)
    /// These services are to be asked whether they are there.
    case look(at: [ServiceTarget])
    /// Nothing is known of that node any more.
    case forget(ServerAddress)
    /// Acknowledged once all that was pushed before has taken effect on every loop of the Reil.
    case mark(sequence: Int64)
    /// While the node is tested: its wall clock is so far from the machine's.
    case clock(offsetMilliseconds: Int64)
}

/// What a Reil tells Eta over the registry link.
public enum RegistryReport: Codable, Sendable {
    /// The first frame.
    case hello(ReilHello)
    /// Asks for the lease to be renewed; four times a second.
    case renew(number: Int64)
    /// All that was pushed before the mark with that number has taken effect here.
    case acknowledge(sequence: Int64)
    /// An Ins is linked here, or says how it fares.
    case insLinked(InsReport)
    /// The link of an Ins closed.
    case insLost(credential: String)
    /// After a reconnect: the players whose sockets end here.
    case players([SeatReport])
    /// These people, from here and elsewhere, have a socket here; the link begins with all of them.
    case online([UserReference])
    /// That person has no socket here any more.
    case offline(UserReference)
}

/// An event for some people.
public struct Telling: Codable, Sendable {
    /// Who, with their homes.
    public let people: [UserReference]
    /// What it is called.
    public let event: SocketEvent
    /// The instance that it is of, where it is of one.
    public let instance: InstanceID?
    /// Whether it is sent also to sockets that have not subscribed to it.
    public let isUnasked: Bool
    /// Its data.
    public let data: JSONValue

    /// An event for `people`; who has to subscribe to it hears it when they have, unless it is sent
    /// `unasked`.
    public init(
        _ event: SocketEvent, of instance: InstanceID? = nil, to people: [UserReference],
        unasked: Bool = false, _ data: JSONValue
    ) {
        isUnasked = unasked || event.isAlwaysSent
        self.people = people
        self.event = event
        self.instance = instance
        self.data = data
    }
}

/// The queue of an instance.
public struct QueueReport: Codable, Sendable {
    /// The instance.
    public let instance: InstanceID
    /// Who waits, the next one first.
    public let waiting: [UserReference]

    /// The queue of `instance`.
    public init(instance: InstanceID, waiting: [UserReference]) {
        self.instance = instance
        self.waiting = waiting
    }
}

/// Who a Reil is.
public struct ReilHello: Codable, Sendable {
    /// A random name of this run of the process.
    public let run: String
    /// Its public address, where that is one of its own; nil where it is the node's.
    public let gateway: Gateway?
    /// Where an Ins dials it; nil where that is its public address.
    public let link: Gateway?

    /// A greeting.
    public init(run: String, gateway: Gateway?, link: Gateway?) {
        self.run = run
        self.gateway = gateway
        self.link = link
    }

    /// The same with addresses: those of `node` where it has none of its own.
    public func placed(at node: Gateway) -> ReilHello {
        ReilHello(run: run, gateway: gateway ?? node, link: link ?? gateway ?? node)
    }
}

/// What a Reil needs to speak for the node.
public struct Welcome: Codable, Sendable {
    /// The node as the world sees it.
    public var server: Server
    /// Keys of access tokens, hexadecimal by their `kid`.
    public let accessKeys: [String: String]
    /// The node's Ed25519 keys, newest first.
    public let signingKeys: [SigningKey]
    /// All gateways of the node.
    public var gateways: [Gateway]
    /// Where an Ins dials each Reil.
    public var links: [Gateway]
    /// How long a lease lasts, in milliseconds.
    public let leaseMilliseconds: Int64
    /// Instances that are live, each with its hosting.
    public let hostings: [Hosting]
    /// The services of the node.
    public let services: [ServiceRoute]
    /// With whom there are dealings.
    public let rules: RuleSet

    /// A welcome.
    public init(
        server: Server, accessKeys: [String: String], signingKeys: [SigningKey],
        gateways: [Gateway], links: [Gateway], leaseMilliseconds: Int64, hostings: [Hosting],
        services: [ServiceRoute] = [], rules: RuleSet = RuleSet()
    ) {
        self.server = server
        self.accessKeys = accessKeys
        self.signingKeys = signingKeys
        self.gateways = gateways
        self.links = links
        self.leaseMilliseconds = leaseMilliseconds
        self.hostings = hostings
        self.services = services
        self.rules = rules
    }
}

/// With which other nodes, and which clients, there are dealings, as a Reil has to know it.
public struct RuleSet: Codable, Sendable {
    /// A rule about other nodes.
    public struct Node: Codable, Sendable {
        /// Which nodes.
        public let rule: NodePattern
        /// What is done with them.
        public let action: NodeAction

        /// That rule.
        public init(rule: NodePattern, action: NodeAction) {
            self.rule = rule
            self.action = action
        }
    }

    /// What holds for nodes that no rule is about.
    public let mode: FederationMode
    /// Rules about nodes.
    public var nodes: [Node] = []
    /// Addresses of clients that are denied.
    public var networks: [NetworkText] = []
    /// Agents that are denied.
    public var agents: [AgentPart] = []

    /// No rule yet.
    public init(mode: FederationMode = .open) { self.mode = mode }

    /// Those about nodes, to be asked.
    public var nodeRules: NodeRules {
        NodeRules(nodes.lazy.map { (pattern: $0.rule, action: $0.action) }, mode: mode)
    }

    /// Those about clients, to be asked.
    public var clientRules: ClientRules {
        ClientRules(networks: networks.map(\.range), agents: agents)
    }
}

/// Where a service is asked for.
public struct ServiceTarget: Codable, Sendable, Hashable {
    /// The service.
    public let id: ServiceID
    /// Where it listens.
    public let address: ServiceAddress
    /// Whether it speaks TLS there.
    public let secure: Bool

    /// That service there.
    public init(id: ServiceID, address: ServiceAddress, secure: Bool) {
        self.id = id
        self.address = address
        self.secure = secure
    }
}

/// A service as a Reil has to know it.
public struct ServiceRoute: Codable, Sendable, Hashable {
    /// Where it is.
    public let target: ServiceTarget
    /// Whether it answered when it was last asked.
    public let isUp: Bool

    /// The route to `service`.
    public init(_ service: Service) {
        target = ServiceTarget(
            id: service.id, address: service.address, secure: service.secure)
        isUp = service.status == .up
    }
}

/// One of the node's signing keys with its private half, for its own Reil alone.
public struct SigningKey: Codable, Sendable {
    /// The private seed, hexadecimal.
    public let seed: String
    /// When it was made.
    public let createdAt: Timestamp
    /// When it stops to count.
    public let expiresAt: Timestamp

    /// A key.
    public init(seed: String, createdAt: Timestamp, expiresAt: Timestamp) {
        self.seed = seed
        self.createdAt = createdAt
        self.expiresAt = expiresAt
    }
}

/// What no longer counts.
public enum Revocation: Codable, Sendable {
    /// A login of a user: its tokens and sockets.
    case session(SessionID, of: UserID)
    /// All logins of a user but perhaps one.
    case sessions(of: UserID, except: SessionID?)
    /// The access token of that generation of a user's session: its pair was replaced unused.
    case generation(SessionID, of: UserID, UInt64)
    /// What is remembered of a user's rights; sockets stay.
    case rights(of: UserID)
    /// A user altogether, who is disabled. Sockets close 4403.
    case user(UserID)
    /// A user of another node, who is suspended here: their sockets close 4403. Each of their tokens
    /// is revoked by itself.
    case visitor(UserReference)
    /// A visitor's token.
    case integrity(IntegrityID)
    /// The server token of a node.
    case server(ServerAddress)
    /// A node, with which there are no dealings any more: its token, and all of its visitors, whose
    /// sockets close 4403.
    case node(ServerAddress)
    /// The credential of an Ins, by its id.
    case ins(String)
}

/// An object as it is now, or that it is no more.
public enum ObjectChange: Codable, Sendable {
    /// The node itself.
    case server(Server)
    /// A user of this node, as others and as they themself see it.
    case user(User, themself: UserMe)
    /// A user is deleted.
    case userDeleted(UserID)
    /// A world of this node.
    case world(World)
    /// A world is deleted; as it was, for who may hear of it, without its assets.
    case worldDeleted(World)
    /// A service of this node.
    case service(Service)
    /// A service is deleted; as it was.
    case serviceDeleted(Service)
    /// An instance, as those who are not members see it.
    case instance(Instance)
    /// An instance is over; as it was, for who may hear of it.
    case instanceDeleted(Instance)
}

/// An instance and who runs it.
public struct Hosting: Codable, Equatable, Sendable {
    /// The instance.
    public let instance: InstanceID
    /// The number of its placement; only the newest may speak.
    public let epoch: Int64
    /// The credential id of the Ins that runs it.
    public let ins: String
    /// Its world.
    public let world: WorldReference
    /// Its owner, always absolute.
    public let owner: UserReference
    /// How many players it takes.
    public let capacity: Int

    /// A hosting.
    public init(
        instance: InstanceID, epoch: Int64, ins: String, world: WorldReference,
        owner: UserReference, capacity: Int
    ) {
        self.instance = instance
        self.epoch = epoch
        self.ins = ins
        self.world = world
        self.owner = owner
        self.capacity = capacity
    }
}

/// An Ins as a Reil sees it.
public struct InsReport: Codable, Sendable {
    /// The id of its credential.
    public let credential: String
    /// What it calls itself.
    public let name: String
    /// Its program's version.
    public let version: String
    /// How many players it takes at the most.
    public let capacity: Int
    /// Where it says it stands.
    public let region: String
    /// How busy it is, 0 to 1.
    public let load: Double

    /// A report.
    public init(
        credential: String, name: String, version: String, capacity: Int, region: String,
        load: Double
    ) {
        self.credential = credential
        self.name = name
        self.version = version
        self.capacity = capacity
        self.region = region
        self.load = load
    }
}

/// A player whose socket ends at the reporting Reil.
public struct SeatReport: Codable, Sendable {
    /// The instance.
    public let instance: InstanceID
    /// The player.
    public let player: PlayerID

    /// A report.
    public init(instance: InstanceID, player: PlayerID) {
        self.instance = instance
        self.player = player
    }
}

/// Why a player left, docs/client/socket.md.
public enum LeaveType: Int, Codable, Sendable, CaseIterable {
    case kicked = 0
    case banned = 2
    case closed = 3
    case disconnected = 4
}
