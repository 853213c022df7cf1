import Base
import Crypto
import HTTP

/// How many connections a client keeps, and what it takes from a server.
public struct ClientLimits: Sendable {
    /// Connections to one server; further requests wait for one of them.
    public var connectionsPerPeer = 8
    /// Connections in all.
    public var connections = 256
    /// Requests that may wait for a connection to one server.
    public var waiting = 1_024
    /// How long a connection is kept for the next request.
    public var idleTime = Duration.seconds(30)
    /// Whether each loop has connections of its own, and the caps hold for each: no request then
    /// leaves its loop. Otherwise a server's connections are all of one loop, and the cap is exact.
    public var perLoop = true
    /// What a response may ask: heads of 32 KiB.
    public var http: HTTPLimits

    /// The limits above.
    public init() {
        http = HTTPLimits()
        http.head = 32 * 1_024
    }
}

/// A client of HTTP/1.1 that keeps connections, with deadlines for each part of an exchange and
/// streaming bodies both ways.
public final class HTTPClient: Sendable {
    private let pools: [ConnectionPool]
    private let loops: [EventLoop]
    private let limits: ClientLimits
    let random: any RandomSource

    /// A client on all loops of `group`; without `tls` it cannot speak TLS.
    public init(
        group: EventLoopGroup, resolver: Resolver, tls: TLSClientConfiguration? = nil,
        limits: ClientLimits = ClientLimits()
    ) {
        self.limits = limits
        loops = group.loops
        random = group.ambient.random
        let share = limits.perLoop ? limits.connections : max(1, limits.connections / loops.count)
        pools = loops.map { loop in
            ConnectionPool(
                loop: loop, tls: tls, resolver: resolver, limits: limits.http,
                pool: .init(
                    perPeer: limits.connectionsPerPeer, all: share, waiting: limits.waiting,
                    idleTime: limits.idleTime))
        }
    }

    /// Sends a request and waits for the response's head. What fails on a kept connection before
    /// a byte came back is tried once more on a new one where the method allows that.
    ///
    /// The loop is the caller's: with connections of its own the request never leaves it.
    public func send(
        _ request: ClientRequest, on loop: any LoopExecutor
    ) async throws(ClientError) -> ClientResponse {
        let pool =
            limits.perLoop ? pool(of: loop) : pools[Self.index(of: request.peer, in: pools.count)]
        return try await pool.send(request, began: System.now(), fresh: false)
    }

    /// The same without a task where a connection is at hand. On the loop of the caller, where
    /// `done` is called once; only for a client whose loops have connections of their own.
    public func start(
        _ request: ClientRequest, on loop: any LoopExecutor,
        done: @escaping @Sendable (Result<ClientResponse, ClientError>) -> Void
    ) -> any PendingAnswer {
        precondition(limits.perLoop, "a connection of another loop")
        return pool(of: loop).start(request, began: System.now(), done: done)
    }

    /// Asks for another protocol on a connection of its own, which the caller takes over.
    func upgrade(
        _ request: ClientRequest, on loop: any LoopExecutor
    ) async throws(ClientError) -> (connection: ClientConnection, response: ClientResponse) {
        let began = System.now()
        let connection = try await pool(of: loop).open(
            request.peer, deadline: began + request.deadlines.connect)
        let response = try await connection.perform(request, began: began, upgrade: true)
        return (connection, response)
    }

    /// Closes the connections that are kept.
    public func closeIdle() async {
        for pool in pools { await pool.closeIdle() }
    }

    private func pool(of loop: any LoopExecutor) -> ConnectionPool {
        for (index, own) in loops.enumerated() where own === loop { return pools[index] }
        preconditionFailure("a loop of another group")
    }

    /// FNV-1a: the same loop for a server, whatever the process's hash seed.
    private static func index(of peer: Peer, in count: Int) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in peer.host.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Int((hash ^ UInt64(peer.port)) % UInt64(count))
    }
}
