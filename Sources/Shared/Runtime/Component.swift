import Base

/// A part of a process that lives as long as the process: a server, a link, a sweeper.
public protocol Component: Sendable {
    /// Its name in the log.
    var name: String { get }
    /// How long `stop` may take.
    var stopLimit: Duration { get }
    /// Returns when it does its work; what is started after it may count on it.
    func start() async throws
    /// Its work, where that is a loop: what it throws stops the process, returning does not.
    func run() async throws
    /// Finishes what is begun and ends `run`.
    func stop() async
}

extension Component {
    /// Ten seconds: the time in which requests finish (docs/operate/README.md).
    public var stopLimit: Duration { .seconds(10) }
    /// Nothing to start.
    public func start() async throws {}
    /// Nothing to run.
    public func run() async throws {}
    /// Nothing to stop.
    public func stop() async {}
}

/// A fault that ends the process with exit 1, and what an operator can do about it.
public struct Fault: Error, Sendable, Equatable {
    /// What is wrong.
    public let what: String
    /// What to do.
    public let remedy: String

    /// Both are half sentences: `what: remedy`.
    public init(_ what: String, remedy: String) {
        self.what = what
        self.remedy = remedy
    }

    /// The one line to print.
    public var line: String { "\(what): \(remedy)" }
}

/// Something that is asked for once, and awaited by many: the end of the process.
public final class StopRequest: Sendable {
    private struct State {
        var isMade = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Lock(State())

    /// Not made yet.
    public init() {}

    /// Whether it was made.
    public var isMade: Bool { state.withLock(\.isMade) }

    /// Makes it; the second time changes nothing.
    public func make() {
        let waiting = state.withLock { state in
            defer { state.waiting = [] }
            state.isMade = true
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }

    /// Returns once it is made.
    public func wait() async {
        await withCheckedContinuation { continuation in
            let made = state.withLock { state in
                if !state.isMade { state.waiting.append(continuation) }
                return state.isMade
            }
            if made { continuation.resume() }
        }
    }
}

/// The components of a process: started in order, stopped in reverse.
public struct ComponentGroup: Sendable {
    private let components: [any Component]
    private let log: Log
    private let loop: any LoopExecutor

    /// Of `components`, the first of which is what the others stand on; `loop` keeps the time.
    public init(_ components: [any Component], loop: any LoopExecutor, log: Log) {
        self.components = components
        self.loop = loop
        self.log = log
    }

    /// The longest that stopping takes.
    public var stopLimit: Duration {
        components.reduce(.zero) { $0 + $1.stopLimit }
    }

    /// Starts all, calls `ready`, and stops all when told to or when one fails; then throws what
    /// it failed with.
    public func run(until stop: StopRequest, ready: () -> Void) async throws {
        let failure = Lock<(any Error)?>(nil)
        let fail: @Sendable (any Error) -> Void = { error in
            // What fails while everything ends is a consequence.
            if !stop.isMade { failure.withLock { $0 = $0 ?? error } }
            stop.make()
        }
        await withDiscardingTaskGroup { group in
            var started: [any Component] = []
            for component in components where !stop.isMade {
                do {
                    try await component.start()
                    log.debug("started", .text("component", component.name))
                    started.append(component)
                    group.addTask {
                        do { try await component.run() } catch { fail(error) }
                    }
                } catch {
                    fail(error)
                }
            }
            if !stop.isMade { ready() }
            await stop.wait()
            for component in started.reversed() {
                let once = Once()
                await withCheckedContinuation { continuation in
                    group.addTask {
                        await component.stop()
                        if once.claim() { continuation.resume() }
                    }
                    loop.after(component.stopLimit) {
                        guard once.claim() else { return }
                        log.warning(
                            "does not stop in its time", .text("component", component.name))
                        continuation.resume()
                    }
                }
                log.debug("stopped", .text("component", component.name))
            }
            group.cancelAll()
        }
        if let failure = failure.withLock({ $0 }) { throw failure }
    }
}

/// The right to do something, which one of several gets.
private final class Once: Sendable {
    private let claimed = Lock(false)
    func claim() -> Bool {
        claimed.withLock { claimed in
            defer { claimed = true }
            return !claimed
        }
    }
}
