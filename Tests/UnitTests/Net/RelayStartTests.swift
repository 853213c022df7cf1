import Base
import HTTP
import Testing

@testable import Net

/// A request that is passed on without a task comes back as it would with one.
struct RelayStartTests {
    /// Passes everything on to `upstream`, by the client that the test gives it.
    private final class Front: Responder {
        let client = Lock<HTTPClient?>(nil)
        private let upstream: Upstream

        init(to port: UInt16) { upstream = Upstream(host: "127.0.0.1", port: port) }

        func begin(_ request: Request) -> Beginning {
            guard let client = client.withLock({ $0 }) else { return .answered(.text("no client")) }
            return .follows { [self] give in
                Relay.start(
                    request, to: upstream, target: Array(request.head.targetBytes),
                    fields: request.head.endToEndFields(), deadlines: Deadlines(whole: nil),
                    client: client
                ) { result in
                    switch result {
                    case .success(let response): give(response)
                    case .failure(let error): give(.text("failed: \(error)"))
                    }
                }
            }
        }
    }

    private func front(
        to port: UInt16, _ limits: ClientLimits = ClientLimits()
    ) throws -> TestServer {
        let front = Front(to: port)
        let server = try TestServer(clientLimits: limits, responder: front)
        front.client.withLock { $0 = server.client }
        return server
    }

    @Test func `answers of any length come back whole, each to its own request`() async throws {
        let origin = try TestServer { request in
            // "/length/name": so many bytes, of which the first are the name.
            let parts = request.pathText.split(separator: "/")
            let (length, name) = (Int(parts[0]) ?? 0, Array(parts[1].utf8))
            let body = name + [UInt8](repeating: 0x5A, count: length)
            return Response(
                status: .ok,
                body: length % 2 == 0
                    ? .bytes(body) : .stream(RepeatedBody(1, of: body), length: nil))
        }
        var limits = ClientLimits()
        limits.connectionsPerPeer = 4
        let server = try front(to: origin.address.port, limits)
        await withTaskGroup(of: Void.self) { group in
            for worker in 0..<12 {
                group.addTask {
                    for (turn, length) in [0, 1, 10, 65_536, 65_537, 300_000, 300_001].enumerated()
                    {
                        let name = "w\(worker)t\(turn)"
                        let text = try? await server.text(server.request("/\(length)/\(name)"))
                        #expect(text?.hasPrefix(name) == true, "\(name): \(text ?? "none")")
                        #expect(text?.utf8.count == name.utf8.count + length)
                    }
                }
            }
        }
        let socket = try server.connect()
        socket.send("HEAD /10/a HTTP/1.1\r\nHost: x\r\n\r\nGET /2/b HTTP/1.1\r\nHost: x\r\n")
        socket.send("Connection: close\r\n\r\n")
        let both = try #require(try await socket.receiveAll())
        #expect(both.contains("Content-Length: 11\r\n\r\nHTTP/1.1 200"))
        #expect(both.hasSuffix("\r\n\r\nbZZ"))
        await server.stop()
        await origin.stop()
    }

    @Test func `a kept connection that the server has closed is tried again once`() async throws {
        let counts = Lock<[Int]>([])
        let fake = try FakeServer { index, connection in
            connection.read()
            counts.withLock { $0.append(index) }
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            connection.read()
        }
        let server = try front(to: fake.address.port)
        for _ in 0..<3 { #expect(try await server.text(server.request("/")) == "ok") }
        #expect(counts.withLock { $0 } == [0, 1, 2])
        await server.stop()
    }

    @Test func `who cannot be reached, or says nonsense, is told of`() async throws {
        let fake = try FakeServer { _, connection in
            connection.read()
            connection.send("what?\r\n\r\n")
        }
        let server = try front(to: fake.address.port)
        for _ in 0..<2 {
            #expect(try await server.text(server.request("/")) == "failed: malformed")
        }
        await server.stop()
        let nobody = try front(to: 1)
        #expect(try await nobody.text(nobody.request("/")).hasPrefix("failed: unreachable"))
        await nobody.stop()
    }

    @Test func `when the client goes, so does the request at the other server`() async throws {
        let (started, ended) = (Signal(), Signal())
        let fake = try FakeServer { index, connection in
            connection.read()
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwarm")
            if index > 0 { return }
            connection.read()
            started.fire()
            // Comes back with more bytes, or at the end.
            connection.read()
            ended.fire()
        }
        let server = try front(to: fake.address.port)
        // From here on a connection is at hand.
        #expect(try await server.text(server.request("/")) == "warm")
        do {
            let socket = try server.connect()
            socket.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await started.wait()
            socket.reset()
        }
        await ended.wait()
        #expect(try await server.text(server.request("/")) == "warm")
        await server.stop()
    }
}
