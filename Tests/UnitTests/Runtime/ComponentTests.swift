import Base
import Net
import Runtime
import Testing

private struct Broken: Error, Equatable {}

private final class Diary: Sendable {
    private let lines = Lock<[String]>([])
    var all: [String] { lines.withLock { $0 } }
    func add(_ line: String) { lines.withLock { $0.append(line) } }
}

private struct Part: Component {
    let name: String
    let diary: Diary
    var startFails = false
    var runFails = false
    /// Its stop hangs until this is made.
    var stopAwaits: StopRequest?
    /// Made by its stop.
    var stopMakes: StopRequest?
    var stopLimit: Duration { .milliseconds(20) }

    func start() async throws {
        if startFails { throw Broken() }
        diary.add("start \(name)")
    }
    func run() async throws {
        if runFails { throw Broken() }
    }
    func stop() async {
        diary.add("stop \(name)")
        stopMakes?.make()
        await stopAwaits?.wait()
    }
}

/// Parts start in order, stop in reverse, and one that fails takes the process down in order too.
struct ComponentTests {
    private let diary = Diary()
    private let loop: EventLoop

    init() throws { loop = try EventLoop(name: "test") }

    private func run(_ parts: [Part], stop: StopRequest = StopRequest()) async throws {
        defer { loop.stop() }
        let group = ComponentGroup(parts, loop: loop, log: Ambient.silent().log)
        try await group.run(until: stop) {
            diary.add("ready")
            // A part that fails ends the run itself.
            if !parts.contains(where: \.runFails) { stop.make() }
        }
    }

    private func part(_ name: String) -> Part { Part(name: name, diary: diary) }

    @Test func `parts start in order and stop in reverse`() async throws {
        try await run([part("a"), part("b"), part("c")])
        #expect(
            diary.all == ["start a", "start b", "start c", "ready", "stop c", "stop b", "stop a"])
    }

    @Test func `one that does not start stops those before it`() async {
        var broken = part("b")
        broken.startFails = true
        await #expect(throws: Broken()) { try await run([part("a"), broken, part("c")]) }
        #expect(diary.all == ["start a", "stop a"])
    }

    @Test func `one that fails while it runs stops all`() async {
        var broken = part("a")
        broken.runFails = true
        await #expect(throws: Broken()) { try await run([broken, part("b")]) }
        #expect(diary.all.filter { $0.hasPrefix("stop") }.last == "stop a")
    }

    @Test func `one that does not stop in its time holds up nobody`() async throws {
        let last = StopRequest()
        var (first, hanging) = (part("a"), part("b"))
        first.stopMakes = last
        hanging.stopAwaits = last
        try await run([first, hanging])
        #expect(diary.all.suffix(2) == ["stop b", "stop a"])
    }

    @Test func `what is stopped before it began starts nothing`() async throws {
        let stop = StopRequest()
        stop.make()
        try await run([part("a")], stop: stop)
        #expect(diary.all.isEmpty)
    }

    @Test func `a stop is asked for once and heard by all`() async {
        let stop = StopRequest()
        await withDiscardingTaskGroup { group in
            for _ in 0..<10 { group.addTask { await stop.wait() } }
            stop.make()
            stop.make()
        }
        await stop.wait()
        #expect(stop.isMade)
    }
}
