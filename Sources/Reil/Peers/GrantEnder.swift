import API
import Base
import Domain
import Federation
import Runtime

/// Has tokens that our users hold abroad revoked there when Eta says so: best effort with a few
/// tries, since they end by themselves within the hour.
final class GrantEnder: Component, RegistryObserver {
    private struct Order: Sendable {
        let server: ServerAddress
        let integrity: IntegrityID
        var attempts = 0
    }

    private struct State {
        var orders: [Order] = []
        var waiting: CheckedContinuation<Void, Never>?
        var isStopping = false
    }

    /// When a failed try is repeated.
    private static let pauses: [Duration] = [.seconds(2), .seconds(15), .seconds(120)]
    /// Orders that wait at the most; the token's own end takes care of what is beyond.
    private static let limit = 10_000
    /// Tries under way at a time.
    private static let width = 16

    let name = "grants abroad"
    private let peers: PeerClient
    private let loop: any LoopExecutor
    private let ambient: Ambient
    private let state = Lock(State())

    init(peers: PeerClient, loop: any LoopExecutor, ambient: Ambient) {
        self.peers = peers
        self.loop = loop
        self.ambient = ambient
    }

    func welcomed(_ welcome: Welcome) {}
    func etaLost() {}

    func received(_ push: RegistryPush) {
        guard case .endAbroad(let server, let integrity) = push else { return }
        enqueue(Order(server: server, integrity: integrity))
    }

    private func enqueue(_ order: Order) {
        let waiting = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.orders.count < Self.limit else { return nil }
            state.orders.append(order)
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume()
    }

    func run() async throws {
        await withTaskGroup(of: Void.self) { group in
            var running = 0
            while let order = await next() {
                if running == Self.width {
                    await group.next()
                    running -= 1
                }
                group.addTask { await self.end(order) }
                running += 1
            }
            group.cancelAll()
        }
    }

    func stop() async {
        let waiting = state.withLock { state in
            state.isStopping = true
            defer { state.waiting = nil }
            return state.waiting
        }
        waiting?.resume()
    }

    private func next() async -> Order? {
        while true {
            let (order, isOver) = state.withLock { state -> (Order?, Bool) in
                if state.isStopping { return (nil, true) }
                return (state.orders.isEmpty ? nil : state.orders.removeFirst(), false)
            }
            if order != nil || isOver { return order }
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.isStopping || !state.orders.isEmpty { return true }
                    state.waiting = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        }
    }

    private func end(_ order: Order) async {
        do throws(APIError) {
            _ = try await peers.call(
                IntegrityAPI.revoke, NoBody(), captures: [order.integrity.text],
                at: order.server, proof: .required)
        } catch {
            // Gone there already is what was wanted.
            if error.code == .integrityNotFound || Task.isCancelled { return }
            guard order.attempts < Self.pauses.count else {
                ambient.log.warning(
                    "a grant abroad could not be revoked", .peer(order.server.text),
                    .number("code", error.code.rawValue))
                return
            }
            var again = order
            again.attempts += 1
            let loop = loop
            loop.execute { [again] in
                _ = loop.schedule(after: Self.pauses[order.attempts]) { self.enqueue(again) }
            }
        }
    }
}
