import Base
import Testing

@testable import Net

/// Who gets which connection: caps, order of waiting, idle ones, without a socket.
struct PoolMachineTests {
    private func machine(
        perPeer: Int = 2, all: Int = 3, waiting: Int = 2
    ) -> PoolMachine<String> {
        PoolMachine(
            limits: .init(perPeer: perPeer, all: all, waiting: waiting, idleTime: .seconds(30)))
    }
    private let start = Instant(nanoseconds: 0)

    @Test func `the connection used last is used again, unless a fresh one is asked for`() {
        var pool = machine()
        var leases = [
            pool.lease("a", ticket: 1, fresh: false), pool.lease("a", ticket: 2, fresh: false),
        ]
        #expect(leases == [.open(evict: nil), .open(evict: nil)])
        var turns = [
            pool.release("a", connection: 10, now: start),
            pool.release("a", connection: 11, now: start + .seconds(1)),
        ]
        #expect(turns == [.none, .none])
        leases = [pool.lease("a", ticket: 3, fresh: false)]
        #expect(leases == [.use(11)])
        // At the cap a fresh one takes the place of an idle one.
        leases = [pool.lease("a", ticket: 4, fresh: true)]
        #expect(leases == [.open(evict: 10)])
        turns = [pool.closed("a"), pool.closed("a")]
        #expect(turns == [.none, .none])
        let open = pool.open
        #expect(open == 0)
    }

    @Test func `beyond the cap one waits, in order, and beyond that is refused`() {
        var pool = machine()
        let leases = (1...5).map { pool.lease("a", ticket: $0, fresh: false) }
        #expect(leases == [.open(evict: nil), .open(evict: nil), .wait, .wait, .refused])
        let handed = pool.release("a", connection: 7, now: start)
        #expect(handed == .hand(ticket: 3, connection: 7))
        let opened = pool.closed("a")
        #expect(opened == .open(ticket: 4, evict: nil))
        let none = pool.closed("a")
        #expect(none == .none)
    }

    @Test func `the cap over all servers takes from those that are idle`() {
        var pool = machine()
        _ = pool.lease("a", ticket: 1, fresh: false)
        _ = pool.lease("a", ticket: 2, fresh: false)
        _ = pool.lease("b", ticket: 3, fresh: false)
        let full = pool.lease("c", ticket: 4, fresh: false)
        #expect(full == .wait)
        let gone = pool.giveUp("c", ticket: 4)
        let twice = pool.giveUp("c", ticket: 4)
        #expect(gone && !twice)
        _ = pool.release("b", connection: 5, now: start)
        let made = pool.lease("c", ticket: 6, fresh: false)
        #expect(made == .open(evict: 5))
        let open = pool.open
        #expect(open == 3)
    }

    @Test func `whom only the cap over all holds up gets the first place that is free`() {
        var pool = machine(perPeer: 2, all: 1)
        _ = pool.lease("a", ticket: 1, fresh: false)
        let waits = pool.lease("b", ticket: 2, fresh: false)
        #expect(waits == .wait)
        let turn = pool.release("a", connection: 9, now: start)
        #expect(turn == .open(ticket: 2, evict: 9))
        _ = pool.lease("c", ticket: 3, fresh: false)
        let other = pool.closed("b")
        #expect(other == .open(ticket: 3, evict: nil))
    }

    @Test func `idle connections go after their time, and when the server closes them`() {
        var pool = machine(perPeer: 3)
        for ticket in 1...3 { _ = pool.lease("a", ticket: ticket, fresh: false) }
        for number in 1...3 {
            _ = pool.release("a", connection: number, now: start + .seconds(number))
        }
        let next = pool.nextExpiry
        #expect(next == start + .seconds(31))
        let expired = pool.expire(now: start + .seconds(32))
        #expect(expired == [1, 2])
        let closed = pool.closedIdle("a", connection: 3)
        let again = pool.closedIdle("a", connection: 3)
        #expect(closed == PoolMachine<String>.Turn.none && again == nil)
        let open = pool.open
        #expect(open == 0)
        let none = pool.nextExpiry
        #expect(none == nil)
    }

    @Test(arguments: 0..<20) func `random use never exceeds a cap nor loses a place`(seed: Int) {
        let random = SeededRandom(seed: UInt64(seed))
        var pool = machine(perPeer: 3, all: 7, waiting: 4)
        let keys = ["a", "b", "c", "d"]
        var leased: [(String, Int)] = []
        var idle: [Int: String] = [:]
        var waiting: [Int: String] = [:]
        var number = 0
        func follow(_ turn: PoolMachine<String>.Turn) {
            switch turn {
            case .none: break
            case .hand(let ticket, let connection):
                guard let key = waiting.removeValue(forKey: ticket) else {
                    Issue.record("told twice")
                    return
                }
                leased.append((key, connection))
            case .open(let ticket, let evicted):
                if let evicted { #expect(idle.removeValue(forKey: evicted) != nil) }
                guard let key = waiting.removeValue(forKey: ticket) else {
                    Issue.record("told twice")
                    return
                }
                number += 1
                leased.append((key, number))
            }
        }
        for step in 0..<2_000 {
            let key = keys[random.next(below: keys.count)]
            switch random.next(below: 3) {
            case 0:
                number += 1
                switch pool.lease(key, ticket: number, fresh: random.next(below: 5) == 0) {
                case .use(let connection):
                    #expect(idle.removeValue(forKey: connection) == key)
                    leased.append((key, connection))
                case .open(let evicted):
                    if let evicted { #expect(idle.removeValue(forKey: evicted) != nil) }
                    leased.append((key, number))
                case .wait: waiting[number] = key
                case .refused: break
                }
            case 1 where !leased.isEmpty:
                let (key, connection) = leased.remove(at: random.next(below: leased.count))
                let turn = pool.release(
                    key, connection: connection, now: start + .milliseconds(step))
                if case .hand = turn {} else { idle[connection] = key }
                follow(turn)
            case 2 where !leased.isEmpty:
                let (key, _) = leased.remove(at: random.next(below: leased.count))
                follow(pool.closed(key))
            default: break
            }
            let (open, idleCount) = (pool.open, pool.idleCount)
            #expect(open == leased.count + idle.count && open <= 7)
            #expect(idleCount == idle.count)
            // Nobody waits while there is a place.
            for key in waiting.values {
                #expect(open - idleCount == 7 || leased.count { $0.0 == key } == 3)
            }
            for key in keys {
                #expect(leased.count { $0.0 == key } + idle.values.count { $0 == key } <= 3)
            }
        }
    }
}
