import Base
import Crypto
import HTTP
import Synchronization

@testable import Net

/// A server on a free port whose answers a test gives, and a client beside it.
final class TestServer: Sendable {
    typealias Answer = @Sendable (Request) async -> Response

    let group: EventLoopGroup
    let server: HTTPServer
    let address: SocketAddress
    let client: HTTPClient
    private let pool: BlockingPool

    convenience init(
        loops: Int = 1, limits: ServerLimits = ServerLimits(), tls: TLSServerConfiguration? = nil,
        clientTLS: TLSClientConfiguration? = nil, clientLimits: ClientLimits = ClientLimits(),
        ambient: Ambient = .silent(), _ answer: @escaping Answer
    ) throws {
        try self.init(
            loops: loops, limits: limits, tls: tls, clientTLS: clientTLS,
            clientLimits: clientLimits, ambient: ambient,
            responder: ClosureResponder(answer: answer))
    }

    init(
        loops: Int = 1, limits: ServerLimits = ServerLimits(), tls: TLSServerConfiguration? = nil,
        clientTLS: TLSClientConfiguration? = nil, clientLimits: ClientLimits = ClientLimits(),
        ambient: Ambient = .silent(), responder: any Responder
    ) throws {
        group = try EventLoopGroup(count: loops, ambient: ambient)
        server = HTTPServer(group: group, responder: responder, limits: limits, tls: tls)
        address = try server.listen(on: SocketAddress(.v4(0x7F00_0001), port: 0))
        pool = BlockingPool(name: "names", threads: 1, queueLimit: 16)
        client = HTTPClient(
            group: group, resolver: Resolver(pool: pool), tls: clientTLS, limits: clientLimits)
    }

    func stop() async {
        await client.closeIdle()
        await server.drain(deadline: .zero)
        pool.stop()
        group.stop()
    }

    func connect(receiveBuffer: Int32? = nil) throws -> RawSocket {
        try RawSocket(address, receiveBuffer: receiveBuffer)
    }

    func request(
        _ target: String, _ method: Method = .get, body: ClientBody = .none, secure: Bool = false,
        host: String = "127.0.0.1"
    ) -> ClientRequest {
        ClientRequest(
            method, secure: secure, host: host, port: address.port, target: Array(target.utf8),
            body: body)
    }

    func send(_ request: ClientRequest) async throws(ClientError) -> ClientResponse {
        try await client.send(request, on: group.loops[0])
    }

    /// Sends and gathers the body as text.
    func text(_ request: ClientRequest) async throws(ClientError) -> String {
        let response = try await send(request)
        return String(decoding: try await response.collect(limit: 1 << 30), as: UTF8.self)
    }
}

struct ClosureResponder: Responder {
    let answer: TestServer.Answer
    func begin(_ request: Request) -> Beginning { .waits { await answer(request) } }
}

extension Response {
    static func text(_ text: String) -> Response {
        Response(status: .ok, body: .bytes(Array(text.utf8)))
    }
}

extension Request {
    var pathText: String { String(decoding: head.path, as: UTF8.self) }
}

/// A body of `count` times the same chunk, which knows how many were asked for.
final class RepeatedBody: BodySource {
    private let chunk: [UInt8]
    private let left: Atomic<Int>
    let asked = Atomic<Int>(0)

    init(_ count: Int, of chunk: [UInt8]) {
        self.chunk = chunk
        left = Atomic(count)
    }

    func next() async throws(BodyError) -> [UInt8]? {
        asked.add(1, ordering: .relaxed)
        return left.subtract(1, ordering: .relaxed).newValue >= 0 ? chunk : nil
    }
}

/// Something that happens once, and may have happened before anybody waits.
final class Signal: Sendable {
    private struct State {
        var hasHappened = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Lock(State())

    func fire() {
        let waiters = state.withLock { state in
            state.hasHappened = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func wait() async {
        await withCheckedContinuation { continuation in
            let happened = state.withLock { state in
                if !state.hasHappened { state.waiters.append(continuation) }
                return state.hasHappened
            }
            if happened { continuation.resume() }
        }
    }
}
