import Base
import Crypto
import HTTP
import Synchronization

/// How much a server takes on.
public struct ServerLimits: Sendable {
    /// What one connection may ask.
    public var http = HTTPLimits()
    /// Connections in all; nil: as many as there are descriptors, but for some left to files.
    public var connections: Int?
    /// Connections of one address (one /64 of IPv6).
    public var connectionsPerAddress = 1_024
    /// Networks whose addresses may have any number.
    public var unlimited: [NetworkRange] = []
    /// Bytes that wait for a peer before its source is asked for no more.
    public var output = 256 * 1_024
    /// From a TLS connection's accept to the end of its handshake.
    public var handshakeTime = Duration.seconds(10)

    /// The limits above.
    public init() {}
}

/// A server of HTTP/1.1 and WebSockets on all loops of a group.
public final class HTTPServer: Sendable {
    private let group: EventLoopGroup
    private let shards: [ServerShard]
    private let listeners = Lock<[(EventLoop, Listener)]>([])

    /// A server that answers by `responder`; with `tls` it speaks nothing but TLS. Several servers
    /// of a process go by different names in the metrics.
    public init(
        group: EventLoopGroup, name: String = "http", responder: any Responder,
        limits: ServerLimits = ServerLimits(), tls: TLSServerConfiguration? = nil
    ) {
        self.group = group
        let figures = ServerFigures(name: name, group.ambient.metrics)
        let census = ConnectionCensus(limits: limits)
        shards = group.loops.enumerated().map { index, loop in
            ServerShard(
                loop: loop, index: index, ambient: group.ambient, responder: responder,
                limits: limits, tls: tls, figures: figures, census: census)
        }
    }

    /// Listens at `address` and returns it with the port that the system chose if it was 0. From
    /// then on nobody is refused: who comes before the loops look waits in the kernel.
    public func listen(on address: SocketAddress) throws(SystemError) -> SocketAddress {
        var bound = address
        var opened: [(ServerShard, Listener)] = []
        for (index, shard) in shards.enumerated() {
            let socket = try Listener.open(bound, shared: index > 0)
            if index == 0 { bound = try System.localAddress(socket.number) }
            let listener = Listener(socket, loop: shard.loop, log: group.ambient.log)
            opened.append((shard, listener))
        }
        for (shard, listener) in opened {
            shard.loop.execute { shard.start(listener) }
            listeners.withLock { $0.append((shard.loop, listener)) }
        }
        return bound
    }

    /// Accepts no more connections; those that stand are served.
    public func stopListening() {
        let stopped = listeners.withLock { listeners in
            defer { listeners = [] }
            return listeners
        }
        for (loop, listener) in stopped { loop.execute { listener.stop() } }
    }

    /// Accepts no more, lets requests end, closes WebSockets with 1001, and what is left after
    /// `deadline` without further words.
    public func drain(deadline: Duration) async {
        stopListening()
        for shard in shards { shard.loop.execute { shard.drain() } }
        // All at once: one after the other, each loop would be given the deadline again.
        await withTaskGroup { group in
            for shard in shards { group.addTask { await shard.empty(within: deadline) } }
        }
    }

    /// Accepts no more and closes every connection at once.
    public func closeAll() {
        stopListening()
        for shard in shards { shard.loop.execute { shard.closeAll() } }
    }

    /// How many connections stand, WebSockets included.
    public var connectionCount: Int { shards.reduce(0) { $0 + $1.count } }
}

/// A connection as the server keeps it.
protocol ServedConnection: AnyObject, Sendable {
    /// Ends what it does, in order.
    func drain()
    /// Ends now.
    func closeNow()
}

/// What a server counts besides its routes.
struct ServerFigures: Sendable {
    let connections: Gauge
    let webSockets: Gauge
    let refused: Counter
    let other: RouteMetrics

    init(name: String, _ metrics: Metrics) {
        let labels = "server=\"\(name)\""
        connections = metrics.gauge(
            "http_connections", help: "Connections that stand.", labels: labels)
        webSockets = metrics.gauge(
            "http_websockets", help: "Connections that are WebSockets.", labels: labels)
        refused = metrics.counter(
            "http_connections_refused_total", help: "Connections beyond a cap.", labels: labels)
        other = RouteMetrics(method: "any", route: name, metrics: metrics)
    }
}

/// Who is connected, over all loops.
final class ConnectionCensus: Sendable {
    private struct State {
        var all = 0
        var perAddress: [IPAddress: Int] = [:]
    }

    /// Descriptors left to files, to the database, to outgoing connections.
    private static let reserve = 512
    private let state = Lock(State())
    private let limit: Int
    private let perAddress: Int
    private let unlimited: [NetworkRange]

    init(limits: ServerLimits) {
        limit = limits.connections ?? max(64, System.prepareProcess() - Self.reserve)
        perAddress = limits.connectionsPerAddress
        unlimited = limits.unlimited
    }

    /// Counts one more, or refuses it.
    func enter(_ address: IPAddress) -> Bool {
        let key = Self.key(address)
        let free = unlimited.contains { $0.contains(address) }
        return state.withLock { state in
            guard state.all < limit else { return false }
            let count = state.perAddress[key, default: 0]
            guard free || count < perAddress else { return false }
            state.perAddress[key] = count + 1
            state.all += 1
            return true
        }
    }

    func leave(_ address: IPAddress) {
        let key = Self.key(address)
        state.withLock { state in
            state.all -= 1
            let count = state.perAddress[key, default: 1]
            state.perAddress[key] = count == 1 ? nil : count - 1
        }
    }

    /// Who has one address of a /64 has all of them.
    private static func key(_ address: IPAddress) -> IPAddress {
        if case .v6(let high, _) = address.unmapped { return .v6(high: high, low: 0) }
        return address.unmapped
    }
}

/// The part of a server that one loop has.
@safe final class ServerShard: @unchecked Sendable {
    // SAFETY: what changes is touched on the loop alone, but for `size`.
    let loop: EventLoop
    let ambient: Ambient
    let responder: any Responder
    let limits: ServerLimits
    let figures: ServerFigures
    private let tls: TLSServerConfiguration?
    private let census: ConnectionCensus
    private var connections: [ObjectIdentifier: any ServedConnection] = [:]
    private let size = Atomic<Int>(0)
    private var isDraining = false
    private var waiters: [CheckedContinuation<Void, Never>] = []
    private var lastRequest: UInt64
    private var wallTurn = -1
    private var wall = Timestamp(milliseconds: 0)
    private var dateSecond: Int64 = -1
    private var dateBytes: [UInt8] = []

    init(
        loop: EventLoop, index: Int, ambient: Ambient, responder: any Responder,
        limits: ServerLimits, tls: TLSServerConfiguration?, figures: ServerFigures,
        census: ConnectionCensus
    ) {
        self.loop = loop
        self.ambient = ambient
        self.responder = responder
        self.limits = limits
        self.tls = tls
        self.figures = figures
        self.census = census
        // Of its own among the loops, and after a restart, for all that logs have to tell apart.
        lastRequest = UInt64(index) << 56 | (ambient.random.next() >> 32) << 24
    }

    var count: Int { size.load(ordering: .relaxed) }

    func start(_ listener: Listener) {
        listener.start { socket, peer in self.accept(socket, peer) }
    }

    private func accept(_ socket: consuming FileDescriptor, _ peer: SocketAddress) {
        guard !isDraining, census.enter(peer.ip) else {
            figures.refused.add()
            return
        }
        let machine = tls.map { TLSMachine(server: $0) }
        let transport = Transport(socket, loop: loop, peer: peer, tls: machine)
        ServerConnection(transport, shard: self).start()
    }

    func insert(_ connection: any ServedConnection) {
        connections[ObjectIdentifier(connection)] = connection
        size.store(connections.count, ordering: .relaxed)
        figures.connections.add(1)
    }

    /// Lets a connection go; with `to` it goes on as that one.
    func remove(
        _ connection: any ServedConnection, peer: SocketAddress,
        to successor: (any ServedConnection)? = nil
    ) {
        connections[ObjectIdentifier(connection)] = nil
        if let successor {
            connections[ObjectIdentifier(successor)] = successor
            // Not before it has started.
            if isDraining { loop.execute { successor.drain() } }
            return
        }
        size.store(connections.count, ordering: .relaxed)
        figures.connections.add(-1)
        census.leave(peer.ip)
        if connections.isEmpty { wakeWaiters() }
    }

    func drain() {
        isDraining = true
        for connection in Array(connections.values) { connection.drain() }
    }

    /// Waits until nobody is left, and makes it so after `deadline`; from any other thread.
    func empty(within deadline: Duration) async {
        await withCheckedContinuation { done in
            loop.execute { [self] in
                isDraining = true
                waiters.append(done)
                if connections.isEmpty { return wakeWaiters() }
                _ = loop.schedule(after: deadline) { [self] in
                    closeAll()
                }
            }
        }
    }

    func closeAll() {
        isDraining = true
        for connection in Array(connections.values) { connection.closeNow() }
    }

    private func wakeWaiters() {
        for waiter in waiters { waiter.resume() }
        waiters = []
    }

    /// A number for the next request.
    func nextRequest() -> UInt64 {
        lastRequest &+= 1
        return lastRequest
    }

    /// The wall clock as of the current turn.
    func timestamp() -> Timestamp {
        if loop.turnNumber != wallTurn {
            wallTurn = loop.turnNumber
            wall = ambient.clock.timestamp()
        }
        return wall
    }

    /// The Date field's value, made once a second.
    func date() -> [UInt8] {
        let now = timestamp()
        if now.milliseconds / 1_000 != dateSecond {
            dateSecond = now.milliseconds / 1_000
            dateBytes = HTTPDate.format(now)
        }
        return dateBytes
    }
}
