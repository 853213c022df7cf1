import API
import Base
import Domain
import HTTP

/// What a Reil answers only while it is tested, docs/operate/testing.md.
struct TestController {
    let eta: EtaLink
    let clock: SystemClock

    /// Binds all of it.
    func bind(_ router: inout Router) {
        router.on(TestAPI.socket, socket)
        router.on(TestAPI.echo, echo)
        router.on(TestAPI.clock, setClock)
    }

    @Sendable private func socket(
        _ path: TestAPI.EchoPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Response {
        guard Handshake.isAsked(by: context.request.head) else {
            throw APIError(.malformedRequest, context: "no upgrade to a WebSocket")
        }
        var limits = WebSocketLimits(message: 16 << 20)
        limits.fragments = 1 << 20
        return Response(
            status: .switchingProtocols,
            body: .webSocket(
                WebSocketUpgrade(subprotocol: nil, limits: limits) { EchoReceiver(sink: $0) }))
    }

    @Sendable private func echo(
        _ path: TestAPI.EchoPath, _ body: JSONValue, _ context: RequestContext
    ) async throws(APIError) -> JSONValue {
        body
    }

    @Sendable private func setClock(
        _ path: TestAPI.ClockPath, _ body: TestAPI.Clock, _ context: RequestContext
    ) async throws(APIError) -> TestAPI.Clock {
        let set = try await eta.call(TestAPI.nodeClock, body, on: context.request.loop)
        clock.setOffset(milliseconds: set.offsetMilliseconds)
        return set
    }
}

private struct EchoReceiver: MessageReceiver {
    let sink: any WebSocketSink

    func received(text: [UInt8]) { sink.send(text: text) }
    func received(binary: [UInt8]) { sink.send(binary: binary) }
    func writable() {}
    func closed(_ code: CloseCode) {}
}

/// Follows the clock of a node under test.
struct ClockObserver: RegistryObserver {
    let clock: SystemClock

    func welcomed(_ welcome: Welcome) {}
    func received(_ push: RegistryPush) {
        if case .clock(let offset) = push { clock.setOffset(milliseconds: offset) }
    }
    func etaLost() {}
}
