import API
import Base
import Domain
import HTTP
import Net
import Runtime
import Testing

@testable import Ins

/// How often a room speaks. What it says is `InstanceMachineTests`' matter.
struct InstanceHostTests {
    /// A Reil that notes when it is told what the room said.
    private final class Listener: ReilLink {
        private let loop: EventLoop
        let heard = Lock<[(at: Instant, frames: Int)]>([])

        init(_ loop: EventLoop) { self.loop = loop }

        func send(_ statement: InsStatement) {}
        func send(batch: [UInt8]) {
            let frames = try? RoomBatch(reading: batch).segments.count
            heard.withLock { $0.append((loop.now(), frames ?? 0)) }
        }
    }

    private let random = SeededRandom(seed: 3)
    private let clock = SystemClock()

    private func player() -> Player {
        Player(
            id: .make(clock: clock, random: random),
            user: UserReference(.make(clock: clock, random: random), at: .sample),
            displayname: .sample, role: .normal, joinedAt: clock.timestamp())
    }

    /// Lets `count` members in, one of whom says a hundred things, one every four milliseconds; what
    /// was heard then.
    private func talk(among count: Int, tick: Duration) async throws -> [(at: Instant, frames: Int)]
    {
        let group = try EventLoopGroup(count: 1, ambient: .silent())
        defer { group.stop() }
        let loop = group.loops[0]
        let host = InstanceHost(loop: loop, tick: tick, capacity: 1_024, ambient: .silent())
        let listener = Listener(loop)
        let members = (0..<count).map { _ in player() }
        let hosting = Hosting(
            instance: .make(clock: clock, random: random), epoch: 1, ins: "local",
            world: WorldReference(.make(clock: clock, random: random), at: .sample),
            owner: members[0].user, capacity: 1_024)
        let said = 100
        @Sendable func say(_ number: Int) {
            var frame = ByteWriter()
            RoomCommands.begin(&frame)
            RoomCommands.append(
                instance: hosting.instance, epoch: 1, player: members[0].id, .data,
                json: Array(#"{"data":\#(number)}"#.utf8)[...], to: &frame)
            host.assumeIsolated { $0.take(commands: frame.array(), from: listener) }
            guard number < said else { return }
            _ = loop.schedule(after: .milliseconds(4)) { say(number + 1) }
        }
        await withCheckedContinuation { done in
            loop.execute {
                host.assumeIsolated { host in
                    host.follow(.host(hosting), from: listener)
                    for member in members {
                        host.follow(
                            .enter(instance: hosting.instance, epoch: 1, member),
                            from: listener)
                    }
                }
                // All that was said of who came in is told first.
                listener.heard.withLock { $0 = [] }
                say(1)
                done.resume()
            }
        }
        // That the last have come in is told too.
        try await Eventually.holds {
            listener.heard.withLock { $0.reduce(0) { $0 + $1.frames } } >= said
        }
        return listener.heard.withLock { $0 }
    }

    @Test func `a full room speaks at its ticks alone, a small one more often`() async throws {
        let tick = Duration.milliseconds(100)
        let full = try await talk(among: 40, tick: tick)
        for (earlier, later) in zip(full, full.dropFirst()) {
            #expect(later.at - earlier.at >= tick)
        }
        #expect(full.count < 30 && full.contains { $0.frames > 5 })
        let small = try await talk(among: 2, tick: tick)
        for (earlier, later) in zip(small, small.dropFirst()) {
            #expect(later.at - earlier.at >= tick * 2 / 32)
        }
        #expect(small.count > full.count)
    }
}

/// A link whose Reil has hung.
struct LinkTests {
    private final class Sink: WebSocketSink {
        let loop: any LoopExecutor
        let client: IPAddress = .v4(0x7F00_0001)
        let waiting = Lock(0)
        let sent = Lock(0)
        let code = Lock<CloseCode?>(nil)

        init(_ loop: any LoopExecutor) { self.loop = loop }

        var pending: Int { waiting.withLock { $0 } }
        func send(text: [UInt8]) { sent.withLock { $0 += 1 } }
        func send(binary: [UInt8]) { sent.withLock { $0 += 1 } }
        func send(framed: [ArraySlice<UInt8>]) {}
        func close(_ code: CloseCode, reason: String) { self.code.withLock { $0 = code } }
    }

    @Test func `a Reil that leaves too much unread is given up, not filled further`()
        async throws
    {
        let group = try EventLoopGroup(count: 1, ambient: .silent())
        defer { group.stop() }
        let loop = group.loops[0]
        let host = InstanceHost(
            loop: loop, tick: .milliseconds(20), capacity: 16, ambient: .silent())
        let settings = InsSettings(try ConfigReader(InsSettings.all))
        let (link, sink) = (
            Link(host: host, ambient: .silent(), settings: settings) { _ in }, Sink(loop)
        )
        let result = await withCheckedContinuation { done in
            loop.execute {
                link.opened(sink)
                let opening = sink.sent.withLock { $0 }
                sink.waiting.withLock { $0 = 64 << 20 }
                link.send(batch: [1])
                let atLimit = (sink.sent.withLock { $0 }, sink.code.withLock { $0 })
                sink.waiting.withLock { $0 += 1 }
                link.send(batch: [2])
                let beyond = (sink.sent.withLock { $0 }, sink.code.withLock { $0 })
                done.resume(returning: (opening, atLimit, beyond))
            }
        }
        #expect(result.1.0 == result.0 + 1 && result.1.1 == nil)
        #expect(result.2.0 == result.0 + 1 && result.2.1 == .slow)
    }
}
