import Base
import CLinux
import Glibc
import Synchronization

/// What epoll saw of a descriptor. It is told once for each change (edge-triggered): who does not
/// read all, or cannot write all, remembers that.
struct Readiness: OptionSet, Sendable {
    let rawValue: UInt32
    static let readable = Readiness(rawValue: 0x001)
    static let writable = Readiness(rawValue: 0x004)
    /// An error waits to be fetched.
    static let failed = Readiness(rawValue: 0x008)
    /// Both directions are closed.
    static let gone = Readiness(rawValue: 0x010)
    /// The other side will send no more.
    static let peerClosed = Readiness(rawValue: 0x2000)

    static let edgeTriggered = Readiness(rawValue: 1 << 31)
    static let stream: Readiness = [.readable, .writable, .peerClosed, .edgeTriggered]
}

/// Told on the loop's thread that its descriptor is ready.
protocol ReadinessReceiver: AnyObject, Sendable {
    func ready(_ readiness: Readiness)
    /// The turn in which it called `callAtEndOfTurn` ends.
    func turnEnded()
}

extension ReadinessReceiver {
    func turnEnded() {}
}

/// An object of its own, which the loop's thread alone touches: the thread sanitizer takes writing to
/// a field for writing to the whole object, and the loop is looked at from other threads.
final class Plaintext {
    /// Decrypted, for the machine.
    var received = ByteWriter()
    /// From the machine, to be encrypted.
    var toSend = ByteWriter()
}

/// One thread, one epoll: what is pinned to it never runs anywhere else.
@safe public final class EventLoop: LoopExecutor, @unchecked Sendable {
    // SAFETY: all but `shared`, `wakeEvent` and `thread` is touched on the loop's own thread alone,
    // which every entry point checks; buffers are allocated here and live as long as the loop.
    private enum Work {
        case job(UnownedJob)
        case closure(@Sendable () -> Void)
    }

    private struct Shared {
        var work: [Work] = []
        /// Whether the event is written and the loop has not looked since.
        var signalled = false
        var stopping = false
    }

    private struct Source {
        var receiver: (any ReadinessReceiver)?
        var generation: UInt32
        var nextFree: Int
    }

    /// A watched descriptor's place; a stale one finds nobody.
    struct Registration {
        fileprivate let slot: Int
        fileprivate let generation: UInt32
    }

    /// Bytes of the scratch buffer that all connections of the loop read into, one at a time.
    static let scratchSize = 65_536
    private static let eventLimit = 256
    private static let wakeData = UInt64.max

    private let epoll: FileDescriptor
    private let wakeEvent: FileDescriptor
    private let shared = Lock(Shared())
    private let thread = Atomic<UInt>(0)
    private var handle = pthread_t()
    private let name: String

    private var sources: [Source] = []
    private var freeSource = -1
    private var timers = Timers()
    private var turn = System.now()
    /// Counts turns: for what is looked up once in each.
    private(set) var turnNumber = 0
    private var local: [Work] = []
    private var running: [Work] = []
    /// Read into by whoever is just being served; holds nothing between two calls.
    let scratch: UnsafeMutableRawBufferPointer
    private let events: UnsafeMutablePointer<epoll_event>
    /// Lent to the connection that writes, so that idle ones hold no buffer; of no capacity while
    /// it is lent.
    var spare = ByteWriter(capacity: 16_384)
    /// Plaintext between TLS and a machine, each way; empty between two calls.
    let plaintext = Plaintext()
    private var ending: [any ReadinessReceiver] = []

    /// Starts the thread.
    public init(name: String) throws(SystemError) {
        epoll = try System.makeEpoll()
        wakeEvent = try System.makeEvent()
        self.name = name
        unsafe scratch = .allocate(byteCount: Self.scratchSize, alignment: 4_096)
        unsafe events = .allocate(capacity: Self.eventLimit)
        // Edge-triggered and never read: each write is an edge.
        try System.watch(
            epoll.number, wakeEvent.number,
            events: Readiness([.readable, .edgeTriggered]).rawValue, data: Self.wakeData)
        try start()
    }

    deinit {
        unsafe scratch.deallocate()
        unsafe events.deallocate()
    }

    // SAFETY: the thread holds a reference to the loop until it ends.
    private func start() throws(SystemError) {
        let context = unsafe Unmanaged.passRetained(self)
        let result = unsafe pthread_create(
            &handle, nil,
            { argument in
                guard let argument = unsafe argument else { return nil }
                unsafe Unmanaged<EventLoop>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        if result != 0 {
            unsafe context.release()
            throw SystemError(result, "pthread_create")
        }
    }

    /// Ends the thread after what is queued now, and waits for that unless called from it.
    public func stop() {
        shared.withLock { $0.stopping = true }
        _ = reileta_eventfd_signal(wakeEvent.number)
        if !isCurrent { pthread_join(handle, nil) } else { pthread_detach(handle) }
    }

    /// Whether the caller is on the loop's thread.
    public var isCurrent: Bool { thread.load(ordering: .relaxed) == reileta_thread() }

    /// The monotonic clock as of the current turn; on the loop only.
    public func now() -> Instant { turn }

    /// Reads the clock anew, for what measures; on the loop only.
    @discardableResult func refreshedNow() -> Instant {
        turn = System.now()
        return turn
    }

    /// Runs `job` on the loop after what is queued; from any thread.
    public func execute(_ job: @escaping @Sendable () -> Void) { add(.closure(job)) }

    /// Runs `job` on the loop once `delay` has passed; on the loop only.
    public func schedule(
        after delay: Duration, _ job: @escaping @Sendable () -> Void
    ) -> TimerToken {
        precondition(isCurrent, "a timer set from another thread")
        return timers.add(at: System.now() + delay, job)
    }

    /// Runs `job` on the loop once it is `deadline`; on the loop only.
    func schedule(at deadline: Instant, _ job: @escaping @Sendable () -> Void) -> TimerToken {
        precondition(isCurrent, "a timer set from another thread")
        return timers.add(at: deadline, job)
    }

    /// Forgets a scheduled job; on the loop only.
    public func cancel(_ token: TimerToken) {
        precondition(isCurrent, "a timer cancelled from another thread")
        timers.cancel(token)
    }

    private func add(_ work: Work) {
        if isCurrent {
            local.append(work)
            return
        }
        let mustWake = shared.withLock { shared in
            shared.work.append(work)
            defer { shared.signalled = true }
            return !shared.signalled
        }
        if mustWake { _ = reileta_eventfd_signal(wakeEvent.number) }
    }

    /// Watches `descriptor` for both directions, edge-triggered, or for arrivals as long as there
    /// are any (`level`), which is for listening sockets.
    func watch(
        _ descriptor: Int32, level: Bool = false, _ receiver: any ReadinessReceiver
    ) throws(SystemError) -> Registration {
        precondition(isCurrent, "a descriptor watched from another thread")
        let slot: Int
        if freeSource >= 0 {
            slot = freeSource
            freeSource = sources[slot].nextFree
        } else {
            slot = sources.count
            sources.append(Source(receiver: nil, generation: 0, nextFree: -1))
        }
        let registration = Registration(slot: slot, generation: sources[slot].generation)
        do {
            try System.watch(
                epoll.number, descriptor,
                events: (level ? Readiness.readable : Readiness.stream).rawValue,
                data: UInt64(registration.generation) << 32 | UInt64(slot))
        } catch {
            sources[slot].nextFree = freeSource
            freeSource = slot
            throw error
        }
        sources[slot].receiver = receiver
        return registration
    }

    /// Watches no more.
    func unwatch(_ descriptor: Int32, _ registration: Registration) {
        System.unwatch(epoll.number, descriptor)
        forget(registration)
    }

    /// Has another receiver told from now on.
    func replace(_ registration: Registration, _ receiver: any ReadinessReceiver) {
        precondition(isCurrent, "a descriptor handed over from another thread")
        guard sources[registration.slot].generation == registration.generation else { return }
        sources[registration.slot].receiver = receiver
    }

    /// Lets a receiver go whose descriptor is closed at once: closing ends the watching.
    func forget(_ registration: Registration) {
        precondition(isCurrent, "a descriptor let go from another thread")
        let slot = registration.slot
        guard sources[slot].generation == registration.generation else { return }
        sources[slot].receiver = nil
        sources[slot].generation &+= 1
        sources[slot].nextFree = freeSource
        freeSource = slot
    }

    /// Borrows the spare buffer; one without room where it is lent already.
    func takeSpare() -> ByteWriter {
        var taken = ByteWriter()
        swap(&taken, &spare)
        return taken
    }

    /// Has `receiver` called once everything else of this turn is done.
    func callAtEndOfTurn(_ receiver: any ReadinessReceiver) { ending.append(receiver) }

    private func run() {
        thread.store(reileta_thread(), ordering: .relaxed)
        unsafe name.withCString { name in unsafe reileta_name_thread(name) }
        while true {
            poll()
            let stopping = takeShared()
            runLocal()
            fireTimers()
            endTurn()
            if stopping, local.isEmpty { break }
        }
        sources.removeAll()
        timers = Timers()
    }

    private func poll() {
        var timeout: Int32 = -1
        if !local.isEmpty {
            timeout = 0
        } else if let next = timers.next {
            // Rounded up: a timer may be a little late, never early.
            let left = max(0, (next - System.now()).nanoseconds)
            timeout = Int32(clamping: (left + 999_999) / 1_000_000)
        }
        let count = unsafe reileta_epoll_wait(
            epoll.number, events, Int32(Self.eventLimit), timeout)
        turn = System.now()
        turnNumber &+= 1
        guard count > 0 else {
            precondition(count == 0 || count == -EINTR, "epoll_wait: \(count)")
            return
        }
        for index in 0..<Int(count) {
            let event = unsafe events[index]
            let data = unsafe event.data.u64
            if data == Self.wakeData { continue }
            let slot = Int(data & 0xFFFF_FFFF)
            // Of this very batch an earlier one may have closed it.
            guard sources[slot].generation == UInt32(data >> 32),
                let receiver = sources[slot].receiver
            else { continue }
            unsafe receiver.ready(Readiness(rawValue: event.events))
        }
    }

    /// Takes what other threads left; whether the loop is to end.
    private func takeShared() -> Bool {
        shared.withLock { shared in
            shared.signalled = false
            if local.isEmpty {
                swap(&local, &shared.work)
            } else if !shared.work.isEmpty {
                local.append(contentsOf: shared.work)
                shared.work.removeAll(keepingCapacity: true)
            }
            return shared.stopping
        }
    }

    /// Runs what is queued now; what that queues in turn waits for the next turn, so that sockets
    /// are never starved.
    private func runLocal() {
        guard !local.isEmpty else { return }
        swap(&local, &running)
        for work in running {
            switch work {
            case .job(let job): unsafe job.runSynchronously(on: asUnownedSerialExecutor())
            case .closure(let closure): closure()
            }
        }
        running.removeAll(keepingCapacity: running.capacity <= 1_024)
    }

    private func endTurn() {
        var index = 0
        while index < ending.count {
            ending[index].turnEnded()
            index += 1
        }
        if index > 0 { ending.removeAll(keepingCapacity: index <= 1_024) }
    }

    private func fireTimers() {
        guard timers.next != nil else { return }
        let now = System.now()
        turn = now
        while let job = timers.popDue(at: now) { job() }
    }
}

extension EventLoop {
    /// Runs a task's next part on the loop.
    public func enqueue(_ job: consuming ExecutorJob) { add(.job(UnownedJob(job))) }

    /// Runs a job that was kept somewhere.
    func resume(_ job: UnownedJob) { add(.job(job)) }

    /// What an actor pinned to the loop names as its executor.
    public func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        unsafe UnownedSerialExecutor(ordinary: self)
    }

    /// Traps on any other thread.
    public func checkIsolated() {
        precondition(isCurrent, "on the wrong thread for \(name)")
    }

    /// Whether the caller is on the loop.
    public func isIsolatingCurrentContext() -> Bool? { isCurrent }
}
