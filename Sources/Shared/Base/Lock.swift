import Glibc

/// Guards a value that several threads share, for sections of a few instructions.
///
/// Over a pthread mutex, since the thread sanitizer does not know the futex of
/// `Synchronization.Mutex` and reports each use of it as a race.
@safe public final class Lock<State>: @unchecked Sendable {
    // SAFETY: `state` is touched between lock and unlock of `mutex` alone; both pointers are
    // allocated here, never handed out, and freed when nobody holds the lock any more.
    @usableFromInline let mutex: UnsafeMutablePointer<pthread_mutex_t>
    @usableFromInline let state: UnsafeMutablePointer<State>

    /// A lock around `value`.
    public init(_ value: sending State) {
        unsafe mutex = .allocate(capacity: 1)
        unsafe mutex.initialize(to: pthread_mutex_t())
        unsafe pthread_mutex_init(mutex, nil)
        unsafe state = .allocate(capacity: 1)
        unsafe state.initialize(to: value)
    }

    deinit {
        unsafe pthread_mutex_destroy(mutex)
        unsafe mutex.deallocate()
        unsafe state.deinitialize(count: 1)
        unsafe state.deallocate()
    }

    /// Runs `body` alone with the value. Never call out of the section, never wait in it.
    @inlinable public func withLock<Result, Failure: Error>(
        _ body: (inout State) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return try unsafe body(&state.pointee)
    }
}
