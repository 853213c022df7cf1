import Base
import Crypto
import HTTP
import Net

/// The tests' own half of every connection: loops and clients that the whole test process shares.
public enum TestLoops {
    /// Two loops, so that a client and what it waits for need not share one.
    public static let group: EventLoopGroup = {
        do {
            return try EventLoopGroup(count: 2, ambient: .silent())
        } catch {
            preconditionFailure("no event loop for the tests: \(error)")
        }
    }()

    /// Threads for what blocks: raw sockets, waiting for processes. They live as long as the test
    /// process, which what is started with a parent-death signal relies on.
    public static let pool = BlockingPool(name: "tests", threads: 96, queueLimit: 4_096)

    /// A client without TLS.
    public static let plain = client(tls: nil)

    /// A client that trusts `tls`, for nodes with an authority of their own.
    public static func client(tls: TLSClientConfiguration?) -> HTTPClient {
        var limits = ClientLimits()
        limits.connectionsPerPeer = 64
        limits.connections = 1_024
        return HTTPClient(group: group, resolver: Resolver(pool: pool), tls: tls, limits: limits)
    }

    /// A client that keeps to itself: its connections are nobody else's.
    public static func client() -> HTTPClient { client(tls: nil) }

    /// Comes back after `delay`. For `Eventually` and for talking slowly on purpose; what waits for
    /// something waits for that, by `Eventually`.
    public static func pause(_ delay: Duration) async {
        await withCheckedContinuation { done in
            let loop = group.next()
            loop.execute { _ = loop.schedule(after: delay) { done.resume() } }
        }
    }

    /// Does what may block on a thread of its own.
    public static func blocking<Result: Sendable>(
        _ work: @escaping @Sendable () -> Result
    ) async -> Result {
        do throws(PoolOverloaded) {
            return try await pool.run(work)
        } catch {
            preconditionFailure("the tests block more threads than they have")
        }
    }
}
