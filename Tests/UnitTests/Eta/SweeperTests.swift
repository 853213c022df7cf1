import Base
import Domain
import Net
import Support
import Testing

@testable import Eta

/// What is done again and again.
struct SweeperTests {
    @Test func `a job that takes long, or fails, keeps no other from its turn`() async throws {
        let sweeper = Sweeper(.silent(), on: TestLoops.group.loops[0])
        let (turns, isReleased, long) = (Lock(0), Lock(false), Lock(0))
        sweeper.every(.milliseconds(1), "long") { () async throws(APIError) in
            long.withLock { $0 += 1 }
            while !isReleased.withLock({ $0 }) { await TestLoops.pause(.milliseconds(1)) }
        }
        sweeper.every(.milliseconds(1), "failing") { () async throws(APIError) in
            turns.withLock { $0 += 1 }
            throw .internalError("a full disk")
        }
        let running = Task { await sweeper.run() }
        try await Eventually.holds { turns.withLock { $0 } >= 3 }
        #expect(long.withLock { $0 } == 1)
        isReleased.withLock { $0 = true }
        try await Eventually.holds { long.withLock { $0 } >= 2 }
        await sweeper.stop()
        await running.value
    }
}
