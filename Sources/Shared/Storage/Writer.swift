import Base

/// Takes acts from all threads and writes them on one, many to a transaction.
///
/// While a transaction is being synced to disk the next acts gather; they are written together
/// and synced once. Each is a savepoint, so that one that fails takes none with it, and each is
/// answered only after the commit it is in.
final class Writer: Sendable {
    /// More would make the first of them wait too long for its answer.
    private static let groupLimit = 256
    /// Pages in the log at which they are moved into the database, as SQLite itself has it.
    private static let checkpointFrames = 1_000

    private struct State {
        var waiting: BoundedQueue<any Act>
        var isRunning = false
        var isClosed = false
    }

    private let state: Lock<State>
    private let connection: Connection
    /// Behind the job that runs there may be its successor, and what closes.
    private let thread = BlockingPool(name: "writer", threads: 1, queueLimit: 2)
    private let log: Log
    private let clock: any ClockSource
    private let acts: Counter
    private let commits: Histogram

    init(_ connection: Connection, queueLimit: Int, ambient: Ambient) {
        self.connection = connection
        let state = Lock(State(waiting: BoundedQueue(capacity: queueLimit)))
        self.state = state
        ambient.metrics.depth(ofQueue: "writer") { state.withLock { $0.waiting.count } }
        log = ambient.log
        clock = ambient.clock
        acts = ambient.metrics.counter(
            "reileta_database_acts_total", help: "Acts written to the database")
        commits = ambient.metrics.histogram(
            "reileta_database_commit_seconds", help: "Time of a group of acts with its sync")
    }

    /// Queues an act; nil, or why it is refused.
    func submit(_ act: any Act) -> DatabaseError? {
        let (refusal, start) = state.withLock { state -> (DatabaseError?, Bool) in
            if state.isClosed { return (.closed, false) }
            if !state.waiting.append(act) { return (.overloaded, false) }
            defer { state.isRunning = true }
            return (nil, !state.isRunning)
        }
        if start, !thread.submit({ self.drain() }) {
            // Closed since we looked: nobody will write what is queued.
            while let group = nextGroup() { for act in group { act.finish(.closed) } }
        }
        return refusal
    }

    /// Refuses what comes from now on; what is queued is still written.
    func close() {
        state.withLock { $0.isClosed = true }
        thread.stop()
    }

    /// The same, and moves the log into the database behind it. `done` is called after that.
    func close(_ done: @escaping @Sendable () -> Void) {
        state.withLock { $0.isClosed = true }
        let isFirst = thread.submit {
            self.tend { () throws(DatabaseError) in try self.connection.emptyLog() }
            done()
        }
        thread.stop()
        if !isFirst { done() }
    }

    private func drain() {
        while let group = nextGroup() {
            let start = clock.now()
            write(group)
            commits.observe(clock.now() - start)
            acts.add(UInt64(group.count))
            if connection.framesInLog >= Self.checkpointFrames {
                tend { () throws(DatabaseError) in try connection.checkpoint() }
            }
        }
    }

    /// Moves the log. What is written is durable without it, but the log grows until it works
    /// again, which the operator has to know; that somebody reads is no fault.
    private func tend(_ move: () throws(DatabaseError) -> Void) {
        do throws(DatabaseError) {
            try move()
        } catch {
            if error != .busy {
                log.error("the database's log cannot be moved into it", .reason("\(error)"))
            }
        }
    }

    private func nextGroup() -> [any Act]? {
        state.withLock { state in
            var group: [any Act] = []
            while group.count < Self.groupLimit, let act = state.waiting.popFirst() {
                group.append(act)
            }
            state.isRunning = !group.isEmpty
            return group.isEmpty ? nil : group
        }
    }

    /// Writes the acts in one transaction, or in more where SQLite itself gives one up.
    private func write(_ group: [any Act]) {
        var next = 0
        while next < group.count {
            let first = next
            var outcome: DatabaseError?
            do {
                try connection.begin()
                while next < group.count {
                    next += 1
                    try write(group[next - 1])
                }
                try connection.commit()
            } catch {
                connection.rollback()
                log.error("a group of writes failed", .reason("\(error)"))
                outcome = error
                // Without a transaction no act was begun, and none of the others will be luckier.
                if next == first { next = group.count }
            }
            for act in group[first..<next] { act.finish(outcome) }
        }
    }

    /// Throws only when the transaction is lost, and with it all acts so far.
    private func write(_ act: any Act) throws(DatabaseError) {
        try connection.savepoint()
        let isKept = act.run(connection)
        guard connection.isInTransaction else { throw connection.lastFailure ?? .diskFull }
        if isKept, connection.hasDanglingReferences {
            act.refuse(.constraint(ConstraintViolation(kind: .foreignKey)))
            try connection.rollbackToSavepoint()
        } else if isKept {
            try connection.release()
        } else {
            try connection.rollbackToSavepoint()
        }
    }
}

/// One queued act, whatever it answers.
protocol Act: AnyObject, Sendable {
    /// Does it; false when it is to be undone.
    func run(_ connection: Connection) -> Bool
    /// Replaces its answer.
    func refuse(_ error: DatabaseError)
    /// Sends its answer, or the error by which its commit failed.
    func finish(_ error: DatabaseError?)
}

/// An act with the answer that waits for its commit.
final class WriteAct<Answer: Sendable, Failure: DatabaseFailure>: Act, @unchecked Sendable {
    // SAFETY: made by the caller, then touched by the writer's thread alone; the writer's lock
    // orders the two.
    private let body: @Sendable (borrowing Transaction<Failure>) throws(Failure) -> Answer
    private let continuation: CheckedContinuation<Result<Answer, Failure>, Never>
    private var answer: Result<Answer, Failure>?
    private var sequels: CommitSequels?

    init(
        _ continuation: CheckedContinuation<Result<Answer, Failure>, Never>,
        _ body: @escaping @Sendable (borrowing Transaction<Failure>) throws(Failure) -> Answer
    ) {
        self.continuation = continuation
        self.body = body
    }

    func run(_ connection: Connection) -> Bool {
        let sequels = CommitSequels()
        do {
            answer = .success(try body(Transaction(connection, sequels)))
            self.sequels = sequels
            return true
        } catch {
            answer = .failure(error)
            return false
        }
    }

    func refuse(_ error: DatabaseError) {
        answer = .failure(Failure(error))
        sequels = nil
    }

    func finish(_ error: DatabaseError?) {
        if let error { refuse(error) }
        for body in sequels?.bodies ?? [] { body() }
        continuation.resume(returning: answer ?? .failure(Failure(.closed)))
    }
}
