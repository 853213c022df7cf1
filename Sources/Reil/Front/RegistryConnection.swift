import API
import Base
import Domain
import HTTP
import Net

/// The link's WebSocket. All of it but the two waits happens on its loop.
final class RegistryConnection: MessageReceiver {
    private struct State {
        var sink: (any WebSocketSink)?
        var sent: [Int64: Instant] = [:]
        var number: Int64 = 0
        var lease = Duration.seconds(1)
        var isWelcome = false
        var isOver = false
        var waiting: [CheckedContinuation<Void, Never>] = []
        var welcomeWaiting: [CheckedContinuation<Void, Never>] = []
    }

    private let owner: EtaLink
    private let ambient: Ambient
    private let hello: ReilHello
    // Touched on the loop, but for the waits; never contended.
    private let state = Lock(State())

    init(owner: EtaLink, ambient: Ambient, hello: ReilHello) {
        self.owner = owner
        self.ambient = ambient
        self.hello = hello
    }

    func opened(_ sink: any WebSocketSink) {
        state.withLock { $0.sink = sink }
        send(.hello(hello))
        renew()
    }

    func send(_ report: RegistryReport) {
        state.withLock { $0.sink }?.send(text: JSONCoder.encode(report))
    }

    func close() { state.withLock { $0.sink }?.close(.goingAway, reason: "") }

    /// Comes back when the welcome is there, or will never come.
    func welcomed() async {
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                if state.isWelcome || state.isOver { return true }
                state.welcomeWaiting.append(continuation)
                return false
            }
            if isDone { continuation.resume() }
        }
    }

    /// Comes back when the connection is over.
    func ended() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                if state.isOver { return true }
                state.waiting.append(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
    }

    /// Four times a second, from the first moment on.
    private func renew() {
        let now = ambient.clock.now()
        let (sink, number) = state.withLock { state -> ((any WebSocketSink)?, Int64) in
            if state.isOver { return (nil, 0) }
            state.number += 1
            state.sent[state.number] = now
            return (state.sink, state.number)
        }
        guard let sink else { return }
        sink.send(text: JSONCoder.encode(RegistryReport.renew(number: number)))
        _ = sink.loop.schedule(after: .milliseconds(250)) { self.renew() }
    }

    func received(text: [UInt8]) {
        let push: RegistryPush
        do {
            push = try JSONCoder.decode(RegistryPush.self, from: JSONParser.parse(text))
        } catch {
            ambient.log.error("eta says what cannot be read", .reason("\(error)"))
            close()
            return
        }
        switch push {
        case .welcome(let welcome):
            owner.took(self, welcome)
            let waiting = state.withLock { state in
                state.isWelcome = true
                state.lease = .milliseconds(welcome.leaseMilliseconds)
                defer { state.welcomeWaiting = [] }
                return state.welcomeWaiting
            }
            for continuation in waiting { continuation.resume() }
        case .leased(let number):
            let end = state.withLock { state -> Instant? in
                guard state.isWelcome, let sent = state.sent[number] else { return nil }
                state.sent = state.sent.filter { $0.key > number }
                return sent + state.lease
            }
            // It answers what was sent behind all pushes before it, and counts for every loop: so
            // it counts once each of them has done what those pushes ask. A loop that is stuck
            // lets the lease run out, and Eta need not wait for it longer.
            if let end { owner.afterAllLoops { self.owner.leased(until: end) } }
        case .mark(let sequence):
            owner.afterAllLoops { self.send(.acknowledge(sequence: sequence)) }
        case .revoke, .host, .close, .changed, .dismissed, .muted, .tell, .queue, .deliver,
            .endAbroad,
            .look, .rules, .forget, .reils, .clock:
            owner.received(push)
        }
    }

    func received(binary: [UInt8]) {}
    func writable() {}

    func closed(_ code: CloseCode) {
        let waiting = state.withLock { state in
            state.isOver = true
            state.sink = nil
            defer {
                state.waiting = []
                state.welcomeWaiting = []
            }
            return state.waiting + state.welcomeWaiting
        }
        owner.lost(self)
        for continuation in waiting { continuation.resume() }
    }
}
