import Base
import Crypto
import HTTP

/// The connections that one loop keeps to other servers: the shell of `PoolMachine`.
actor ConnectionPool: LoopPinned {
    struct Lease {
        let connection: ClientConnection
        /// It was kept, so that the server may just be closing it.
        let isKept: Bool
    }

    private enum Call {
        case use(Int)
        case open
        case late
    }

    private final class Waiter {
        let place: WaitingPlace
        var call = Call.late
        init(_ place: WaitingPlace) { self.place = place }
    }

    private struct Entry {
        let connection: ClientConnection
        let peer: Peer
        let key: Int
    }

    private let loop: EventLoop
    private let tls: TLSClientConfiguration?
    private let resolver: Resolver
    private let limits: HTTPLimits
    private var machine: PoolMachine<Int>
    private var entries: [Int: Entry] = [:]
    /// The machine knows peers by number, since their names are slow to look up.
    private var keys: [Peer: Int] = [:]
    private var lastPeer: (peer: Peer, key: Int)?
    private var waiting: [Int: Waiter] = [:]
    private var lastNumber = 0
    private var sweep: TimerToken?

    nonisolated var pinnedTo: EventLoop { loop }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe loop.asUnownedSerialExecutor()
    }

    init(
        loop: EventLoop, tls: TLSClientConfiguration?, resolver: Resolver, limits: HTTPLimits,
        pool: PoolMachine<Int>.Limits
    ) {
        self.loop = loop
        self.tls = tls
        self.resolver = resolver
        self.limits = limits
        machine = PoolMachine(limits: pool)
    }

    /// A connection to `peer`, kept or new; to be used at once.
    func lease(
        _ peer: Peer, connect: Duration, fresh: Bool
    ) async throws(ClientError) -> Lease {
        let deadline = loop.now() + connect
        lastNumber += 1
        let ticket = lastNumber
        let key = key(of: peer)
        switch machine.lease(key, ticket: ticket, fresh: fresh) {
        case .use(let number):
            guard let lease = kept(number) else { preconditionFailure("an idle one is not kept") }
            return lease
        case .open(let evicted):
            if let evicted { discard(evicted) }
        case .wait:
            switch await wait(ticket, key, connect) {
            case .use(let number):
                if let lease = kept(number) { return lease }
                // It was closed in the moment it was handed over.
                return try await self.lease(peer, connect: deadline - loop.now(), fresh: true)
            case .open: break
            case .late:
                forget(peer, key)
                throw .timedOut(.connect)
            }
        case .refused:
            forget(peer, key)
            throw .overloaded
        }
        do throws(ClientError) {
            let connection = try await open(peer, deadline: deadline)
            lastNumber += 1
            let number = lastNumber
            entries[number] = Entry(connection: connection, peer: peer, key: key)
            await connection.setOwner(self, number)
            return Lease(connection: connection, isKept: false)
        } catch {
            follow(machine.closed(key))
            forget(peer, key)
            throw error
        }
    }

    /// Sends a request on a connection, kept or, when `fresh`, new; see `HTTPClient.send`.
    func send(
        _ request: ClientRequest, began: Instant, fresh: Bool
    ) async throws(ClientError) -> ClientResponse {
        var fresh = fresh
        while true {
            let lease = try await lease(
                request.peer, connect: request.deadlines.connect, fresh: fresh)
            do throws(ClientError) {
                return try await lease.connection.perform(request, began: began)
            } catch {
                guard error == .closed, lease.isKept, !fresh, request.isRepeatable else {
                    throw error
                }
                fresh = true
            }
        }
    }

    /// The same without a task where an idle connection is kept. On the loop.
    nonisolated func start(
        _ request: ClientRequest, began: Instant,
        done: @escaping @Sendable (Result<ClientResponse, ClientError>) -> Void
    ) -> PendingExchange {
        let pending = PendingExchange()
        onLoop { pool in
            guard let connection = pool.takeIdle(request.peer) else {
                return pool.run(request, began, fresh: false, pending, done)
            }
            connection.start(request, began: began, pending) { result in
                if case .failure(.closed) = result, request.isRepeatable {
                    // It was just being closed as nobody used it.
                    self.onLoop { $0.run(request, began, fresh: true, pending, done) }
                } else {
                    done(result)
                }
            }
        }
        return pending
    }

    private func run(
        _ request: ClientRequest, _ began: Instant, fresh: Bool, _ pending: PendingExchange,
        _ done: @escaping @Sendable (Result<ClientResponse, ClientError>) -> Void
    ) {
        pending.follow(
            Task.immediate {
                do throws(ClientError) {
                    done(.success(try await self.send(request, began: began, fresh: fresh)))
                } catch {
                    done(.failure(error))
                }
            })
    }

    private func takeIdle(_ peer: Peer) -> ClientConnection? {
        guard let number = machine.takeIdle(key(of: peer)) else { return nil }
        return entries[number]?.connection
    }

    /// Connects outside of all caps: for upgrades, whose connections are never kept.
    func open(_ peer: Peer, deadline: Instant) async throws(ClientError) -> ClientConnection {
        if peer.secure, tls == nil { throw .tlsNotConfigured }
        let addresses: [SocketAddress]
        do throws(ResolveError) {
            addresses = try await resolver.resolve(
                peer.host, port: peer.port, deadline: deadline - loop.now(), on: loop)
        } catch {
            throw error == .timedOut ? .timedOut(.connect) : .unresolved(error)
        }
        var failure = ClientError.unresolved(.unknown)
        for (index, address) in addresses.enumerated() {
            // An address that is silent leaves the others some of the time.
            let left = deadline - loop.now()
            let share = left / (addresses.count - index)
            do throws(ClientError) {
                return try await ClientConnection.open(
                    address, tls: peer.secure ? tls : nil, host: peer.host,
                    outbound: peer.outbound, limits: limits, deadline: loop.now() + share, on: loop)
            } catch {
                failure = error
                if error == .cancelled { break }
            }
        }
        throw failure
    }

    private func kept(_ number: Int) -> Lease? {
        guard let entry = entries[number] else { return nil }
        return Lease(connection: entry.connection, isKept: true)
    }

    private func wait(_ ticket: Int, _ key: Int, _ limit: Duration) async -> Call {
        let waiter = Waiter(WaitingPlace(loop))
        waiting[ticket] = waiter
        let timer = loop.schedule(after: limit) { [self] in
            onLoop { pool in
                if pool.machine.giveUp(key, ticket: ticket) { pool.call(ticket, .late) }
            }
        }
        await waiter.place.wait()
        loop.cancel(timer)
        return waiter.call
    }

    private func call(_ ticket: Int, _ call: Call) {
        guard let waiter = waiting.removeValue(forKey: ticket) else { return }
        waiter.call = call
        waiter.place.wake()
    }

    private func follow(_ turn: PoolMachine<Int>.Turn) {
        switch turn {
        case .none: break
        case .hand(let ticket, let connection): call(ticket, .use(connection))
        case .open(let ticket, let evicted):
            if let evicted { discard(evicted) }
            call(ticket, .open)
        }
    }

    private func key(of peer: Peer) -> Int {
        if let lastPeer, lastPeer.peer == peer { return lastPeer.key }
        let key = keys[peer] ?? (lastNumber + 1)
        if key > lastNumber {
            lastNumber = key
            keys[peer] = key
        }
        lastPeer = (peer, key)
        return key
    }

    private func forget(_ peer: Peer, _ key: Int) {
        guard !machine.knows(key) else { return }
        keys[peer] = nil
        if lastPeer?.key == key { lastPeer = nil }
    }

    /// An exchange ended (`wasBusy`), or an idle connection was closed. On the loop.
    nonisolated func connectionIsFree(_ number: Int, wasBusy: Bool, reusable: Bool) {
        onLoop { $0.free(number, wasBusy: wasBusy, reusable: reusable) }
    }

    private func free(_ number: Int, wasBusy: Bool, reusable: Bool) {
        guard let entry = entries[number] else { return }
        if reusable {
            follow(machine.release(entry.key, connection: number, now: loop.now()))
            scheduleSweep()
            return
        }
        entries[number] = nil
        // Not idle, and not busy either: it was just being handed over.
        let turn = wasBusy ? nil : machine.closedIdle(entry.key, connection: number)
        follow(turn ?? machine.closed(entry.key))
        forget(entry.peer, entry.key)
    }

    private func scheduleSweep() {
        guard sweep == nil, let next = machine.nextExpiry else { return }
        sweep = loop.schedule(at: next) { [self] in
            onLoop { pool in
                pool.sweep = nil
                for number in pool.machine.expire(now: pool.loop.now()) { pool.discard(number) }
                pool.scheduleSweep()
            }
        }
    }

    private func discard(_ number: Int) {
        guard let entry = entries.removeValue(forKey: number) else { return }
        forget(entry.peer, entry.key)
        entry.connection.closeNow()
    }

    /// Closes what is idle; for the end of a process.
    func closeIdle() {
        for number in machine.drain() { discard(number) }
    }
}
