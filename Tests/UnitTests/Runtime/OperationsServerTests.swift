import Base
import Glibc
import HTTP
import Net
import Runtime
import Testing

private let listen = Setting(
    "test.listen", .listenAddress, default: "127.0.0.1:0", help: "Where the test listens")

/// Sends `request` over a socket of its own and reads until the server closes.
private func exchange(_ address: SocketAddress, _ request: String) -> String {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var target = sockaddr_in()
    target.sin_family = sa_family_t(AF_INET)
    target.sin_port = address.port.bigEndian
    target.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let connected = unsafe withUnsafePointer(to: &target) { pointer in
        unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
            unsafe connect(descriptor, pointer, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
    }
    guard connected == 0 else { return "not connected" }
    let text = "\(request) HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    unsafe send(descriptor, text, text.utf8.count, 0)
    var answer: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65_536)
    while true {
        let count = unsafe recv(descriptor, &chunk, chunk.count, 0)
        guard count > 0 else { return String(decoding: answer, as: UTF8.self) }
        answer += chunk[..<count]
    }
}

/// What operators read, over a real socket.
struct OperationsServerTests {
    @Test func `metrics and health are served, and nothing else`() async throws {
        let ambient = Ambient.silent()
        let group = try EventLoopGroup(count: 1, ambient: ambient)
        defer { group.stop() }
        ProcessFigures.add(to: ambient.metrics, started: Timestamp(milliseconds: 5_000))
        ambient.metrics.counter("sample_total", help: "A sample.").add(3)
        let isWell = Lock(true)
        let responder = OperationsResponder(metrics: ambient.metrics) {
            isWell.withLock { $0 } ? ["link": "up"] : nil
        }
        let server = HTTPServer(group: group, name: "operations", responder: responder)
        let part = ServerComponent(
            "operations", server, listen: try #require(SocketAddress("127.0.0.1:0")),
            setting: listen)
        #expect(part.address == nil)
        try await part.start()
        let address = try #require(part.address)
        #expect(address.port > 0)

        let metrics = exchange(address, "GET /metrics")
        #expect(metrics.hasPrefix("HTTP/1.1 200"))
        for line in [
            "sample_total 3\n", "process_start_time_seconds 5.0\n",
            "# TYPE process_resident_memory_bytes gauge\n",
        ] { #expect(metrics.contains(line), "\(line)") }
        let memory = metrics.split(separator: "\n").first {
            $0.hasPrefix("process_resident_memory_bytes ")
        }
        #expect(Double(memory?.split(separator: " ").last ?? "0") ?? 0 > 1_000_000)

        let well = exchange(address, "GET /health")
        #expect(well.hasPrefix("HTTP/1.1 200") && well.hasSuffix(#"{"link":"up","ok":true}"#))
        isWell.withLock { $0 = false }
        let ill = exchange(address, "GET /health")
        #expect(ill.hasPrefix("HTTP/1.1 503") && ill.hasSuffix(#"{"ok":false}"#))
        #expect(exchange(address, "GET /").hasPrefix("HTTP/1.1 404"))
        #expect(exchange(address, "POST /metrics").hasPrefix("HTTP/1.1 405"))

        // The server's own loops may share a port, another process may not.
        let other = HTTPServer(group: group, name: "other", responder: responder)
        let rival = ServerComponent("rival", other, listen: address, setting: listen)
        await #expect(
            throws: Fault(
                "test.listen: cannot listen on \(address), the port is taken",
                remedy: "stop what holds it, or choose another")
        ) { try await rival.start() }
        await part.stop()
    }
}
