import Base

/// Where one task at a time waits for something that happens on its loop.
///
/// A continuation would do the same, but the runtime resumes those on the global pool, from which
/// they hop back to their actor: two changes of threads for each wait, dearer than the request that
/// waits. Here waiting is a hop to an executor that keeps the job, and `wake` gives it to the loop.
@safe actor WaitingPlace: SerialExecutor {
    // SAFETY: `job` is touched on the loop alone: a task that waits here runs there, and whoever
    // wakes it does too. Each job is kept once and given to the loop once.
    private nonisolated let loop: EventLoop
    private nonisolated(unsafe) var job: UnownedJob?
    /// How often somebody has waited here.
    private var waits = 0

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe UnownedSerialExecutor(ordinary: self)
    }

    init(_ loop: EventLoop) { self.loop = loop }

    nonisolated func enqueue(_ job: consuming ExecutorJob) {
        precondition(loop.isCurrent, "a wait outside of the loop")
        precondition(unsafe self.job == nil, "two tasks wait at one place")
        unsafe self.job = UnownedJob(job)
    }

    /// Waits for `wake`; from a task of the loop only.
    ///
    /// It must touch the actor's state: built in release, a hop to an executor on which nothing
    /// happens is optimised away, and nobody would wait.
    @inline(never)
    func wait() { waits &+= 1 }

    /// Whether somebody waits.
    nonisolated var isTaken: Bool { unsafe job != nil }

    /// Lets who waits go on in the loop's current turn; nothing if nobody does.
    nonisolated func wake() {
        guard let waiting = unsafe job else { return }
        unsafe job = nil
        loop.resume(waiting)
    }
}
