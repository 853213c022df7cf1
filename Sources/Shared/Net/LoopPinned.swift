import Base

/// An actor whose executor is a loop.
protocol LoopPinned: Actor {
    nonisolated var pinnedTo: EventLoop { get }
}

extension LoopPinned {
    /// Enters the actor from its loop's thread: `assumeIsolated` with a check that costs a
    /// nanosecond. The runtime's own asks first whether this is the main actor, and what task runs.
    // SAFETY: both function types are called alike, as the library's own `assumeIsolated` counts
    // on; that the caller is on the actor's executor is checked.
    nonisolated func onLoop<Result>(_ body: (isolated Self) throws -> Result) rethrows -> Result {
        precondition(pinnedTo.isCurrent, "entered from another thread")
        return try withoutActuallyEscaping(body) { body in
            let entered = unsafe unsafeBitCast(body, to: ((Self) throws -> Result).self)
            return try entered(self)
        }
    }
}
