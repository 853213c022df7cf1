import Base
import CLinux
import Glibc
import Testing

@testable import Net

extension BlockingPool {
    /// Runs blocking work of a test off the threads that the tests themselves share.
    static func once(_ work: @escaping @Sendable () -> Void) async {
        let pool = BlockingPool(name: "test", threads: 1, queueLimit: 1)
        do throws(PoolOverloaded) {
            try await pool.run(work)
        } catch {
            Issue.record("the test's own pool is full")
        }
        pool.stop()
    }
}

enum Eventually {
    /// Waits for a condition, ten seconds at most.
    static func holds(_ condition: () -> Bool) async throws {
        for _ in 0..<10_000 {
            if condition() { return }
            await BlockingPool.once { usleep(1_000) }
        }
        Issue.record("it never came true")
    }

    /// Waits until a number above zero has stopped to grow.
    static func settles(_ number: () -> Int) async throws {
        var last = -1
        var unchanged = 0
        try await holds {
            let now = number()
            unchanged = now > 0 && now == last ? unchanged + 1 : 0
            last = now
            return unchanged >= 100
        }
    }
}

/// A file without a name.
final class TemporaryFile: OpenFile {
    let descriptor: Int32
    let size: Int64

    init(_ content: [UInt8]) throws {
        let path = "/tmp/reileta-test-\(SystemRandom().next())"
        descriptor = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode_t(0o600))
        guard descriptor >= 0 else { throw SystemError(reileta_errno(), "open") }
        unsafe unlink(path)
        size = Int64(content.count)
        let written = unsafe content.withUnsafeBytes { bytes in
            unsafe write(descriptor, bytes.baseAddress, bytes.count)
        }
        precondition(written == content.count, "the test's disk is full")
    }

    deinit { close(descriptor) }
}
