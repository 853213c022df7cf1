import Base
import Glibc
import HTTP
import Net

/// An HTTP server as a part of a process: listens when it starts, lets requests end when it stops.
public final class ServerComponent: Component {
    /// Its name in the log.
    public let name: String
    /// The server.
    public let server: HTTPServer
    private let listen: SocketAddress
    private let setting: String
    private let bound = Lock<SocketAddress?>(nil)

    /// `server` at what `setting` says; `name` is for the log.
    public init(
        _ name: String, _ server: HTTPServer, listen: SocketAddress, setting: any AnySetting
    ) {
        self.name = name
        self.server = server
        self.listen = listen
        self.setting = setting.key
    }

    /// Where it really listens, once it has started.
    public var address: SocketAddress? { bound.withLock { $0 } }

    /// Listens, or tells which setting names an address that cannot be had.
    public func start() async throws {
        do {
            let address = try server.listen(on: listen)
            bound.withLock { $0 = address }
        } catch {
            let (reason, remedy) =
                switch error.code {
                case EADDRINUSE: ("the port is taken", "stop what holds it, or choose another")
                case EADDRNOTAVAIL:
                    ("no interface has the address", "give one of this machine, or 0.0.0.0")
                case EACCES: ("this user may not", "choose a port above 1023")
                case _: ("\(error)", "give another address")
                }
            throw Fault("\(setting): cannot listen on \(listen), \(reason)", remedy: remedy)
        }
    }

    /// Drains the server.
    public func stop() async { await server.drain(deadline: stopLimit) }
}

/// Answers operators on an address of their own: `GET /metrics` as Prometheus reads it, and
/// `GET /health`, 200 or 503 (docs/operate/README.md).
public struct OperationsResponder: Responder {
    private let metrics: Metrics
    private let health: @Sendable () -> JSONObject?

    /// Shows `metrics`, and what `health` says; nil is not well.
    public init(metrics: Metrics, health: @escaping @Sendable () -> JSONObject?) {
        self.metrics = metrics
        self.health = health
    }

    /// One of the two, or an error.
    public func begin(_ request: Request) -> Beginning { .answered(answer(request)) }

    private func answer(_ request: Request) -> Response {
        guard request.head.method == .get || request.head.method == .head else {
            return Response(status: .methodNotAllowed, fields: Fields((.allow, "GET, HEAD")))
        }
        switch String(decoding: request.head.path, as: UTF8.self) {
        case "/metrics":
            return Response(
                status: .ok,
                fields: Fields((.contentType, "text/plain; version=0.0.4; charset=utf-8")),
                body: .bytes(Array(metrics.render().utf8)))
        case "/health":
            let details = health()
            var answer = details ?? JSONObject()
            answer["ok"] = .boolean(details != nil)
            var body = ByteWriter()
            body.append(json: .object(answer))
            return Response(
                status: details == nil ? .serviceUnavailable : .ok,
                fields: Fields((.contentType, "application/json")), body: .bytes(body.array()))
        case _:
            return Response(status: .notFound)
        }
    }
}

/// What the kernel knows of this process, under the names that Prometheus's tools expect.
public enum ProcessFigures {
    /// Memory, CPU and the start's time; read when somebody asks.
    public static func add(to metrics: Metrics, started: Timestamp) {
        let pageSize = Double(sysconf(Int32(_SC_PAGESIZE)))
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        metrics.reading("process_resident_memory_bytes", help: "Memory in use.") {
            (words("/proc/self/statm").dropFirst().first ?? 0) * pageSize
        }
        metrics.reading("process_cpu_seconds_total", help: "CPU time, user and system.") {
            // Behind the name, which may hold anything but ends in the last parenthesis: from the
            // state, fields 14 and 15 of proc(5) are the 12th and 13th.
            let fields = words("/proc/self/stat", after: ")")
            return fields.count > 12 ? (fields[11] + fields[12]) / ticks : 0
        }
        metrics.reading("process_start_time_seconds", help: "When it started, Unix time.") {
            Double(started.milliseconds) / 1_000
        }
    }

    /// The words of a line as numbers, 0 where they are none.
    private static func words(_ path: String, after mark: Character? = nil) -> [Double] {
        guard let bytes = try? SmallFile.read(path, limit: 4_096) else { return [] }
        var text = String(decoding: bytes, as: UTF8.self)[...]
        if let mark, let end = text.lastIndex(of: mark) { text = text[text.index(after: end)...] }
        return text.split { $0 == " " || $0 == "\n" }.map { Double($0) ?? 0 }
    }
}
