import Base
import Testing

/// What threads share: the lock excludes, the pool is bounded and ends.
struct ThreadTests {
    @Test func `a lock lets one in at a time`() async throws {
        let lock = Lock(0)
        let pool = BlockingPool(name: "lock-test", threads: 4, queueLimit: 100)
        defer { pool.stop() }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    try await pool.run { for _ in 0..<5_000 { lock.withLock { $0 += 1 } } }
                }
            }
            try await group.waitForAll()
        }
        #expect(lock.withLock { $0 } == 40_000)
    }

    @Test func `a section that throws leaves the lock free`() {
        struct Oops: Error {}
        let lock = Lock(1)
        #expect(throws: Oops.self) { try lock.withLock { _ throws(Oops) in throw Oops() } }
        #expect(lock.withLock { $0 } == 1)
    }

    /// Holds threads until it is opened.
    private final class Door: Sendable {
        private let isOpen = Lock(false)
        func open() { isOpen.withLock { $0 = true } }
        func wait() { while !isOpen.withLock({ $0 }) {} }
    }

    @Test func `work beyond the threads and the queue is refused before it begins`() async {
        let pool = BlockingPool(name: "queue-test", threads: 1, queueLimit: 2)
        let door = Door()
        let done = Lock(0)
        // The thread counts as free from the first moment, whether it runs yet or not.
        for _ in 0..<3 {
            #expect(
                pool.submit {
                    door.wait()
                    done.withLock { $0 += 1 }
                })
        }
        #expect(!pool.submit {})
        await #expect(throws: PoolOverloaded.self) { try await pool.run { 1 } }
        door.open()
        pool.stop()
        #expect(!pool.submit {})
        // What was accepted is done even so.
        while done.withLock({ $0 }) < 3 { await Task.yield() }
    }

    @Test func `an answer comes back, and the work is let go of at once`() async throws {
        final class Held: Sendable {}
        let pool = BlockingPool(name: "held-test", threads: 1, queueLimit: 8)
        defer { pool.stop() }
        weak let seen: Held?
        do {
            let held = Held()
            seen = held
            let isAlive = try await pool.run { withExtendedLifetime(held) { true } }
            #expect(isAlive)
        }
        // The next job begins after the last one was let go of.
        #expect(try await pool.run { 42 } == 42)
        #expect(seen == nil)
    }

    @Test func `a pool that was stopped is freed`() async throws {
        weak let seen: BlockingPool?
        do {
            let pool = BlockingPool(name: "free-test", threads: 3, queueLimit: 8)
            seen = pool
            try await pool.run {}
            pool.stop()
        }
        while seen != nil { await Task.yield() }
    }
}

/// The only queue: it keeps order, has a bound, and holds nothing that was taken.
struct BoundedQueueTests {
    @Test func `what is appended comes out in order, up to the capacity`() {
        var queue = BoundedQueue<Int>(capacity: 3)
        let accepted = (1...4).map { queue.append($0) }
        #expect(accepted == [true, true, true, false] && queue.isFull && queue.count == 3)
        let first = queue.popFirst()
        let again = queue.append(5)
        #expect(first == 1 && again)
        let all = queue.popAll()
        let none = queue.popFirst()
        #expect(all == [2, 3, 5] && queue.isEmpty && none == nil)
        var closed = BoundedQueue<Int>(capacity: 0)
        let refused = !closed.append(1)
        #expect(refused)
    }

    @Test func `it behaves as an array does over a random life`() {
        let random = SeededRandom(seed: 12)
        var queue = BoundedQueue<Int>(capacity: 3_000)
        var model: [Int] = []
        for round in 0..<40_000 {
            // Waves, so that the ring grows, wraps and empties.
            if random.next(below: 100) < (round / 5_000 % 2 == 0 ? 70 : 30) {
                let accepted = queue.append(round)
                #expect(accepted == (model.count < 3_000))
                if accepted { model.append(round) }
            } else {
                let taken = queue.popFirst()
                #expect(taken == (model.isEmpty ? nil : model.removeFirst()))
            }
            #expect(queue.count == model.count)
        }
        let rest = queue.popAll()
        #expect(rest == model)
    }

    @Test func `what was taken is let go of`() {
        final class Held {}
        var queue = BoundedQueue<Held>(capacity: 10)
        weak var seen: Held?
        do {
            let held = Held()
            seen = held
            _ = queue.append(held)
            _ = queue.append(Held())
        }
        _ = queue.popFirst()
        #expect(seen == nil && queue.count == 1)
    }
}
