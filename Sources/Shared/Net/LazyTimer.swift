import Base

/// One deadline that moves often: a timer that is set already fires early and is then set anew,
/// so that a busy connection touches no timer at all. Whoever has it looks at its deadlines itself.
struct LazyTimer {
    private var token: TimerToken?
    private var due = Instant(nanoseconds: 0)

    /// Whether a timer has to be set for `deadline`.
    func isLate(for deadline: Instant?) -> Bool {
        guard let deadline else { return false }
        return token == nil || deadline < due
    }

    /// Sets the timer, in place of the one that is set.
    mutating func arm(
        _ deadline: Instant?, on loop: EventLoop, _ job: @escaping @Sendable () -> Void
    ) {
        guard let deadline else { return }
        disarm(on: loop)
        due = deadline
        token = loop.schedule(at: deadline, job)
    }

    /// To be called first by the job.
    mutating func fired() { token = nil }

    /// Forgets the timer.
    mutating func disarm(on loop: EventLoop) {
        if let token { loop.cancel(token) }
        token = nil
    }
}

/// The earlier of two moments, where the first may be missing.
func earlier(_ a: Instant?, _ b: Instant) -> Instant {
    if let a, a < b { return a }
    return b
}
