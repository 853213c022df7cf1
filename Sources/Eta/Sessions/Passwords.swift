import Base
import Crypto
import Domain

/// Hashes passwords and compares them, on threads of its own: a hash takes a quarter of a second
/// of a core.
public final class Passwords: Sendable {
    private let pool: BlockingPool
    private let logN: Int

    /// The memory that a queue may come to, at 32 MiB a thread, is that of the threads alone; what
    /// would wait longer than some seconds is refused instead.
    private static let queueLimit = 32

    /// A pool of so many threads, which come behind all other work of the machine.
    public init(logN: Int, threads: Int, metrics: Metrics) {
        self.logN = logN
        pool = BlockingPool(
            name: "scrypt", threads: threads, queueLimit: Self.queueLimit, niceness: 10)
        metrics.depth(of: pool)
    }

    deinit { pool.stop() }

    /// A hash to store.
    ///
    /// - Throws: 70 when too many wait.
    public func hash(_ password: Secret) async throws(APIError) -> String {
        let logN = logN
        do {
            return try await pool.run { PasswordHash.make(password, logN: logN) }
        } catch { throw .overloaded(context: "password hashes") }
    }

    /// Compares an attempt with what is stored; with nothing it takes as long and is wrong.
    ///
    /// - Throws: 70 when too many wait.
    public func verify(
        _ attempt: Secret, against encoded: String?
    ) async throws(APIError) -> PasswordHash.Verification {
        let logN = logN
        do {
            return try await pool.run {
                PasswordHash.verify(attempt, against: encoded, logN: logN)
            }
        } catch { throw .overloaded(context: "password hashes") }
    }
}
