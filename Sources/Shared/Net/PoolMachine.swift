import Base

/// Which connection serves whom: leases, idle connections, caps, waiting. Pure: connections and
/// those who wait are numbers here.
struct PoolMachine<Key: Hashable & Sendable>: ~Copyable {
    struct Limits: Sendable {
        var perPeer: Int
        var all: Int
        var waiting: Int
        var idleTime: Duration
    }

    enum Lease: Equatable {
        /// A kept connection.
        case use(Int)
        /// Open one; `evict` must be closed for it.
        case open(evict: Int?)
        /// Wait for `handed` or `mayOpen`.
        case wait
        /// Too many wait.
        case refused
    }

    /// What follows for one of those who wait.
    enum Turn: Equatable {
        case none
        /// It gets this connection.
        case hand(ticket: Int, connection: Int)
        /// It may open one, for which `evict` must be closed.
        case open(ticket: Int, evict: Int?)
    }

    private struct Idle {
        let connection: Int
        let since: Instant
    }

    private struct State {
        /// Leased, idle, or being opened.
        var open = 0
        var idle: [Idle] = []
        var waiting: [Int] = []
        var isEmpty: Bool { open == 0 && waiting.isEmpty }
    }

    private let limits: Limits
    private var peers: [Key: State] = [:]
    private(set) var open = 0
    private var waiting = 0

    init(limits: Limits) { self.limits = limits }

    var idleCount: Int { peers.values.reduce(0) { $0 + $1.idle.count } }

    /// Whether there is anything to remember of that server.
    func knows(_ key: Key) -> Bool { peers[key] != nil }

    /// Somebody wants a connection; `fresh`: not a kept one.
    mutating func lease(_ key: Key, ticket: Int, fresh: Bool) -> Lease {
        if !fresh, let connection = takeIdle(key) { return .use(connection) }
        if peers[key] == nil { peers[key] = State() }
        if let evicted = makeRoom(for: key, fresh: fresh) { return .open(evict: evicted) }
        guard let count = peers[key]?.waiting.count, count < limits.waiting else {
            forget(key)
            return .refused
        }
        peers[key]?.waiting.append(ticket)
        waiting += 1
        return .wait
    }

    /// An idle connection, if there is one: leased from here on.
    mutating func takeIdle(_ key: Key) -> Int? {
        // The one used last is the least likely to be closed just now.
        peers[key]?.idle.popLast()?.connection
    }

    /// A leased connection is free again.
    mutating func release(_ key: Key, connection: Int, now: Instant) -> Turn {
        if let ticket = nextWaiting(key) { return .hand(ticket: ticket, connection: connection) }
        peers[key]?.idle.append(Idle(connection: connection, since: now))
        return turnOfAnother()
    }

    /// A leased connection is closed, or one could not be opened.
    mutating func closed(_ key: Key) -> Turn {
        if let ticket = nextWaiting(key) { return .open(ticket: ticket, evict: nil) }
        drop(key)
        return turnOfAnother()
    }

    /// An idle connection was closed by the other side. Nil: it was not idle.
    mutating func closedIdle(_ key: Key, connection: Int) -> Turn? {
        guard let index = peers[key]?.idle.firstIndex(where: { $0.connection == connection })
        else { return nil }
        peers[key]?.idle.remove(at: index)
        drop(key)
        return turnOfAnother()
    }

    /// Somebody waits no more. False: it was told to go on already.
    mutating func giveUp(_ key: Key, ticket: Int) -> Bool {
        guard let index = peers[key]?.waiting.firstIndex(of: ticket) else { return false }
        peers[key]?.waiting.remove(at: index)
        waiting -= 1
        forget(key)
        return true
    }

    /// When the first idle connection has been so for too long.
    var nextExpiry: Instant? {
        var next: Instant?
        for state in peers.values {
            if let first = state.idle.first { next = earlier(next, first.since + limits.idleTime) }
        }
        return next
    }

    /// Takes out the connections that were idle too long.
    mutating func expire(now: Instant) -> [Int] {
        let idleTime = limits.idleTime
        return takeIdle { $0.since + idleTime <= now }
    }

    /// Takes out all idle connections.
    mutating func drain() -> [Int] { takeIdle { _ in true } }

    private mutating func takeIdle(_ isTaken: (Idle) -> Bool) -> [Int] {
        var taken: [Int] = []
        for key in Array(peers.keys) {
            while let first = peers[key]?.idle.first, isTaken(first) {
                taken.append(first.connection)
                peers[key]?.idle.removeFirst()
                drop(key)
            }
        }
        return taken
    }

    /// Counts one more connection to `key` if the caps, or the end of an idle one, allow it. The
    /// inner nil: none had to go for it.
    private mutating func makeRoom(for key: Key, fresh: Bool) -> Int?? {
        var evicted: Int?
        if let state = peers[key], state.open >= limits.perPeer {
            guard fresh, !state.idle.isEmpty else { return nil }
            evicted = evictOldest(of: key)
        } else if open >= limits.all {
            let oldest = peers.filter { !$0.value.idle.isEmpty }.min {
                ($0.value.idle.first?.since.nanoseconds ?? 0)
                    < ($1.value.idle.first?.since.nanoseconds ?? 0)
            }
            guard let oldest else { return nil }
            evicted = evictOldest(of: oldest.key)
        }
        peers[key, default: State()].open += 1
        open += 1
        return .some(evicted)
    }

    private mutating func evictOldest(of key: Key) -> Int? {
        let evicted = peers[key]?.idle.removeFirst().connection
        drop(key)
        return evicted
    }

    /// A place has become free: one who waits for another server, whom only the cap over all held
    /// up, may have it.
    private mutating func turnOfAnother() -> Turn {
        guard waiting > 0 else { return .none }
        for (key, state) in peers where !state.waiting.isEmpty && state.open < limits.perPeer {
            guard let evicted = makeRoom(for: key, fresh: false), let ticket = nextWaiting(key)
            else { continue }
            return .open(ticket: ticket, evict: evicted)
        }
        return .none
    }

    private mutating func nextWaiting(_ key: Key) -> Int? {
        guard peers[key]?.waiting.isEmpty == false else { return nil }
        waiting -= 1
        return peers[key]?.waiting.removeFirst()
    }

    private mutating func drop(_ key: Key) {
        peers[key]?.open -= 1
        open -= 1
        forget(key)
    }

    private mutating func forget(_ key: Key) {
        if peers[key]?.isEmpty == true { peers[key] = nil }
    }
}
