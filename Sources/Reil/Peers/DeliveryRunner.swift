import API
import Base
import Domain
import Federation
import Runtime

/// Tells other nodes what Eta has for them, when Eta says so: for each node one batch after the
/// other, and for different nodes beside each other, so that one that is slow holds up no other.
final class DeliveryRunner: Component, RegistryObserver {
    private struct State {
        /// Nodes that are being told, and whether they are to be told again behind that.
        var running: [ServerAddress: Bool] = [:]
        var tasks: [ServerAddress: Task<Void, Never>] = [:]
        /// Nodes that have to wait, and whether they are to be told that this one is there.
        var waiting: [(server: ServerAddress, knock: Bool)] = []
        var isStopping = false
    }

    /// Nodes that are told at a time.
    private static let width = 64
    /// Nodes that wait for their turn; Eta asks again for what is beyond.
    private static let limit = 10_000

    let name = "deliveries"
    private let eta: EtaLink
    private let peers: PeerClient
    private let loop: any LoopExecutor
    private let ambient: Ambient
    private let state = Lock(State())

    init(eta: EtaLink, peers: PeerClient, loop: any LoopExecutor, ambient: Ambient) {
        self.eta = eta
        self.peers = peers
        self.loop = loop
        self.ambient = ambient
    }

    func welcomed(_ welcome: Welcome) {}
    func etaLost() {}

    func received(_ push: RegistryPush) {
        guard case .deliver(let server, let knock) = push else { return }
        let isFree = state.withLock { state in
            if state.isStopping { return false }
            if state.running[server] != nil {
                state.running[server] = true
                return false
            }
            guard state.running.count < Self.width else {
                if state.waiting.count < Self.limit { state.waiting.append((server, knock)) }
                return false
            }
            state.running[server] = false
            return true
        }
        if isFree { start(server, knock: knock) }
    }

    private func start(_ server: ServerAddress, knock: Bool) {
        let task = Task.immediate { await self.tell(server, knock: knock) }
        // It may be over already.
        state.withLock { state in
            if state.running[server] != nil { state.tasks[server] = task }
        }
    }

    func stop() async {
        let tasks = state.withLock { state in
            state.isStopping = true
            return Array(state.tasks.values)
        }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    private func tell(_ server: ServerAddress, knock: Bool) async {
        var mustKnock = knock
        while true {
            let isDone = await tellOnce(server, knock: mustKnock)
            mustKnock = false
            let isOver = state.withLock { state in
                let isWanted = state.running[server] == true
                if isDone, isWanted, !state.isStopping {
                    state.running[server] = false
                    return false
                }
                state.running[server] = nil
                state.tasks[server] = nil
                return true
            }
            if isOver { return startNext() }
        }
    }

    /// One has ended: the next that waits, and is not being told already, has its turn.
    private func startNext() {
        let next = state.withLock { state -> (server: ServerAddress, knock: Bool)? in
            while !state.isStopping, !state.waiting.isEmpty {
                let next = state.waiting.removeFirst()
                if state.running[next.server] != nil {
                    state.running[next.server] = true
                    continue
                }
                state.running[next.server] = false
                return next
            }
            return nil
        }
        if let next { start(next.server, knock: next.knock) }
    }

    /// Tells all that waits; whether the node took it.
    private func tellOnce(_ server: ServerAddress, knock: Bool) async -> Bool {
        var mustKnock = knock
        do throws(APIError) {
            while true {
                let batch = try await eta.call(
                    RegistryAPI.pendingDeliveries, NoBody(), captures: [server.text], on: loop)
                if batch.items.isEmpty, !mustKnock { return true }
                mustKnock = false
                try await deliver(batch, to: server)
                if batch.items.isEmpty { return true }
            }
        } catch {
            return false
        }
    }

    private func deliver(
        _ batch: DeliveryAPI.Batch, to server: ServerAddress
    ) async throws(APIError) {
        let last = batch.items.last?["id"]?.integerValue
        do throws(APIError) {
            let receipt = try await peers.call(
                DeliveryAPI.deliver, batch, at: server, proof: .required
            ).output
            for refused in receipt.refused.prefix(DeliveryAPI.itemLimit) {
                ambient.log.warning(
                    "a delivery was refused", .peer(server.text), .number("item", refused.id),
                    .number("code", refused.code))
            }
        } catch {
            // A knock that nobody hears is no failure of what waits: there is nothing.
            if last != nil, !Task.isCancelled {
                ambient.log.info(
                    "not delivered", .peer(server.text), .number("code", error.code.rawValue))
                try await settle(batch, server, through: nil)
            }
            throw error
        }
        if let last { try await settle(batch, server, through: last) }
    }

    private func settle(
        _ batch: DeliveryAPI.Batch, _ server: ServerAddress, through last: Int64?
    ) async throws(APIError) {
        let outcome = RegistryAPI.DeliveryOutcome(stream: batch.stream, through: last)
        let _: Nothing = try await eta.call(
            RegistryAPI.settleDeliveries, outcome, captures: [server.text], on: loop)
    }
}
