import API
import Base
import Domain
import HTTP
import Net

/// One link to a Reil: what comes goes to the host, what the host says goes out. All of it on the
/// host's loop, but for the wait.
final class Link: MessageReceiver, ReilLink {
    private struct State {
        var sink: (any WebSocketSink)?
        var isOver = false
        var isReplaced = false
        var onEnd: (@Sendable () -> Void)?
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    /// How often Ins says how busy it is, docs/client.
    private static let loadInterval = Duration.seconds(5)

    private let host: InstanceHost
    private let ambient: Ambient
    private let settings: InsSettings
    private let learn: @Sendable ([Gateway]) -> Void
    private let state = Lock(State())

    init(
        host: InstanceHost, ambient: Ambient, settings: InsSettings,
        learn: @escaping @Sendable ([Gateway]) -> Void
    ) {
        self.host = host
        self.ambient = ambient
        self.settings = settings
        self.learn = learn
    }

    /// Whether Reil ended it since this Ins has linked to it anew.
    var isReplaced: Bool { state.withLock { $0.isReplaced } }

    /// What to do when it is over; done at once where it is.
    func whenOver(_ body: @escaping @Sendable () -> Void) {
        let isOver = state.withLock { state in
            if !state.isOver { state.onEnd = body }
            return state.isOver
        }
        if isOver { body() }
    }

    func opened(_ sink: any WebSocketSink) {
        state.withLock { $0.sink = sink }
        send(
            .hello(
                name: settings.name, version: "1", capacity: settings.capacity,
                region: settings.region))
        sayLoad()
    }

    func send(_ statement: InsStatement) { send { $0.send(text: JSONCoder.encode(statement)) } }

    func send(batch: [UInt8]) { send { $0.send(binary: batch) } }

    private func send(_ body: (any WebSocketSink) -> Void) {
        guard let sink = state.withLock({ $0.sink }) else { return }
        // It is told all anew when it is back.
        if sink.pending > LinkProtocol.ins.pendingLimit { return sink.close(.slow, reason: "") }
        body(sink)
    }

    func close() { state.withLock { $0.sink }?.close(.goingAway, reason: "") }

    /// Comes back when the link is over.
    func ended() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if !state.isOver { state.waiting.append(continuation) }
                return state.isOver
            }
            if isOver { continuation.resume() }
        }
    }

    private func sayLoad() {
        guard let sink = state.withLock({ $0.sink }) else { return }
        let load = host.assumeIsolated { $0.load }
        send(.load(load: load.load, instances: load.instances))
        _ = sink.loop.schedule(after: Self.loadInterval) { [weak self] in self?.sayLoad() }
    }

    func received(text: [UInt8]) {
        let instruction: InsInstruction
        do {
            instruction = try JSONCoder.decode(
                InsInstruction.self, from: JSONParser.parse(text))
        } catch {
            ambient.log.error("reil says what cannot be read", .reason("\(error)"))
            return
        }
        if case .welcome(let links) = instruction { learn(links) }
        host.assumeIsolated { $0.follow(instruction, from: self) }
    }

    func received(binary: [UInt8]) {
        host.assumeIsolated { $0.take(commands: binary, from: self) }
    }

    func writable() {}

    func closed(_ code: CloseCode) {
        host.assumeIsolated { $0.lost(self) }
        let (onEnd, waiting) = state.withLock { state in
            state.isOver = true
            state.isReplaced = code == .resumedElsewhere
            state.sink = nil
            defer {
                state.onEnd = nil
                state.waiting = []
            }
            return (state.onEnd, state.waiting)
        }
        onEnd?()
        for continuation in waiting { continuation.resume() }
    }
}
