/// Names one scheduled job of a loop; meaningless to any other loop.
public struct TimerToken: Sendable, Hashable {
    /// The loop's own number for it.
    public let number: UInt64

    /// The token that a loop hands out as `number`.
    public init(number: UInt64) { self.number = number }
}

/// One thread that runs jobs in order, as the machines' shells see it: the real loop waits in
/// epoll, a simulated one turns a virtual clock.
public protocol LoopExecutor: SerialExecutor {
    /// Runs `job` on the loop, after what is queued already; callable from any thread.
    func execute(_ job: @escaping @Sendable () -> Void)

    /// Runs `job` on the loop once `delay` has passed; callable on the loop alone.
    func schedule(after delay: Duration, _ job: @escaping @Sendable () -> Void) -> TimerToken

    /// Forgets a scheduled job; one that has run, or is forgotten already, is no mistake.
    func cancel(_ token: TimerToken)

    /// Whether the caller is on the loop's thread.
    var isCurrent: Bool { get }

    /// The monotonic clock, as of the loop's current turn.
    func now() -> Instant
}

extension LoopExecutor {
    /// Runs `job` once `delay` has passed; callable from any thread.
    public func after(_ delay: Duration, _ job: @escaping @Sendable () -> Void) {
        execute { _ = self.schedule(after: delay, job) }
    }

    /// Comes back once `delay` has passed; callable from any thread.
    public func pause(for delay: Duration) async {
        await withCheckedContinuation { continuation in
            after(delay) { continuation.resume() }
        }
    }
}
