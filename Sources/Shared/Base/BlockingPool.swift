import Glibc

/// Thrown in place of work that a full pool would only have put off. Answered as 70.
public struct PoolOverloaded: Error {
    /// The only value.
    public init() {}
}

/// A few threads for what may block: password hashes, disk, name resolution.
///
/// The queue in front of it is bounded: beyond it work is refused before it is begun.
@safe public final class BlockingPool: @unchecked Sendable {
    // SAFETY: the pthread objects are allocated here and live as long as the process's pools,
    // which are never freed while a thread runs: each thread holds a reference to its pool.
    private struct State {
        // Bounded by `submit`, which counts the free threads in.
        var jobs = BoundedQueue<@Sendable () -> Void>(capacity: .max)
        var busy = 0
        var stopping = false
    }

    private let mutex: UnsafeMutablePointer<pthread_mutex_t>
    private let wake: UnsafeMutablePointer<pthread_cond_t>
    private var state = State()
    private let threads: Int
    private let queueLimit: Int
    /// The pool's name, which its threads carry.
    public let name: String

    /// A pool of `threads` threads (lowered in priority by `niceness`) before which at most
    /// `queueLimit` jobs wait.
    public init(name: String, threads: Int, queueLimit: Int, niceness: Int32 = 0) {
        self.name = name
        self.threads = threads
        self.queueLimit = queueLimit
        unsafe mutex = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe pthread_mutex_init(mutex, nil)
        unsafe wake = .allocate(capacity: 1)
        unsafe wake.initialize(to: pthread_cond_t())
        unsafe pthread_cond_init(wake, nil)
        for _ in 0..<threads { start(niceness) }
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
        unsafe pthread_cond_destroy(wake)
        unsafe wake.deallocate()
    }

    /// Does `work` on one of the threads and comes back to the caller's executor.
    public func run<Result: Sendable>(
        _ work: @escaping @Sendable () -> Result
    ) async throws(PoolOverloaded) -> Result {
        let answer: Result? = await withCheckedContinuation { continuation in
            let accepted = submit { continuation.resume(returning: work()) }
            if !accepted { continuation.resume(returning: nil) }
        }
        guard let answer else { throw PoolOverloaded() }
        return answer
    }

    /// Queues `job` without waiting for it; false when the queue is full or the pool stops.
    public func submit(_ job: @escaping @Sendable () -> Void) -> Bool {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        guard !state.stopping, state.jobs.count + state.busy - threads < queueLimit,
            state.jobs.append(job)
        else { return false }
        unsafe pthread_cond_signal(wake)
        return true
    }

    /// How many jobs wait for a thread.
    public var waiting: Int {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return state.jobs.count
    }

    /// Ends the threads once the queue is empty; what is submitted from now on is refused.
    public func stop() {
        unsafe pthread_mutex_lock(mutex)
        state.stopping = true
        unsafe pthread_cond_broadcast(wake)
        unsafe pthread_mutex_unlock(mutex)
    }

    private func start(_ niceness: Int32) {
        var thread = pthread_t()
        let context = unsafe Unmanaged.passRetained(Start(pool: self, niceness: niceness))
        let result = unsafe pthread_create(
            &thread, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                // Niceness is per thread on Linux, whatever POSIX says of it.
                if start.niceness != 0 { _ = nice(start.niceness) }
                nameThread(start.pool.name)
                start.pool.work()
                return nil
            }, context.toOpaque())
        precondition(result == 0, "cannot start a thread: \(result)")
        pthread_detach(thread)
    }

    private final class Start {
        let pool: BlockingPool
        let niceness: Int32
        init(pool: BlockingPool, niceness: Int32) {
            self.pool = pool
            self.niceness = niceness
        }
    }

    private func work() {
        var finished = false
        while runNext(finished) { finished = true }
    }

    /// A function of its own, so that a job and all that it holds is let go of before the thread
    /// waits for the next.
    private func runNext(_ finished: Bool) -> Bool {
        guard let job = next(finished) else { return false }
        job()
        return true
    }

    private func next(_ finished: Bool) -> (@Sendable () -> Void)? {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        if finished { state.busy -= 1 }
        while state.jobs.isEmpty {
            if state.stopping { return nil }
            unsafe pthread_cond_wait(wake, mutex)
        }
        state.busy += 1
        return state.jobs.popFirst()
    }
}

/// Gives the calling thread the name that `top` and debuggers show; Glibc's module lacks the call.
private func nameThread(_ name: String) {
    guard let file = unsafe fopen("/proc/thread-self/comm", "w") else { return }
    unsafe fputs(String(name.prefix(15)), file)
    unsafe fclose(file)
}
