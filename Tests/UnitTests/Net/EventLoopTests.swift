import Base
import Synchronization
import Testing

@testable import Net

/// An actor whose executor is a loop, as every shell is.
private actor Pinned {
    private let loop: EventLoop
    private(set) var count = 0
    nonisolated var unownedExecutor: UnownedSerialExecutor { unsafe loop.asUnownedSerialExecutor() }

    init(_ loop: EventLoop) { self.loop = loop }

    func add() -> Bool {
        count += 1
        return loop.isCurrent
    }

    func runImmediately(_ order: Lock<[String]>) {
        order.withLock { $0.append("before") }
        Task.immediate {
            order.withLock { $0.append("in") }
            await helper()
            order.withLock { $0.append(self.loop.isCurrent ? "on" : "off") }
        }
        order.withLock { $0.append("after") }
    }

    private nonisolated(nonsending) func helper() async {}
}

/// What is pinned to a loop runs on its thread, in order, and nowhere else.
struct EventLoopTests {
    @Test func `jobs of any thread run on the loop in order`() async throws {
        let group = try EventLoopGroup(count: 1, ambient: .silent())
        defer { group.stop() }
        let loop = group.next()
        let seen = Lock<[Int]>([])
        for number in 0..<100 {
            loop.execute { [loop] in seen.withLock { $0.append(loop.isCurrent ? number : -1) } }
        }
        await withCheckedContinuation { done in loop.execute { done.resume() } }
        #expect(seen.withLock { $0 } == Array(0..<100))
        #expect(!loop.isCurrent)
    }

    @Test func `an actor pinned to a loop always runs on its thread`() async throws {
        let group = try EventLoopGroup(count: 2, ambient: .silent())
        defer { group.stop() }
        for loop in group.loops {
            let actor = Pinned(loop)
            for _ in 0..<50 { #expect(await actor.add()) }
        }
    }

    @Test func `an immediate task inside a pinned actor starts without an enqueue and stays`()
        async throws
    {
        let group = try EventLoopGroup(count: 1, ambient: .silent())
        defer { group.stop() }
        let actor = Pinned(group.next())
        let order = Lock<[String]>([])
        await actor.runImmediately(order)
        _ = await actor.add()
        #expect(order.withLock { $0 } == ["before", "in", "on", "after"])
    }

    @Test func `a timer fires once, not early, and not when it is cancelled`() async throws {
        let group = try EventLoopGroup(count: 1, ambient: .silent())
        defer { group.stop() }
        let loop = group.next()
        let fired = Lock<[String]>([])
        let start = SystemClock().now()
        await withCheckedContinuation { done in
            loop.execute { [loop] in
                let dropped = loop.schedule(after: .milliseconds(5)) {
                    fired.withLock { $0.append("cancelled") }
                }
                _ = loop.schedule(after: .milliseconds(20)) {
                    fired.withLock { $0.append("late") }
                    done.resume()
                }
                _ = loop.schedule(after: .milliseconds(10)) {
                    fired.withLock { $0.append("early") }
                }
                loop.cancel(dropped)
                loop.cancel(dropped)
            }
        }
        #expect(fired.withLock { $0 } == ["early", "late"])
        #expect(SystemClock().now() - start >= .milliseconds(20))
    }

    @Test func `what a job queues waits for the next turn, so that it starves nobody`() async throws
    {
        let group = try EventLoopGroup(count: 1, ambient: .silent())
        defer { group.stop() }
        let loop = group.next()
        let rounds = Atomic<Int>(0)
        // A job that queues itself for ever, and a timer that must get its turn nevertheless.
        @Sendable func again() {
            if rounds.wrappingAdd(1, ordering: .relaxed).newValue < 1_000_000 {
                loop.execute { again() }
            }
        }
        await withCheckedContinuation { done in
            loop.execute { [loop] in
                _ = loop.schedule(after: .milliseconds(1)) {
                    done.resume()
                    rounds.store(1_000_000, ordering: .relaxed)
                }
                again()
            }
        }
    }
}

/// The heap of timers, against a sorted list, for many random orders.
struct TimersTests {
    @Test(arguments: 0..<20) func `jobs come out by deadline and cancelled ones never`(
        seed: Int
    ) {
        let random = SeededRandom(seed: UInt64(seed))
        var timers = Timers()
        let fired = Lock<[Int]>([])
        var wanted: [(UInt64, Int)] = []
        var tokens: [(TimerToken, Int)] = []
        for number in 0..<500 {
            let deadline = UInt64(random.next(below: 1_000)) * 1_000 + UInt64(number)
            let token = timers.add(at: Instant(nanoseconds: deadline)) {
                fired.withLock { $0.append(number) }
            }
            wanted.append((deadline, number))
            tokens.append((token, number))
            if random.next(below: 3) == 0 {
                let (token, victim) = tokens.remove(at: random.next(below: tokens.count))
                timers.cancel(token)
                timers.cancel(token)
                wanted.removeAll { $0.1 == victim }
            }
        }
        let count = timers.count
        let next = timers.next?.nanoseconds
        #expect(count == wanted.count)
        #expect(next == wanted.map(\.0).min())
        while let job = timers.popDue(at: Instant(nanoseconds: 2_000_000)) { job() }
        #expect(fired.withLock { $0 } == wanted.sorted { $0.0 < $1.0 }.map(\.1))
        for (token, _) in tokens { timers.cancel(token) }
        let left = timers.count
        #expect(left == 0)
    }

    @Test func `nothing comes out before its time`() {
        var timers = Timers()
        _ = timers.add(at: Instant(nanoseconds: 100)) {}
        let early = timers.popDue(at: Instant(nanoseconds: 99)) != nil
        let due = timers.popDue(at: Instant(nanoseconds: 100)) != nil
        let again = timers.popDue(at: Instant(nanoseconds: 100)) != nil
        #expect(!early && due && !again)
    }
}
