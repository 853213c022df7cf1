import Base
import Glibc
import Net

/// Stands between two processes and does to their connections what networks do: delays them,
/// falls silent, breaks them off. Those who speak through it cannot tell.
public final class FaultProxy: Sendable {
    /// What happens to bytes.
    public enum Weather: Sendable {
        /// They pass.
        case clear
        /// They pass, each piece so much later.
        case delayed(Duration)
        /// Nothing is read from either side, no connection closed: a partition.
        case silent
        /// Connections are broken off, and new ones as soon as they are accepted.
        case broken
    }

    private struct State {
        var weather = Weather.clear
        var isOver = false
        var connections = 0
        var refused: [UInt8]?
        var refusals = 0
    }

    /// Where to speak to instead.
    public let address: SocketAddress
    private let target: UInt16
    private let listener: Int32
    private let state = Lock(State())

    /// A proxy in front of that port.
    public init(to target: UInt16) {
        self.target = target
        let (socket, port) = RawSocket.listen()
        listener = socket
        address = SocketAddress(.v4(0x7F00_0001), port: port)
        let (state, to) = (state, target)
        let accepted = TestLoops.pool.submit { Self.accept(socket, to, state) }
        precondition(accepted, "no thread for a proxy")
    }

    deinit {
        state.withLock { $0.isOver = true }
        // Wakes the thread that accepts.
        shutdown(listener, Int32(SHUT_RDWR))
    }

    /// Changes what happens from now on.
    public func become(_ weather: Weather) { state.withLock { $0.weather = weather } }

    /// Breaks off from now on each connection over which the client says `text`, as soon as it
    /// does; nil: none any more.
    public func refuse(_ text: String?) {
        state.withLock { state in
            state.refused = text.map { Array($0.utf8) }
            state.refusals = 0
        }
    }

    /// How many connections were broken off for what was said.
    public var refusals: Int { state.withLock(\.refusals) }

    /// How many connections stand.
    public var connections: Int { state.withLock(\.connections) }

    private static func accept(_ listener: Int32, _ target: UInt16, _ state: Lock<State>) {
        defer { close(listener) }
        while true {
            let client = RawSocket.accept(listener)
            guard client >= 0, !state.withLock(\.isOver) else {
                if client >= 0 { close(client) }
                return
            }
            let server = RawSocket.connect(port: target)
            guard server >= 0 else {
                RawSocket.reset(client)
                close(client)
                continue
            }
            let pair = Pair(client, server, state)
            let there = TestLoops.pool.submit {
                pair.pump(from: client, to: server, isThere: true)
            }
            let back = TestLoops.pool.submit {
                pair.pump(from: server, to: client, isThere: false)
            }
            precondition(there && back, "no threads for a proxy's connection")
        }
    }

    /// Two sockets that are closed when both directions are over.
    private final class Pair: Sendable {
        private let client: Int32
        private let server: Int32
        private let state: Lock<State>

        init(_ client: Int32, _ server: Int32, _ state: Lock<State>) {
            self.client = client
            self.server = server
            self.state = state
            state.withLock { $0.connections += 1 }
        }

        deinit {
            close(client)
            close(server)
            state.withLock { $0.connections -= 1 }
        }

        func pump(from: Int32, to: Int32, isThere: Bool) {
            while mayPass() {
                switch RawSocket.receive(from, wait: 20) {
                case .nothing: break
                case .end:
                    shutdown(to, Int32(SHUT_WR))
                    return
                case .failed: return breakOff()
                case .bytes(let bytes):
                    if case .delayed(let time) = state.withLock(\.weather) {
                        // The delay itself is what the test asked for.
                        usleep(UInt32(time.nanoseconds / 1_000))
                    }
                    // The weather may have changed while nothing came.
                    guard mayPass(), !(isThere && isRefused(bytes)), RawSocket.send(to, bytes)
                    else { return breakOff() }
                }
            }
            breakOff()
        }

        /// Waits until bytes may pass; false when they never will.
        private func mayPass() -> Bool {
            while true {
                let (weather, isOver) = state.withLock { ($0.weather, $0.isOver) }
                if isOver { return false }
                switch weather {
                case .broken: return false
                // A thread of its own looks again until the weather is another.
                case .silent: usleep(5_000)
                case .clear, .delayed: return true
                }
            }
        }

        private func isRefused(_ bytes: [UInt8]) -> Bool {
            state.withLock { state in
                guard let refused = state.refused, bytes.firstRange(of: refused) != nil else {
                    return false
                }
                state.refusals += 1
                return true
            }
        }

        private func breakOff() {
            RawSocket.reset(client)
            RawSocket.reset(server)
        }
    }
}
