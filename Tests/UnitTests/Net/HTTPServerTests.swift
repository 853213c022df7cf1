import Base
import HTTP
import Synchronization
import Testing

@testable import Net

/// A real server on a real socket, spoken to byte by byte.
struct HTTPServerTests {
    @Test func `a request is answered and the connection kept`() async throws {
        let server = try TestServer { .text("you asked for \($0.pathText)") }
        let socket = try server.connect()
        for path in ["/a", "/b"] {
            socket.send("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
            let answer = try #require(await socket.receive(until: "asked for \(path)"))
            #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(answer.contains("\r\nContent-Length: 16\r\n"))
        }
        await server.stop()
    }

    @Test func `pipelined requests are answered in order`() async throws {
        let server = try TestServer { .text("<\($0.pathText)>") }
        let socket = try server.connect()
        socket.send((0..<50).map { "GET /\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
        let answers = try #require(await socket.receive(until: "</49>"))
        let found = answers.split(separator: "<").dropFirst().compactMap {
            $0.split(separator: ">").first
        }
        #expect(found.map(String.init) == (0..<50).map { "/\($0)" })
        await server.stop()
    }

    @Test func `who sends many requests and reads nothing has few answers made`() async throws {
        let made = Atomic<Int>(0)
        let size = 100_000
        let body = [UInt8](repeating: UInt8(ascii: "a"), count: size)
        let server = try TestServer { request in
            if request.pathText == "/other" { return .text("other") }
            made.add(1, ordering: .relaxed)
            return Response(status: .ok, body: .bytes(body))
        }
        let (socket, count) = (try server.connect(receiveBuffer: 4_096), 500)
        socket.send(String(repeating: "GET / HTTP/1.1\r\nHost: x\r\n\r\n", count: count))
        // Who comes later is answered: the loop is done with the first as far as it goes.
        let other = try server.connect()
        other.send("GET /other HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try await other.receive(until: "other") != nil)
        // The kernel takes some megabytes, and the bound is a quarter of one.
        #expect(made.load(ordering: .relaxed) < count / 3)
        var left = count * size
        while left > 0, let bytes = try await socket.receive(), !bytes.isEmpty {
            left -= bytes.count { $0 == UInt8(ascii: "a") }
        }
        #expect(left <= 0)
        #expect(made.load(ordering: .relaxed) == count)
        await server.stop()
    }

    @Test func `a handler that waits keeps the loop free for others`() async throws {
        let gate = Signal()
        let server = try TestServer { request in
            if request.pathText == "/slow" {
                await gate.wait()
                #expect(request.loop.isCurrent, "it went on elsewhere")
            }
            #expect(request.loop.isCurrent)
            return .text(request.pathText)
        }
        let slow = try server.connect()
        slow.send("GET /slow HTTP/1.1\r\nHost: x\r\n\r\nGET /after HTTP/1.1\r\nHost: x\r\n\r\n")
        let fast = try server.connect()
        fast.send("GET /fast HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try await fast.receive(until: "/fast") != nil)
        gate.fire()
        #expect(try await slow.receive(until: "/after")?.contains("/slow") == true)
        await server.stop()
    }

    @Test func `what is no request gets one answer and the end`() async throws {
        let server = try TestServer { _ in .text("never") }
        let socket = try server.connect()
        socket.send("GET / HTTP/1.1\r\nHost : x\r\n\r\n")
        let answer = try #require(await socket.receiveAll())
        #expect(answer.hasPrefix("HTTP/1.1 400 "))
        #expect(!answer.contains("never"))
        await server.stop()
    }

    @Test func `a body is waited for, with a word to the client that waits too`() async throws {
        let server = try TestServer { request in
            do throws(BodyError) {
                return .text("got \(try await request.body.collect(limit: 100).count)")
            } catch {
                return Response(status: .badRequest)
            }
        }
        let socket = try server.connect()
        socket.send(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
        #expect(try await socket.receive(until: "100 Continue\r\n\r\n") != nil)
        socket.send("he")
        socket.send("llo")
        #expect(try await socket.receive(until: "got 5") != nil)
        // The connection goes on, with chunks this time.
        socket.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        socket.send("2\r\nde\r\n0\r\n\r\n")
        #expect(try await socket.receive(until: "got 5") != nil)
        await server.stop()
    }

    @Test func `a body shorter than told ends in an error for whoever reads it`() async throws {
        let seen = Lock<BodyError?>(nil)
        let done = Signal()
        let server = try TestServer { request in
            do throws(BodyError) {
                _ = try await request.body.collect(limit: 100)
            } catch {
                seen.withLock { $0 = error }
            }
            done.fire()
            return .text("late")
        }
        let socket = try server.connect()
        socket.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello")
        socket.shutdownWriting()
        await done.wait()
        #expect(seen.withLock { $0 } == .closed)
        await server.stop()
    }

    @Test func `a body longer than told is the next request, and refused`() async throws {
        let server = try TestServer { request in
            _ = try? await request.body.collect(limit: 100)
            return .text("one")
        }
        let socket = try server.connect()
        socket.send(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello, and more\r\n\r\n")
        let answers = try #require(await socket.receiveAll())
        #expect(answers.contains("one"))
        #expect(answers.contains("HTTP/1.1 400 "))
        await server.stop()
    }

    @Test func `a client that sends a byte at a time is cut off in time`() async throws {
        var limits = ServerLimits()
        limits.http.headTime = .milliseconds(50)
        let server = try TestServer(limits: limits) { _ in .text("never") }
        let socket = try server.connect()
        socket.send("GET / HTTP/1.1\r\nHo")
        let answer = try #require(await socket.receiveAll())
        #expect(answer.hasPrefix("HTTP/1.1 408 "))
        await server.stop()
        #expect(server.server.connectionCount == 0)
    }

    @Test func `an idle connection ends after its time`() async throws {
        var limits = ServerLimits()
        limits.http.idleTime = .milliseconds(30)
        let server = try TestServer(limits: limits) { _ in .text("x") }
        let socket = try server.connect()
        socket.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try await socket.receiveAll()?.hasSuffix("x") == true)
        await server.stop()
    }

    @Test func `a handler is cancelled when its peer goes`() async throws {
        let started = Signal()
        let cancelled = Signal()
        let gate = Signal()
        let server = try TestServer { _ in
            await withTaskCancellationHandler {
                started.fire()
                await gate.wait()
            } onCancel: {
                cancelled.fire()
            }
            return .text("for nobody")
        }
        do {
            let socket = try server.connect()
            socket.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await started.wait()
            socket.reset()
        }
        await cancelled.wait()
        gate.fire()
        await server.stop()
        #expect(server.server.connectionCount == 0)
    }

    @Test func `a big answer is asked for no faster than the peer takes it`() async throws {
        let body = RepeatedBody(4_096, of: [UInt8](repeating: 7, count: 16_384))
        let server = try TestServer { _ in
            Response(status: .ok, body: .stream(body, length: 4_096 * 16_384))
        }
        let socket = try server.connect(receiveBuffer: 65_536)
        socket.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        var first = 0
        while first < 1_024, let bytes = try await socket.receive(upTo: 1_024) {
            first += bytes.count
        }
        // 64 MiB are to be had; the server's bound, the kernel's buffers, and no more were asked.
        // A round trip through the loop makes sure that it has done what it wants to do.
        let other = try server.connect()
        other.send("BAD\r\n\r\n")
        _ = try await other.receiveAll()
        #expect(body.asked.load(ordering: .relaxed) < 1_024)
        var count = first
        while let bytes = try await socket.receive(), !bytes.isEmpty { count += bytes.count }
        #expect(count > 4_096 * 16_384)
        await server.stop()
    }

    @Test func `a big body is read no faster than somebody asks for it`() async throws {
        let gate = Signal()
        let total = Atomic<Int>(0)
        let server = try TestServer { request in
            await gate.wait()
            while let chunk = try? await request.body.next() {
                total.add(chunk.count, ordering: .relaxed)
            }
            return .text("all")
        }
        let size = 32 << 20
        let answer = Lock<String?>(nil)
        let sent = Atomic<Int>(0)
        let address = server.address
        async let upload: Void = BlockingPool.once {
            guard let socket = try? RawSocket(address) else { return }
            socket.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: \(size)\r\n\r\n")
            let piece = [UInt8](repeating: 1, count: 65_536)
            for _ in 0..<size / piece.count {
                guard socket.send(piece) else { break }
                sent.add(piece.count, ordering: .relaxed)
            }
            let bytes = socket.receiveNow() ?? []
            answer.withLock { $0 = String(decoding: bytes, as: UTF8.self) }
        }
        // Nobody reads yet: what was taken is the kernel's buffers and the machine's bound.
        try await Eventually.settles { sent.load(ordering: .relaxed) }
        #expect(sent.load(ordering: .relaxed) < size)
        gate.fire()
        await upload
        #expect(total.load(ordering: .relaxed) == size)
        #expect(answer.withLock { $0 }?.hasSuffix("all") == true)
        await server.stop()
    }

    @Test func `one address has only so many connections`() async throws {
        var limits = ServerLimits()
        limits.connectionsPerAddress = 2
        let server = try TestServer(limits: limits) { _ in .text("in") }
        let first = try server.connect()
        let second = try server.connect()
        for socket in [first, second] {
            socket.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(try await socket.receive(until: "in") != nil)
        }
        let third = try server.connect()
        third.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(try await third.receive(until: "in") == nil)
        await server.stop()
    }

    @Test func `draining lets a request end and refuses new connections`() async throws {
        let started = Signal()
        let gate = Signal()
        let server = try TestServer { _ in
            started.fire()
            await gate.wait()
            return .text("the end")
        }
        let socket = try server.connect()
        socket.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await started.wait()
        // It runs to its first wait at once; what each loop was told to do is done when it comes to
        // what it was told afterwards.
        let drained = Task.immediate { await server.server.drain(deadline: .seconds(5)) }
        for loop in server.group.loops {
            await withCheckedContinuation { told in loop.execute { told.resume() } }
        }
        gate.fire()
        let answer = try #require(await socket.receiveAll())
        #expect(answer.contains("Connection: close"))
        #expect(answer.hasSuffix("the end"))
        await drained.value
        #expect(throws: SystemError.self) { _ = try server.connect() }
        await server.stop()
    }

    @Test func `draining takes one deadline, on however many loops`() async throws {
        let waiting = Atomic<Int>(0)
        let gate = Signal()
        let (loops, deadline) = (4, Duration.milliseconds(800))
        let server = try TestServer(loops: loops) { _ in
            waiting.add(1, ordering: .relaxed)
            await gate.wait()
            return .text("never in time")
        }
        // So many that none of the loops is left out: the kernel deals them.
        let sockets = try (0..<40).map { _ in try server.connect() }
        for socket in sockets { socket.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n") }
        try await Eventually.holds { waiting.load(ordering: .relaxed) == sockets.count }
        let began = ContinuousClock.now
        await server.server.drain(deadline: deadline)
        #expect(ContinuousClock.now - began < deadline * 2)
        gate.fire()
        await server.stop()
    }

    @Test func `each request is counted and written to the access log`() async throws {
        let sink = RecordingSink()
        let clock = SystemClock()
        let ambient = Ambient(
            clock: clock, random: SystemRandom(), log: Log(sink: sink, clock: clock))
        let route = RouteMetrics(method: "GET", route: "/w/:id", metrics: ambient.metrics)
        let server = try TestServer(ambient: ambient) { _ in
            var response = Response.text("abc")
            response.route = route
            response.accessTarget = Array("/w/1".utf8)
            return response
        }
        _ = try await server.text(server.request("/w/1?token=secret"))
        await server.stop()
        let entries = sink.entries.withLock { $0 }
        #expect(entries.count == 1)
        #expect(entries.first?.target == Array("/w/1".utf8))
        #expect(entries.first?.status == 200)
        #expect(entries.first?.bytes == 3)
        #expect(entries.first?.client == "127.0.0.1")
        let metrics = ambient.metrics.render()
        let labels = #"method="GET",route="/w/:id""#
        #expect(metrics.contains("http_requests_total{\(labels),status=\"200\"} 1"))
        #expect(metrics.contains("http_request_seconds_count{\(labels)} 1"))
        #expect(metrics.contains("http_connections{server=\"http\"} 0"))
    }

    @Test func `parts of a file are sent in order, with what stands between them`() async throws {
        let content = (0..<300_000).map { UInt8(truncatingIfNeeded: $0 / 1_000) }
        let file = try TemporaryFile(content)
        let server = try TestServer { _ in
            Response(
                status: .ok,
                body: .file(
                    FileSlice(
                        file: file,
                        pieces: [
                            .bytes(Array("<".utf8)), .range(0..<1_000), .bytes(Array("|".utf8)),
                            .range(1_000..<300_000), .bytes(Array(">".utf8)),
                        ])))
        }
        let expected = Array("<".utf8) + content[..<1_000] + Array("|".utf8) + content[1_000...]
        for _ in 0..<2 {
            let response = try await server.send(server.request("/"))
            #expect(response.bodyLength == 300_003)
            #expect(try await response.collect(limit: 1 << 20) == expected + Array(">".utf8))
        }
        await server.stop()
    }
}

final class RecordingSink: LogSink {
    let entries = Lock<[AccessEntry]>([])
    func write(_ event: LogEvent) {}
    func write(_ access: AccessEntry) { entries.withLock { $0.append(access) } }
}
