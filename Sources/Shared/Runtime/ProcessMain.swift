import Base
import Glibc
import Net

/// The settings that every role has.
public enum ProcessSettings {
    /// Where `/metrics` and `/health` are.
    public static let operations = Setting(
        "operations.listen", .optional(.listenAddress), default: "",
        help: "Where operators read /metrics and /health; keep it private")
    /// How much is logged.
    public static let logLevel = Setting(
        "log.level", .logLevel, default: "info", help: "Below it nothing is logged")
    /// How log lines look.
    public static let logFormat = Setting<LogFormat>(
        "log.format", .word, default: "auto",
        help: "How log lines look on stderr; auto is logfmt on a terminal and json otherwise")
    /// Whether requests are logged.
    public static let logAccess = Setting(
        "log.access", .bool, default: "true", help: "Whether every request is logged")
    /// How many event loops.
    public static let loops = Setting(
        "loops", .int(0...256), default: "0", unit: "threads",
        help: "How many event loops run; 0 is one for each core")
    /// Whether this is a test.
    public static let testing = Setting(
        "testing", .bool, default: "false",
        help: "Opens what only tests may use; accepted with loopback addresses alone")
    /// Whether public addresses may go without TLS.
    public static let insecure = Setting(
        "insecure", .bool, default: "false",
        help: "Lets a public address go without TLS, for nodes behind a proxy that adds it")

    /// All of them.
    public static let all: [any AnySetting] = [
        operations, logLevel, logFormat, logAccess, loops, testing, insecure,
    ]
}

/// The settings of all roles together.
public enum NodeSettings {
    /// Their keys, but for `ProcessSettings`. One file, or one environment, may serve the whole
    /// node: a role passes over what is another's, and refuses what is nobody's.
    public static let keys = [
        "assets.engines", "assets.largest_file", "assets.platforms", "cluster.key", "eta.admin",
        "eta.data", "eta.listen", "federation.allow_networks", "federation.ca_file",
        "federation.discovery_age", "federation.insecure_peers", "federation.mode",
        "files.free_floor",
        "files.node_quota", "files.sweep", "files.user_quota", "ins.capacity", "ins.credential",
        "ins.name", "ins.region", "ins.reil", "ins.secure", "ins.tick",
        "instances.candidate_limit", "instances.empty_grace", "instances.hold",
        "instances.queue_limit", "instances.queue_silence", "instances.visitors",
        "limits.challenges", "limits.connections", "limits.creations",
        "limits.exempt",
        "limits.login_account_burst", "limits.login_account_interval", "limits.login_burst",
        "limits.login_interval", "limits.meetings", "limits.register", "limits.reports",
        "limits.requests",
        "limits.requests_burst", "limits.server_requests", "limits.server_requests_burst",
        "limits.uploads", "moderation.agents", "moderation.reports",
        "moderation.rules", "node.address", "node.secure", "node.title", "passwords.scrypt_log_n",
        "reil.eta", "reil.gateway", "reil.link_address", "reil.listen", "reil.orphan_grace",
        "reil.tls_certificate", "reil.tls_key", "reil.trusted_proxies",
        "services.check_interval", "services.first_byte", "services.limit", "services.per_owner",
        "services.sockets", "sockets.origins",
        "sockets.queue", "sockets.resume_window", "sockets.unauthenticated", "sockets.user",
        "users.default_tags", "users.fallback_home", "users.registration",
    ]
}

/// What a role is given to start with.
public struct Launch: Sendable {
    /// What the command line asks for.
    public let invocation: Invocation
    /// The machine's clocks, whose wall clock tests may move.
    public let clock: SystemClock
    /// The outside.
    public let ambient: Ambient
    /// The loops: as many as `loops` says, or one for a subcommand.
    public let group: EventLoopGroup

    /// The settings.
    public var config: ConfigReader { invocation.config }

    /// Tries until `attempt` gives something, first soon and then every second, and says what for.
    public func waitFor<Value: Sendable>(
        _ what: String, _ attempt: () async throws -> Value?
    ) async throws -> Value {
        var delay = Duration.milliseconds(20)
        var told = ambient.clock.now()
        var isTold = false
        while true {
            if let value = try await attempt() { return value }
            let now = ambient.clock.now()
            if !isTold || now - told > .seconds(10) {
                ambient.log.notice("waiting", .text("for", what))
                (isTold, told) = (true, now)
            }
            await group.loops[0].pause(for: delay)
            delay = min(delay * 2, .seconds(1))
        }
    }

    /// A subcommand's answer.
    public func answer(_ text: String) { Stream.output.write(line: text) }

    /// A subcommand's answer to `--json`.
    public func answer(json value: JSONValue) {
        var writer = ByteWriter()
        writer.append(json: value)
        writer.append(UInt8(ascii: "\n"))
        Stream.output.write(writer)
    }

    /// Asks before what cannot be taken back; `--yes` answers for who cannot be asked.
    public func confirm(_ question: String) throws(ConfigError) {
        if invocation.yes { return }
        guard isatty(STDIN_FILENO) == 1 else { throw .usage("\(question) Add --yes if so") }
        Stream.error.write(line: question + " [y/N]")
        guard let reply = readLine(), ["y", "yes"].contains(reply.lowercased()) else {
            throw .usage("not confirmed, nothing was done")
        }
    }
}

/// A role put together, ready to be started.
public struct Serving: Sendable {
    /// Its parts, in the order in which they start.
    public let components: [any Component]
    /// What the ready line gives as address, asked once all have started.
    public let address: @Sendable () -> String
    /// What `/health` of the operations address says besides `ok`; nil is not well.
    public let health: @Sendable () -> JSONObject?
    /// What SIGHUP does: read certificates again.
    public let reload: @Sendable () -> Void

    /// A role of these parts.
    public init(
        _ components: [any Component], address: @escaping @Sendable () -> String,
        health: @escaping @Sendable () -> JSONObject? = { JSONObject() },
        reload: @escaping @Sendable () -> Void = {}
    ) {
        self.components = components
        self.address = address
        self.health = health
        self.reload = reload
    }
}

/// The life of a process, the same for all roles: `static func main() { ProcessMain.run(program) }`.
///
/// Exit codes: 0 when told to stop, 1 for a fault, 2 for bad configuration (docs/operate/README.md).
public enum ProcessMain {
    /// Reads the command line, does what it says, and ends the process.
    public static func run(
        _ program: Program, arguments: [String] = Array(CommandLine.arguments.dropFirst()),
        environment: [String: String]? = nil
    ) -> Never {
        Signals.block()
        System.prepareProcess()
        let life = Life(program.name)
        let launch: Launch
        do {
            let outcome = try CommandLineReader.read(
                program, arguments, environment: environment ?? readEnvironment())
            guard case .invoke(let invocation) = outcome else {
                if case .show(let text) = outcome { Stream.output.write(line: text) }
                life.end(0)
            }
            launch = try life.prepare(invocation)
        } catch {
            life.end(because: error)
        }
        // The one task that is started from nowhere; all others are its children, or belong to a
        // connection. It may not be the main actor's, whose thread waits for signals.
        Task.detached {
            do {
                if let subcommand = launch.invocation.subcommand {
                    try await subcommand.run(launch)
                } else {
                    try await life.serve(program, launch)
                }
            } catch {
                life.end(because: error)
            }
            life.end(0)
        }
        life.watchSignals()
    }

    // SAFETY: `environ` is read before any other thread could change it.
    private static func readEnvironment() -> [String: String] {
        var all: [String: String] = [:]
        var entry = unsafe environ
        while let text = unsafe entry.pointee {
            let pair = unsafe String(cString: text).split(separator: "=", maxSplits: 1)
            if pair.count > 0 { all[String(pair[0])] = pair.count > 1 ? String(pair[1]) : "" }
            unsafe entry += 1
        }
        return all
    }
}

/// What the main thread and the task share: how far the process is, and how it ends.
private final class Life: Sendable {
    private struct State {
        var sink: StderrSink?
        var isReady = false
        var isCommand = false
        var reload: @Sendable () -> Void = {}
        var stopLimit = Duration.zero
        var log: Log?
    }

    private let name: String
    private let stop = StopRequest()
    private let state = Lock(State())

    init(_ name: String) { self.name = name }

    func prepare(_ invocation: Invocation) throws -> Launch {
        let config = invocation.config
        let isCommand = invocation.subcommand != nil
        let clock = SystemClock()
        let sink = StderrSink(
            format: config[ProcessSettings.logFormat], access: config[ProcessSettings.logAccess],
            clock: clock)
        // Who runs a subcommand wants its answer, not its life.
        let level =
            isCommand && !config.isSet(ProcessSettings.logLevel)
            ? .warning : config[ProcessSettings.logLevel]
        let log = Log(sink: sink, clock: clock, level: level)
        state.withLock { state in
            state.sink = sink
            state.log = log
            state.isCommand = isCommand
        }
        let metrics = Metrics()
        metrics.reading("reileta_log_dropped_lines", help: "Log lines lost to a slow reader") {
            Double(sink.dropped)
        }
        ProcessFigures.add(to: metrics, started: clock.timestamp())
        let ambient = Ambient(clock: clock, random: SystemRandom(), log: log, metrics: metrics)
        let group = try EventLoopGroup(
            count: isCommand ? 1 : config[ProcessSettings.loops], ambient: ambient)
        return Launch(invocation: invocation, clock: clock, ambient: ambient, group: group)
    }

    func serve(_ program: Program, _ launch: Launch) async throws {
        let serving = try await program.serve(launch)
        let log = launch.ambient.log
        let operations = launch.config[ProcessSettings.operations].map { listen in
            let responder = OperationsResponder(
                metrics: launch.ambient.metrics, health: serving.health)
            let server = HTTPServer(group: launch.group, name: "operations", responder: responder)
            return ServerComponent(
                "operations", server, listen: listen, setting: ProcessSettings.operations)
        }
        // First, so that it is there to say how the others start and stop.
        let parts = (operations.map { [$0] } ?? []) + serving.components
        let group = ComponentGroup(parts, loop: launch.group.loops[0], log: log)
        state.withLock { state in
            state.reload = serving.reload
            state.stopLimit = group.stopLimit
        }
        try await group.run(until: stop) {
            state.withLock { $0.isReady = true }
            let ready: JSONObject = [
                "role": .string(program.name), "address": .string(serving.address()),
                "operations": operations?.address.map { .string("\($0)") } ?? .null,
                "pid": .integer(Int64(getpid())),
            ]
            var line = ByteWriter()
            line.append("ready ")
            line.append(json: .object(ready))
            line.append(UInt8(ascii: "\n"))
            Stream.output.write(line)
        }
        log.notice("stopped")
    }

    /// The main thread's whole work.
    func watchSignals() -> Never {
        var due: Instant?
        let clock = SystemClock()
        while true {
            let signal = Signals.wait(atMost: .seconds(1))
            let (log, isReady, limit, reload) = state.withLock {
                ($0.log, $0.isReady, $0.stopLimit, $0.reload)
            }
            let isCommand = state.withLock(\.isCommand)
            switch signal {
            case .reload:
                log?.notice("reloading")
                reload()
            case .stop:
                // What has not begun can be broken off: nothing was acknowledged yet.
                if isCommand {
                    Stream.error.write(line: "\(name): broken off")
                    end(1)
                }
                if stop.isMade || !isReady {
                    log?.notice("stopping at once")
                    end(0)
                }
                log?.notice("stopping")
                stop.make()
            case nil: break
            }
            if stop.isMade {
                let limit = due ?? clock.now() + limit + .seconds(5)
                due = limit
                if clock.now() > limit {
                    log?.error("does not end, ending it")
                    end(1)
                }
            }
        }
    }

    func end(because error: any Error) -> Never {
        let isConfig = error is ConfigError
        let line =
            switch error {
            case let error as ConfigError: error.line
            case let fault as Fault: fault.line
            case let error as SystemError:
                "\(error): see what the machine lacks, and start again"
            case _: "fault: \(error); what was acknowledged is safe, start again"
            }
        state.withLock(\.sink)?.flush()
        Stream.error.write(line: "\(name): \(line)")
        end(isConfig ? 2 : 1)
    }

    /// Without `atexit`, whose destructors would pull the ground from under running threads.
    func end(_ code: Int32) -> Never {
        state.withLock(\.sink)?.flush()
        _exit(code)
    }
}
