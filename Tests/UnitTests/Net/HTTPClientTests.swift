import Base
import Crypto
import Glibc
import HTTP
import Support
import Synchronization
import Testing

@testable import Net

/// The project's own client against its own server, and against servers that misbehave.
struct HTTPClientTests {
    @Test func `requests one after another share a connection`() async throws {
        let server = try TestServer { .text("\($0.pathText) \($0.head.text(.host) ?? "")") }
        for path in ["/1", "/2", "/3"] {
            let text = try await server.text(server.request(path))
            #expect(text == "\(path) 127.0.0.1:\(server.address.port)")
        }
        #expect(server.server.connectionCount == 1)
        await server.stop()
    }

    /// A connection goes from one exchange to the next while whoever asked last may not have
    /// looked at the answer yet. From handlers, which ask on the loop itself; POSTs, so that a lost
    /// answer is not quietly asked for again.
    @Test func `each of many requests at once gets its own answer`() async throws {
        var limits = ClientLimits()
        limits.connectionsPerPeer = 64
        let own = Lock<TestServer?>(nil)
        let server = try TestServer(clientLimits: limits) { request in
            guard request.pathText.hasPrefix("/outer"), let server = own.withLock({ $0 }) else {
                return .text(request.pathText)
            }
            for number in 0..<3 {
                let path = "/inner\(request.pathText)/\(number)"
                do throws(ClientError) {
                    let text = try await server.text(
                        server.request(path, .post, body: .bytes([1])))
                    if text != path { return .text("\(path) got \(text)") }
                } catch {
                    return .text("\(path) failed: \(error)")
                }
            }
            return .text("fine")
        }
        own.withLock { $0 = server }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<16 {
                group.addTask {
                    for number in 0..<50 {
                        let text = try await server.text(
                            server.request("/outer/\(worker)/\(number)", .post))
                        #expect(text == "fine")
                    }
                }
            }
            try await group.waitForAll()
        }
        own.withLock { $0 = nil }
        await server.stop()
    }

    @Test func `bodies stream both ways at once`() async throws {
        let server = try TestServer { request in
            // Echoes as it reads: neither side ever holds all of it.
            Response(status: .ok, body: .stream(request.body, length: nil))
        }
        let chunk = [UInt8](repeating: 0x5A, count: 50_000)
        let body = RepeatedBody(400, of: chunk)
        let response = try await server.send(
            server.request("/", .post, body: .stream(body, length: nil)))
        var count = 0
        while let bytes = try await response.body.next() {
            #expect(bytes.allSatisfy { $0 == 0x5A })
            count += bytes.count
        }
        #expect(count == 400 * chunk.count)
        // The connection is as good as new.
        #expect(try await server.text(server.request("/")) == "")
        #expect(server.server.connectionCount == 1)
        await server.stop()
    }

    @Test func `a response that nobody reads to its end takes the connection with it`() async throws
    {
        let server = try TestServer { request in
            request.pathText == "/big"
                ? Response(
                    status: .ok,
                    body: .stream(
                        RepeatedBody(10_000, of: [UInt8](repeating: 1, count: 10_000)), length: nil)
                )
                : .text("small")
        }
        do {
            let response = try await server.send(server.request("/big"))
            _ = try await response.body.next()
        }
        try await Eventually.holds { server.server.connectionCount == 0 }
        #expect(try await server.text(server.request("/small")) == "small")
        await server.stop()
    }

    @Test func `a server that says nothing costs the first byte's deadline`() async throws {
        let gate = Signal()
        let server = try TestServer { _ in
            await gate.wait()
            return .text("late")
        }
        var request = server.request("/")
        request.deadlines.firstByte = .milliseconds(20)
        let silent = request
        await #expect(throws: ClientError.timedOut(.firstByte)) { try await server.send(silent) }
        request.deadlines = Deadlines(whole: .milliseconds(20))
        let slow = request
        await #expect(throws: ClientError.timedOut(.whole)) { try await server.send(slow) }
        gate.fire()
        await server.stop()
    }

    @Test func `a kept connection that the server has closed is tried again once`() async throws {
        // Answers the first request of a connection and closes at the second, as a server does whose
        // patience with idle connections ends just then.
        let counts = Lock<[Int]>([])
        let fake = try FakeServer { index, connection in
            connection.read()
            counts.withLock { $0.append(index) }
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            if index == 0 { connection.read() }
        }
        let server = try TestServer { _ in .text("") }
        var request = server.request("/")
        request.port = fake.address.port
        #expect(try await server.text(request) == "ok")
        #expect(try await server.text(request) == "ok")
        #expect(counts.withLock { $0 } == [0, 1])
        await server.stop()
    }

    @Test func `a request that may not be repeated is not`() async throws {
        let fake = try FakeServer { index, connection in
            connection.read()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            connection.read()
        }
        let server = try TestServer { _ in .text("") }
        var request = server.request("/", .post, body: .bytes([1]))
        request.port = fake.address.port
        let post = request
        #expect(try await server.text(post) == "ok")
        await #expect(throws: ClientError.closed) { try await server.text(post) }
        await server.stop()
    }

    @Test(arguments: [
        ("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", ClientError.body(.closed)),
        ("HTTP/1.1 20", .closed), ("SSH-2.0-OpenSSH\r\n\r\n", .malformed), ("", .closed),
    ])
    func `an answer that is none, or not whole, is an error`(
        answer: String, error: ClientError
    ) async throws {
        let fake = try FakeServer { _, connection in
            connection.read()
            connection.send(answer)
        }
        let server = try TestServer { _ in .text("") }
        var request = server.request("/")
        request.port = fake.address.port
        let sent = request
        await #expect(throws: error) { try await server.text(sent) }
        await server.stop()
    }

    @Test func `nobody there is told at once`() async throws {
        let server = try TestServer { _ in .text("") }
        // A port that was free a moment ago.
        let probe = try Listener.open(SocketAddress(.v4(0x7F00_0001), port: 0), shared: false)
        var request = server.request("/")
        request.port = try System.localAddress(probe.number).port
        _ = consume probe
        do throws(ClientError) {
            _ = try await server.send(request)
            Issue.record("somebody answered")
        } catch {
            guard case .unreachable = error else { throw error }
        }
        await server.stop()
    }

    @Test func `more requests than connections wait for one`() async throws {
        var limits = ClientLimits()
        limits.connectionsPerPeer = 2
        let open = Atomic<Int>(0)
        let most = Atomic<Int>(0)
        let server = try TestServer(clientLimits: limits) { request in
            let now = open.add(1, ordering: .relaxed).newValue
            most.max(now, ordering: .relaxed)
            for _ in 0..<5 {
                await withCheckedContinuation { done in request.loop.execute { done.resume() } }
            }
            open.subtract(1, ordering: .relaxed)
            return .text("x")
        }
        try await withThrowingTaskGroup(of: String.self) { group in
            for index in 0..<20 {
                group.addTask { try await server.text(server.request("/\(index)")) }
            }
            for try await text in group { #expect(text == "x") }
        }
        #expect(most.load(ordering: .relaxed) == 2)
        #expect(server.server.connectionCount == 2)
        await server.stop()
    }

    @Test func `over TLS all of it holds, and a stranger's certificate does not`() async throws {
        let authority = try TestAuthority()
        let issued = try authority.issue("net")
        let tls = try TLSServerConfiguration(
            certificateChainFile: issued.certificateFile, privateKeyFile: issued.keyFile)
        let trusting = try TLSClientConfiguration(caFile: authority.certificateFile)
        let content = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 / 777) }
        let file = try TemporaryFile(content)
        let server = try TestServer(tls: tls, clientTLS: trusting) { request in
            switch request.pathText {
            case "/echo": Response(status: .ok, body: .stream(request.body, length: nil))
            case "/file":
                Response(
                    status: .ok, body: .file(FileSlice(file: file, pieces: [.range(0..<200_000)])))
            default: .text(request.secure ? "secure" : "plain")
            }
        }
        #expect(try await server.text(server.request("/", secure: true)) == "secure")
        #expect(
            try await server.text(server.request("/", secure: true, host: "localhost")) == "secure")
        let body = RepeatedBody(100, of: [UInt8](repeating: 3, count: 30_000))
        let echo = try await server.send(
            server.request("/echo", .post, body: .stream(body, length: nil), secure: true))
        #expect(try await echo.collect(limit: 1 << 24).count == 3_000_000)
        let sent = try await server.send(server.request("/file", secure: true))
        #expect(try await sent.collect(limit: 1 << 20) == content)
        await server.stop()

        let stranger = try TestServer(tls: tls, clientTLS: try TLSClientConfiguration()) { _ in
            .text("never")
        }
        do throws(ClientError) {
            _ = try await stranger.send(stranger.request("/", secure: true))
            Issue.record("a stranger was believed")
        } catch {
            guard case .tls(.untrusted) = error else { throw error }
        }
        await stranger.stop()
    }

    /// In TLS 1.2 the server's last word of the handshake comes last, and what it says unasked may
    /// stand right behind it.
    @Test func `a word behind the handshake that nobody asked for ends the connection`()
        async throws
    {
        let authority = try TestAuthority()
        let issued = try authority.issue("net")
        let server = try FakeServer { _, connection in
            TLS12Server(issued)?.greet(
                connection, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nearly")
        }
        let local = try TestServer(
            clientTLS: try TLSClientConfiguration(caFile: authority.certificateFile)
        ) { _ in .text("unused") }
        let request = ClientRequest(
            .get, secure: true, host: "127.0.0.1", port: server.address.port,
            target: Array("/".utf8))
        for _ in 0..<3 {
            await #expect(throws: ClientError.malformed) { try await local.text(request) }
        }
        await local.stop()
    }

    /// A server that ends a kept connection without TLS's own goodbye says nothing about whom it
    /// is: what was asked then is asked again, as it is without TLS.
    @Test func `a kept TLS connection that is just cut is replaced by a new one`() async throws {
        let authority = try TestAuthority()
        let issued = try authority.issue("net")
        let tls = try TLSServerConfiguration(
            certificateChainFile: issued.certificateFile, privateKeyFile: issued.keyFile)
        let trusting = try TLSClientConfiguration(caFile: authority.certificateFile)
        let server = try FakeServer { index, connection in
            connection.speak(tls, answers: 1 + index) { _ in
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n#\(index)"
            }
        }
        let local = try TestServer(clientTLS: trusting) { _ in .text("unused") }
        let request = ClientRequest(
            .get, secure: true, host: "127.0.0.1", port: server.address.port,
            target: Array("/".utf8))
        #expect(try await local.text(request) == "#0")
        #expect(try await local.text(request) == "#1")
        await local.stop()
    }

    /// An answer may begin before its request has ended, and then nobody waits for its first byte.
    @Test func `an answer that has begun is not late when its request ends`() async throws {
        let request = Signal()
        let server = try FakeServer { _, connection in
            connection.read()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nno")
            request.fire()
            connection.read()
            // No state is waited for: longer than a first byte may take has to pass.
            usleep(300_000)
            connection.send("w!")
        }
        let local = try TestServer { _ in .text("unused") }
        var asked = ClientRequest(
            .post, secure: false, host: "127.0.0.1", port: server.address.port,
            target: Array("/".utf8), body: .stream(GatedBody(request), length: 1))
        asked.deadlines.firstByte = .milliseconds(100)
        #expect(try await local.text(asked) == "now!")
        await local.stop()
    }

    @Test func `the guard stops a connection to what is not public`() async throws {
        let server = try TestServer { _ in .text("inside") }
        var request = server.request("/")
        request.outbound = OutboundGuard()
        for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"] {
            request.host = host
            let refused = request
            await #expect(throws: ClientError.addressRefused) { try await server.send(refused) }
        }
        // What an operator lists is let through, on the same client.
        let loopback = try #require(NetworkRange("127.0.0.0/8"))
        request.outbound = OutboundGuard(allowed: [loopback])
        request.host = "127.0.0.1"
        #expect(try await server.text(request) == "inside")
        await server.stop()
    }
}

/// One byte that comes when the signal has been given.
private final class GatedBody: BodySource {
    private let gate: Signal
    private let left = Atomic<Int>(1)

    init(_ gate: Signal) { self.gate = gate }

    func next() async throws(BodyError) -> [UInt8]? {
        await gate.wait()
        return left.subtract(1, ordering: .relaxed).newValue == 0 ? [1] : nil
    }
}

/// Where others may send us: docs/federation §6, address by address.
struct OutboundGuardTests {
    @Test(arguments: [
        ("93.184.216.34:443", true), ("93.184.216.34:8080", true), ("93.184.216.34:22", false),
        ("93.184.216.34:80", false), ("10.0.0.1:443", false), ("169.254.169.254:443", false),
        ("[2606:2800:220:1::1]:443", true), ("[::1]:443", false), ("[fe80::1]:443", false),
        ("[::ffff:10.0.0.1]:443", false), ("[64:ff9b::a00:1]:443", false),
        ("[2002:a00:1::]:443", false), ("[::ffff:0:a00:1]:443", false),
        ("168.63.129.16:443", false), ("[4000::1]:443", false), ("[fc00::1]:443", false),
        ("[::ffff:93.184.216.34]:443", true), ("[3ffe::1]:443", true),
    ])
    func `an address is public on a harmless port or refused`(text: String, isAllowed: Bool) throws
    {
        let address = try #require(SocketAddress(text))
        #expect(OutboundGuard().allows(address) == isAllowed)
    }

    @Test func `port 80 is for those who allow peers without TLS`() throws {
        let address = try #require(SocketAddress("93.184.216.34:80"))
        #expect(OutboundGuard(insecurePeers: true).allows(address))
        let network = try #require(NetworkRange("10.0.0.0/8"))
        let inside = try #require(SocketAddress("10.1.2.3:3032"))
        #expect(OutboundGuard(allowed: [network]).allows(inside))
        #expect(!OutboundGuard().allows(inside))
    }
}
