import API
import Base
import Domain
import HTTP
import Testing

@testable import Eta

/// A Reil that speaks over the registry link without a socket. Its loop does all at once on the
/// caller's thread, so that what was pushed is here when the pusher returns.
final class FakeReil: Sendable {
    private let sink = FakeSink()
    private let link: ReilLink
    let run: String

    /// Links to `registry` and says hello.
    init(_ registry: Registry, run: String = "run-1", port: Int = 3_032) {
        self.run = run
        link = ReilLink(sink, registry.watch)
        let gateway = Gateway(secure: false, address: known(ServerAddress("127.0.0.1:\(port)")))
        say(.hello(ReilHello(run: run, gateway: gateway, link: gateway)))
    }

    /// Says something.
    func say(_ report: RegistryReport) { link.received(text: JSONCoder.encode(report)) }
    /// Says something that is no report.
    func say(text: String) { link.received(text: Array(text.utf8)) }
    /// Asks for its lease to be renewed.
    func renew(_ number: Int64 = 1) { say(.renew(number: number)) }
    /// Breaks its link.
    func hangUp() { link.closed(.abnormal) }

    /// What it was told so far.
    var heard: [RegistryPush] {
        sink.texts.withLock { $0 }.compactMap { text in
            let value = try? JSONParser.parse(text)
            return value.flatMap { try? JSONCoder.decode(RegistryPush.self, from: $0) }
        }
    }
    /// What counts no more.
    var revocations: [Revocation] {
        heard.compactMap { if case .revoke(let what) = $0 { what } else { nil } }
    }
    /// The marks that wait to be acknowledged.
    var marks: [Int64] {
        heard.compactMap { if case .mark(let sequence) = $0 { sequence } else { nil } }
    }
    /// Grants that it is to end abroad.
    var endedAbroad: [IntegrityID] {
        heard.compactMap { if case .endAbroad(_, let id) = $0 { id } else { nil } }
    }
    /// Whether Eta has closed the link.
    var isClosed: Bool { sink.closed.withLock { $0 } }
}

private final class FakeSink: WebSocketSink {
    let texts = Lock<[[UInt8]]>([])
    let closed = Lock(false)
    let loop: any LoopExecutor = InlineLoop()
    let client: IPAddress = .v4(0x7F00_0001)
    let pending = 0

    func send(text: [UInt8]) { texts.withLock { $0.append(text) } }
    func send(binary: [UInt8]) {}
    func send(framed: [ArraySlice<UInt8>]) {}
    func close(_ code: CloseCode, reason: String) { closed.withLock { $0 = true } }
}

/// A loop that does what it is given at once, and knows no time.
private final class InlineLoop: LoopExecutor {
    func execute(_ job: @escaping @Sendable () -> Void) { job() }
    func schedule(after delay: Duration, _ job: @escaping @Sendable () -> Void) -> TimerToken {
        TimerToken(number: 0)
    }
    func cancel(_ token: TimerToken) {}
    var isCurrent: Bool { true }
    func now() -> Instant { Instant(nanoseconds: 0) }
    func enqueue(_ job: consuming ExecutorJob) {
        unsafe UnownedJob(job).runSynchronously(on: asUnownedSerialExecutor())
    }
    func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        unsafe UnownedSerialExecutor(ordinary: self)
    }
}
