import Base
import Glibc
import Synchronization

/// The loops of a process, one for each core.
public final class EventLoopGroup: Sendable {
    /// All of them.
    public let loops: [EventLoop]
    /// The outside that everything on the loops reaches.
    public let ambient: Ambient
    private let turn = Atomic<Int>(0)

    /// `count` loops (0: one for each core), running when this returns.
    public init(count: Int = 0, ambient: Ambient) throws(SystemError) {
        System.prepareProcess()
        let cores = max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
        var loops: [EventLoop] = []
        for index in 0..<(count > 0 ? count : cores) {
            loops.append(try EventLoop(name: "loop-\(index)"))
        }
        self.loops = loops
        self.ambient = ambient
    }

    /// Each in turn.
    public func next() -> EventLoop {
        loops[turn.wrappingAdd(1, ordering: .relaxed).oldValue % loops.count]
    }

    /// The loop whose thread the caller is on.
    public var current: EventLoop? { loops.first { $0.isCurrent } }

    /// Ends all threads and waits for them; not to be called from one of them.
    public func stop() {
        for loop in loops { loop.stop() }
    }
}
