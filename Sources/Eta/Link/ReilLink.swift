import API
import Base
import Domain
import HTTP

/// One Reil's registry link, `/internal/link`; all but `flush` and `end` happens on its loop.
final class ReilLink: MessageReceiver {
    private struct State {
        var number: Int?
        var run = ""
        var isFlushing = false
    }

    private let sink: any WebSocketSink
    private let watch: LinkWatch
    private let pushes: Pushes
    private let ambient: Ambient
    private let state = Lock(State())

    init(_ sink: any WebSocketSink, _ watch: LinkWatch) {
        self.sink = sink
        self.watch = watch
        pushes = watch.pushes
        ambient = watch.ambient
    }

    /// Sends what waits in the outbox, soon; from any thread.
    func flush() {
        let isFirst = state.withLock { state in
            defer { state.isFlushing = true }
            return !state.isFlushing
        }
        if isFirst { sink.loop.execute { self.sendOutbox() } }
    }

    /// Closes the link; from any thread.
    func end() { sink.loop.execute { self.sink.close(.goingAway, reason: "") } }

    private func sendOutbox() {
        let number = state.withLock { state in
            state.isFlushing = false
            return state.number
        }
        guard let number else { return }
        for frame in pushes.takeOutbox(number) { sink.send(text: frame) }
        if sink.pending > LinkProtocol.registry.pendingLimit {
            ambient.log.warning("reil takes nothing, its link ends")
            sink.close(.slow, reason: "")
        }
    }

    func received(text: [UInt8]) {
        let report: RegistryReport
        do {
            report = try JSONCoder.decode(RegistryReport.self, from: JSONParser.parse(text))
        } catch {
            return refuse("\(error)")
        }
        let (number, run) = state.withLock { ($0.number, $0.run) }
        guard let number else {
            guard case .hello(let hello) = report else { return refuse("no hello") }
            return welcome(hello)
        }
        switch report {
        case .hello: refuse("a second hello")
        case .renew(let renewal): pushes.renew(number, renewal: renewal)
        case .acknowledge(let sequence): pushes.acknowledge(sequence, by: number)
        case .insLinked(let report):
            watch.roster.heard(report, from: run, at: watch.ambient.clock.timestamp())
        case .insLost(let credential): watch.insLost(credential, by: run)
        case .players(let seats): watch.seatsReported(seats, by: run)
        case .online(let users): watch.presence.came(users, at: number)
        case .offline(let user): watch.presence.went(user, from: number)
        }
    }

    func received(binary: [UInt8]) { refuse("a binary frame") }
    func writable() {}

    func closed(_ code: CloseCode) {
        let (number, run) = state.withLock { ($0.number, $0.run) }
        if let number { watch.left(number, run) }
    }

    private func welcome(_ greeting: ReilHello) {
        let hello = greeting.placed(at: watch.node.gateway)
        let (number, gateways, links) = pushes.join(self, hello)
        watch.joined(hello.run)
        state.withLock { state in
            state.number = number
            state.run = hello.run
        }
        do throws(APIError) {
            let welcome = try watch.welcome(gateways: gateways, links: links)
            sink.send(text: JSONCoder.encode(RegistryPush.welcome(welcome)))
        } catch {
            return refuse(error.context)
        }
        pushes.welcomed(number)
        ambient.log.notice(
            "reil linked", .text("run", hello.run),
            .text("gateway", hello.gateway?.field ?? ""))
    }

    private func refuse(_ reason: String) {
        ambient.log.error("reil says what cannot be taken", .reason(reason))
        sink.close(.policy, reason: "")
    }
}
