import Base
import Crypto
import HTTP
import Support
import Synchronization
import Testing

@testable import Net

/// Hears a WebSocket and remembers it, or sends it back.
private final class Hearer: MessageReceiver {
    struct Heard {
        var texts: [String] = []
        var bytes = 0
        var writable = 0
        var code: CloseCode?
    }
    let heard = Lock(Heard())
    let closed = Signal()
    private let sink: (any WebSocketSink)?

    init(echo sink: (any WebSocketSink)? = nil) { self.sink = sink }

    func received(text: [UInt8]) {
        heard.withLock { $0.texts.append(String(decoding: text, as: UTF8.self)) }
        sink?.send(text: text)
    }
    func received(binary: [UInt8]) {
        heard.withLock { $0.bytes += binary.count }
        sink?.send(binary: binary)
    }
    func writable() { heard.withLock { $0.writable += 1 } }
    func closed(_ code: CloseCode) {
        heard.withLock { $0.code = code }
        closed.fire()
    }
}

/// WebSockets over real sockets, both ends ours, and frames written by hand.
struct WebSocketTests {
    private func dial(
        _ server: TestServer, _ hearer: Hearer, secure: Bool = false, subprotocols: [String] = []
    ) async throws -> (sink: any WebSocketSink, subprotocol: String?) {
        let sink = Lock<(any WebSocketSink)?>(nil)
        let chosen = try await WebSocketClient.connect(
            server.request("/", secure: secure), subprotocols: subprotocols,
            limits: WebSocketLimits(message: 1 << 20), client: server.client,
            on: server.group.loops[0]
        ) { made in
            sink.withLock { $0 = made }
            return hearer
        }
        let made = try #require(sink.withLock { $0 })
        return (made, chosen)
    }

    private func onLoop(_ sink: any WebSocketSink, _ act: @escaping @Sendable () -> Void) async {
        await withCheckedContinuation { done in
            sink.loop.execute {
                act()
                done.resume()
            }
        }
    }

    @Test(arguments: [false, true]) func `messages come back as they were sent`(
        secure: Bool
    ) async throws {
        let authority = secure ? try TestAuthority() : nil
        let issued = try authority?.issue("ws")
        let server = try TestServer(
            tls: try issued.map {
                try .init(certificateChainFile: $0.certificateFile, privateKeyFile: $0.keyFile)
            }, clientTLS: try authority.map { try .init(caFile: $0.certificateFile) }
        ) { _ in
            Response(
                status: .switchingProtocols,
                body: .webSocket(
                    WebSocketUpgrade(
                        subprotocol: "avr.1", limits: WebSocketLimits(message: 1 << 20)
                    ) {
                        Hearer(echo: $0)
                    }))
        }
        let hearer = Hearer()
        let (sink, chosen) = try await dial(
            server, hearer, secure: secure, subprotocols: ["avr.1"])
        #expect(chosen == "avr.1")
        await onLoop(sink) {
            for number in 0..<100 { sink.send(text: Array("message \(number)".utf8)) }
            sink.send(binary: [UInt8](repeating: 9, count: 700_000))
        }
        try await Eventually.holds { hearer.heard.withLock { $0.bytes } == 700_000 }
        #expect(hearer.heard.withLock { $0.texts } == (0..<100).map { "message \($0)" })
        await onLoop(sink) { sink.close(.normal, reason: "done") }
        await hearer.closed.wait()
        #expect(hearer.heard.withLock { $0.code } == .normal)
        try await Eventually.holds { server.server.connectionCount == 0 }
        await server.stop()
    }

    @Test func `shared frames arrive whole and in order with what else is sent`() async throws {
        let sinks = Lock<[any WebSocketSink]>([])
        let server = try TestServer { _ in
            Response(
                status: .switchingProtocols,
                body: .webSocket(
                    WebSocketUpgrade(subprotocol: nil) { sink in
                        sinks.withLock { $0.append(sink) }
                        return Hearer()
                    }))
        }
        let hearers = [Hearer(), Hearer(), Hearer()]
        for hearer in hearers { _ = try await dial(server, hearer) }
        // Three frames in one buffer, long enough to be written from where they are.
        let texts = (0..<3).map { String(repeating: "abc", count: 300 + $0) }
        var room: [UInt8] = []
        var cuts = [0]
        for text in texts {
            room += FrameSerializer.frame(.text, Array(text.utf8))
            cuts.append(room.count)
        }
        let (shared, ends) = (room, cuts)
        let all = sinks.withLock { $0 }
        #expect(all.count == 3)
        await onLoop(all[0]) {
            for (index, sink) in all.enumerated() {
                sink.send(text: Array("before".utf8))
                // Each skips its own frame.
                let parts = [shared[..<ends[index]], shared[ends[index + 1]...]]
                sink.send(framed: parts)
                sink.send(text: Array("after".utf8))
            }
        }
        for (index, hearer) in hearers.enumerated() {
            try await Eventually.holds { hearer.heard.withLock { $0.texts.count } == 4 }
            var expected = texts
            expected.remove(at: index)
            #expect(hearer.heard.withLock { $0.texts } == ["before"] + expected + ["after"])
        }
        await server.stop()
        for hearer in hearers { await hearer.closed.wait() }
    }

    @Test func `a slow reader's queue shows, and its end is told`() async throws {
        let made = Lock<(any WebSocketSink)?>(nil)
        let hearer = Hearer()
        var limits = WebSocketLimits()
        limits.pending = 100_000
        let bounds = limits
        let server = try TestServer { _ in
            Response(
                status: .switchingProtocols,
                body: .webSocket(
                    WebSocketUpgrade(subprotocol: nil, limits: bounds) { sink in
                        made.withLock { $0 = sink }
                        return hearer
                    }))
        }
        let socket = try server.connect(receiveBuffer: 4_096)
        socket.send(
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        let answer = try #require(await socket.receive(until: "\r\n\r\n"))
        #expect(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="))
        let sink = try #require(made.withLock { $0 })
        let size = 8 << 20
        await onLoop(sink) { sink.send(binary: [UInt8](repeating: 1, count: size)) }
        let waiting = Atomic<Int>(0)
        await onLoop(sink) { waiting.store(sink.pending, ordering: .relaxed) }
        #expect(waiting.load(ordering: .relaxed) > 100_000)
        #expect(hearer.heard.withLock { $0.writable } == 0)
        var count = 0
        while count < size, let bytes = try await socket.receive(), !bytes.isEmpty {
            count += bytes.count
        }
        try await Eventually.holds { hearer.heard.withLock { $0.writable } == 1 }
        socket.reset()
        await server.stop()
        await hearer.closed.wait()
    }

    @Test func `many pings at once are all answered`() async throws {
        var limits = WebSocketLimits()
        limits.pending = 1_000
        let bounds = limits
        let server = try TestServer { _ in
            Response(
                status: .switchingProtocols,
                body: .webSocket(
                    WebSocketUpgrade(subprotocol: nil, limits: bounds) { Hearer(echo: $0) }))
        }
        let socket = try server.connect()
        socket.send(
            "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        #expect(try await socket.receive(until: "\r\n\r\n") != nil)
        // Masked with zeros; far more than one read takes.
        let (ping, count) = (
            [0x89, 0x80 | 100, 0, 0, 0, 0] + [UInt8](repeating: 7, count: 100), 3_000
        )
        await BlockingPool.once {
            socket.send(Array(repeatElement(ping, count: count).joined()))
        }
        var left = count * 102
        while left > 0, let bytes = try await socket.receive(), !bytes.isEmpty {
            left -= bytes.count
        }
        #expect(left == 0)
        socket.reset()
        await server.stop()
    }

    @Test func `what is no handshake is answered as HTTP`() async throws {
        let server = try TestServer { _ in
            Response(
                status: .switchingProtocols,
                body: .webSocket(WebSocketUpgrade(subprotocol: nil) { Hearer(echo: $0) }))
        }
        #expect(try await server.send(server.request("/")).status == .badRequest)
        await server.stop()
        let plain = try TestServer { _ in Response(status: .forbidden) }
        await #expect(throws: ClientError.upgradeRefused(.forbidden)) {
            _ = try await dial(plain, Hearer())
        }
        await plain.stop()
    }

    @Test func `one that is being opened while the server stops is closed with a word`()
        async throws
    {
        let (asked, gate) = (Signal(), Signal())
        let server = try TestServer { _ in
            asked.fire()
            await gate.wait()
            return Response(
                status: .switchingProtocols,
                body: .webSocket(WebSocketUpgrade(subprotocol: nil) { Hearer(echo: $0) }))
        }
        let hearer = Hearer()
        async let dialled = dial(server, hearer)
        await asked.wait()
        let drained = Task.immediate { await server.server.drain(deadline: .seconds(5)) }
        // What each loop was told is done when it comes to what it was told afterwards.
        for loop in server.group.loops {
            await withCheckedContinuation { told in loop.execute { told.resume() } }
        }
        gate.fire()
        _ = try await dialled
        await hearer.closed.wait()
        #expect(hearer.heard.withLock { $0.code } == .goingAway)
        await drained.value
        await server.stop()
    }

    @Test func `a stopping server closes its sockets with a word`() async throws {
        let server = try TestServer { _ in
            Response(
                status: .switchingProtocols,
                body: .webSocket(WebSocketUpgrade(subprotocol: nil) { Hearer(echo: $0) }))
        }
        let hearer = Hearer()
        _ = try await dial(server, hearer)
        await server.server.drain(deadline: .seconds(5))
        await hearer.closed.wait()
        #expect(hearer.heard.withLock { $0.code } == .goingAway)
        await server.stop()
    }
}

/// A server behind a server: requests, bodies and upgrades pass through.
struct RelayTests {
    /// With `turns` the answer is handed on that many turns of the loop after it came.
    private func relay(to upstream: TestServer, turns: Int = 0) throws -> TestServer {
        let port = upstream.address.port
        let front = Lock<HTTPClient?>(nil)
        let server = try TestServer { request in
            guard let client = front.withLock({ $0 }) else { return .text("not yet") }
            var fields = request.head.endToEndFields()
            fields.append(.userAgent, "1.1 relay")
            do throws(ClientError) {
                let response = try await Relay.forward(
                    request, to: Upstream(host: "127.0.0.1", port: port),
                    target: Array(request.head.targetBytes), fields: fields, upgrades: true,
                    client: client)
                for _ in 0..<turns { await request.loop.pause(for: .milliseconds(1)) }
                return response
            } catch {
                return Response(status: .badGateway)
            }
        }
        front.withLock { $0 = server.client }
        return server
    }

    @Test func `requests and answers pass through, whole or in chunks`() async throws {
        let upstream = try TestServer { request in
            switch request.pathText {
            case "/echo": return Response(status: .ok, body: .stream(request.body, length: nil))
            case "/sized":
                return Response(
                    status: .ok, body: .stream(request.body, length: request.bodyLength))
            default:
                var response = Response.text(request.head.text(.userAgent) ?? "nobody")
                response.status = .created
                return response
            }
        }
        let front = try relay(to: upstream)
        let response = try await front.send(front.request("/x"))
        #expect(response.status == .created)
        #expect(response.fields.all(.date).count == 1)
        #expect(try await response.collect(limit: 100) == Array("1.1 relay".utf8))
        let head = try await front.send(front.request("/x", .head))
        #expect(head.fields[.contentLength] == "9")
        for path in ["/echo", "/sized"] {
            let body = RepeatedBody(300, of: [UInt8](repeating: 8, count: 20_000))
            let length: Int64? = path == "/sized" ? 6_000_000 : nil
            let echoed = try await front.send(
                front.request(path, .post, body: .stream(body, length: length)))
            #expect(try await echoed.collect(limit: 1 << 24).count == 6_000_000)
        }
        await upstream.stop()
        #expect(try await front.send(front.request("/x")).status == .badGateway)
        await front.stop()
    }

    /// The answer to a request may come before its body, whose reader then waits for what is the
    /// next request's.
    @Test func `who reads the body of a request that is answered meets no other`() async throws {
        let upstream = try TestServer { _ in .text("answered") }
        let front = try relay(to: upstream)
        let client = try front.connect()
        for number in 0..<20 {
            #expect(client.send("POST /\(number) HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"))
            let answer = try await client.receive(until: "answered")
            #expect(answer?.hasPrefix("HTTP/1.1 200") == true, "\(number): \(answer ?? "none")")
            #expect(client.send("hello"))
        }
        #expect(client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n"))
        #expect(try await client.receive(until: "answered") != nil)
        await upstream.stop()
        await front.stop()
    }

    @Test func `an upgrade that is refused leaves no connection behind`() async throws {
        let upstream = try TestServer { _ in .text("answered") }
        let front = try relay(to: upstream)
        let client = try front.connect()
        for number in 0..<20 {
            #expect(
                client.send(
                    "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"))
            let answer = try await client.receive(until: "answered")
            #expect(answer?.hasPrefix("HTTP/1.1 200") == true, "\(number): \(answer ?? "none")")
        }
        try await Eventually.holds { upstream.server.connectionCount == 0 }
        await upstream.stop()
        await front.stop()
    }

    @Test func `an upgrade whose other end is gone by the time it is joined is closed`()
        async throws
    {
        let upstream = try TestServer { _ in
            Response(
                status: .switchingProtocols,
                body: .webSocket(
                    WebSocketUpgrade(subprotocol: nil) { sink in
                        sink.close(.goingAway, reason: "")
                        return Hearer()
                    }))
        }
        let front = try relay(to: upstream, turns: 20)
        for _ in 0..<3 {
            let hearer = Hearer()
            _ = try await WebSocketClient.connect(
                front.request("/"), subprotocols: [], limits: WebSocketLimits(),
                client: front.client, on: front.group.loops[0]
            ) { _ in hearer }
            await hearer.closed.wait()
            #expect(hearer.heard.withLock { $0.code } == .goingAway)
        }
        try await Eventually.holds {
            front.server.connectionCount == 0 && upstream.server.connectionCount == 0
        }
        await upstream.stop()
        await front.stop()
    }

    @Test(arguments: [0, 3]) func `an upgrade passes through, with what is said on it`(
        turns: Int
    ) async throws {
        let upstream = try TestServer { _ in
            Response(
                status: .switchingProtocols,
                body: .webSocket(
                    WebSocketUpgrade(subprotocol: "p", limits: WebSocketLimits(message: 1 << 21)) {
                        Hearer(echo: $0)
                    }))
        }
        let front = try relay(to: upstream, turns: turns)
        let hearer = Hearer()
        let made = Lock<(any WebSocketSink)?>(nil)
        let chosen = try await WebSocketClient.connect(
            front.request("/"), subprotocols: ["p"], limits: WebSocketLimits(message: 1 << 21),
            client: front.client, on: front.group.loops[0]
        ) { sink in
            made.withLock { $0 = sink }
            return hearer
        }
        #expect(chosen == "p")
        let sink = try #require(made.withLock { $0 })
        sink.loop.execute {
            sink.send(text: Array("through".utf8))
            sink.send(binary: [UInt8](repeating: 4, count: 2_000_000))
        }
        try await Eventually.holds { hearer.heard.withLock { $0.bytes } == 2_000_000 }
        #expect(hearer.heard.withLock { $0.texts } == ["through"])
        // One end gone, the other follows.
        await upstream.stop()
        await hearer.closed.wait()
        try await Eventually.holds { front.server.connectionCount == 0 }
        await front.stop()
    }
}
