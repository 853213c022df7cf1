import API
import Base
import Crypto
import Dispatch
import Domain
import HTTP
import Net
import Runtime
import Testing

@testable import Reil

/// What Eta waits for counts for every loop of a Reil: a loop that is stuck holds it up.
struct EtaLinkTests {
    /// Eta's end of the link, without a socket.
    private final class Sink: WebSocketSink {
        let loop: any LoopExecutor
        let client: IPAddress = .v4(0x7F00_0001)
        let pending = 0
        private let texts = Lock<[[UInt8]]>([])

        init(_ loop: any LoopExecutor) { self.loop = loop }

        /// Up to which mark it was acknowledged; nil before the first.
        var acknowledged: Int64? {
            texts.withLock { $0 }.compactMap { text -> Int64? in
                guard let value = try? JSONParser.parse(text),
                    let report = try? JSONCoder.decode(RegistryReport.self, from: value),
                    case .acknowledge(let sequence) = report
                else { return nil }
                return sequence
            }.max()
        }

        func send(text: [UInt8]) { texts.withLock { $0.append(text) } }
        func send(binary: [UInt8]) {}
        func send(framed: [ArraySlice<UInt8>]) {}
        func close(_ code: CloseCode, reason: String) {}
    }

    @Test func `a lease and a mark count once every loop has acted, and not before`() async throws {
        let group = try EventLoopGroup(count: 2, ambient: .silent())
        defer { group.stop() }
        let names = BlockingPool(name: "names", threads: 1, queueLimit: 1)
        defer { names.stop() }
        let link = EtaLink(
            eta: try #require(HostAndPort("127.0.0.1:1")),
            clusterKey: Secret([UInt8](repeating: 1, count: 32)),
            client: HTTPClient(group: group, resolver: Resolver(pool: names)), loops: group.loops,
            ambient: .silent())
        let connection = RegistryConnection(
            owner: link, ambient: .silent(),
            hello: ReilHello(run: "run", gateway: nil, link: nil))
        let sink = Sink(group.loops[0])
        let welcome = Welcome(
            server: WireObjectTests.server, accessKeys: [:], signingKeys: [], gateways: [],
            links: [], leaseMilliseconds: 600_000, hostings: [])

        let (isStuck, gate) = (Lock(false), DispatchSemaphore(value: 0))
        group.loops[1].execute {
            isStuck.withLock { $0 = true }
            gate.wait()
        }
        try await Eventually.holds { isStuck.withLock { $0 } }
        await withCheckedContinuation { done in
            group.loops[0].execute {
                connection.opened(sink)
                for push: RegistryPush in [
                    .welcome(welcome), .leased(number: 1), .mark(sequence: 7),
                ] {
                    connection.received(text: JSONCoder.encode(push))
                }
                done.resume()
            }
        }
        // What the first loop was given by these it has done when it comes to what follows.
        for _ in 0..<2 {
            await withCheckedContinuation { done in
                group.loops[0].execute { done.resume() }
            }
        }
        #expect(!link.hasLease && sink.acknowledged == nil)
        gate.signal()
        try await Eventually.holds { link.hasLease && sink.acknowledged == 7 }
    }
}
