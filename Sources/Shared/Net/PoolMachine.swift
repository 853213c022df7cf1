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
        /// It may open one.
        case open(ticket: Int)
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

    init(limits: Limits) { self.limits = limits }

    var idleCount: Int { peers.values.reduce(0) { $0 + $1.idle.count } }

    /// Somebody wants a connection; `fresh`: not a kept one.
    mutating func lease(_ key: Key, ticket: Int, fresh: Bool) -> Lease {
        var state = peers[key] ?? State()
        defer { peers[key] = state.isEmpty ? nil : state }
        // The one used last is the least likely to be closed just now.
        if !fresh, let idle = state.idle.popLast() { return .use(idle.connection) }
        var evicted: Int?
        if state.open >= limits.perPeer {
            if fresh, !state.idle.isEmpty {
                evicted = state.idle.removeFirst().connection
                state.open -= 1
                open -= 1
            }
        } else if open >= limits.all {
            evicted = evictOldest()
        }
        if state.open < limits.perPeer, open < limits.all {
            state.open += 1
            open += 1
            return .open(evict: evicted)
        }
        guard state.waiting.count < limits.waiting else { return .refused }
        state.waiting.append(ticket)
        return .wait
    }

    /// A leased connection is free again.
    mutating func release(_ key: Key, connection: Int, now: Instant) -> Turn {
        guard var state = peers[key] else { return .none }
        defer { peers[key] = state }
        guard state.waiting.isEmpty else {
            return .hand(ticket: state.waiting.removeFirst(), connection: connection)
        }
        state.idle.append(Idle(connection: connection, since: now))
        return .none
    }

    /// A leased connection is closed, or one could not be opened.
    mutating func closed(_ key: Key) -> Turn {
        guard var state = peers[key] else { return .none }
        defer { peers[key] = state.isEmpty ? nil : state }
        guard state.waiting.isEmpty else { return .open(ticket: state.waiting.removeFirst()) }
        state.open -= 1
        open -= 1
        return .none
    }

    /// An idle connection was closed by the other side. False: it was not idle.
    mutating func closedIdle(_ key: Key, connection: Int) -> Bool {
        guard var state = peers[key],
            let index = state.idle.firstIndex(where: { $0.connection == connection })
        else { return false }
        state.idle.remove(at: index)
        state.open -= 1
        open -= 1
        peers[key] = state.isEmpty ? nil : state
        return true
    }

    /// Somebody waits no more. False: it was told to go on already.
    mutating func giveUp(_ key: Key, ticket: Int) -> Bool {
        guard let index = peers[key]?.waiting.firstIndex(of: ticket) else { return false }
        peers[key]?.waiting.remove(at: index)
        if peers[key]?.isEmpty == true { peers[key] = nil }
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
        for (key, var state) in peers {
            let count = state.idle.prefix(while: isTaken).count
            taken += state.idle.prefix(count).map(\.connection)
            state.idle.removeFirst(count)
            state.open -= count
            open -= count
            peers[key] = state.isEmpty ? nil : state
        }
        return taken
    }

    private mutating func evictOldest() -> Int? {
        let oldest = peers.filter { !$0.value.idle.isEmpty }.min {
            ($0.value.idle.first?.since.nanoseconds ?? 0)
                < ($1.value.idle.first?.since.nanoseconds ?? 0)
        }
        guard let (key, value) = oldest else { return nil }
        var state = value
        let connection = state.idle.removeFirst().connection
        state.open -= 1
        open -= 1
        peers[key] = state.isEmpty ? nil : state
        return connection
    }
}
