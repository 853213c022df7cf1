// Foundation: reads and writes the files of a process's output.
import Base
import Foundation
import Glibc

/// How a process ended.
public enum ProcessExit: Sendable, Equatable {
    /// By itself, with that code.
    case code(Int32)
    /// By that signal.
    case signal(Int32)

    /// From what `waitpid` gives.
    init(_ status: Int32) {
        let signal = status & 0x7F
        self = signal == 0 ? .code((status >> 8) & 0xFF) : .signal(signal)
    }
}

/// A process of the tests, with its output in files. It never outlives the test process: whatever
/// is still alive is killed when that ends, by id.
public final class TestProcess: Sendable {
    /// What the tests call it.
    public let name: String
    /// Its id.
    public let id: Int32
    private let outputFile: String
    private let logFile: String
    private let exited = Lock<ProcessExit?>(nil)

    /// A parent-death signal counts the death of the *thread* that started the child, so all are
    /// started by one that stays.
    private static let starter = BlockingPool(name: "starter", threads: 1, queueLimit: 1_024)
    private static let alive = Lock<Set<Int32>>([])
    private static let cleansUp: Bool = {
        atexit { TestProcess.killAll() }
        return true
    }()

    /// Starts `executable`; its standard output and error go to files in `folder`.
    public static func start(
        _ executable: String, _ arguments: [String], name: String, in folder: String,
        environment: [String: String] = [:]
    ) async throws -> TestProcess {
        precondition(cleansUp)
        var all = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("REILETA_") }
        for (key, value) in environment { all[key] = value }
        let entries = all.map { "\($0.key)=\($0.value)" }
        let output = "\(folder)/\(name).out"
        let log = "\(folder)/\(name).log"
        var command = [executable] + arguments
        if unsafe access("/usr/bin/setpriv", X_OK) == 0 {
            command = ["/usr/bin/setpriv", "--pdeathsig", "KILL", "--"] + command
        }
        let line = command
        let started = await withCheckedContinuation { done in
            let accepted = starter.submit {
                done.resume(returning: spawn(line, entries, output: output, log: log))
            }
            precondition(accepted, "too many processes are being started")
        }
        guard started.error == 0 else {
            throw NeverCame("\(executable) cannot be started: error \(started.error)")
        }
        alive.withLock { _ = $0.insert(started.id) }
        return TestProcess(name: name, id: started.id, outputFile: output, logFile: log)
    }

    /// Runs a command of the machine to its end, on the caller's thread, and returns how it ended
    /// and what it said. Not Foundation's `Process`, which learns of an end by a socket that every
    /// child started in between keeps open.
    public static func run(
        _ executable: String, _ arguments: [String], in folder: String
    ) -> (exit: ProcessExit, text: String) {
        let said = "\(folder)/command-\(SystemRandom().next())"
        // What the tests are set to is no setting of what they run.
        let entries = ProcessInfo.processInfo.environment
            .filter { !$0.key.hasPrefix("REILETA_") }.map { "\($0.key)=\($0.value)" }
        let started = spawn([executable] + arguments, entries, output: said, log: said)
        guard started.error == 0 else { return (.code(127), "\(executable) cannot be started") }
        var status: Int32 = 0
        while unsafe waitpid(started.id, &status, 0) < 0, errno == EINTR {}
        defer { try? FileManager.default.removeItem(atPath: said) }
        return (ProcessExit(status), read(said))
    }

    private init(name: String, id: Int32, outputFile: String, logFile: String) {
        self.name = name
        self.id = id
        self.outputFile = outputFile
        self.logFile = logFile
    }

    deinit { kill() }

    /// What it wrote to standard output so far.
    public var output: String { Self.read(outputFile) }
    /// What it wrote to standard error so far: its log, and the line that it ended by.
    public var log: String { Self.read(logFile) }
    /// The last lines of its log.
    public var lastWords: String {
        log.split(separator: "\n").suffix(12).joined(separator: "\n")
    }

    /// Whether it still runs.
    public var isRunning: Bool { reap(blocking: false) == nil }

    /// Sends a signal.
    public func send(_ signal: Int32) {
        if isRunning { _ = Glibc.kill(id, signal) }
    }

    /// Ends it at once and waits until it is gone.
    public func kill() {
        send(SIGKILL)
        _ = reap(blocking: true)
    }

    /// Waits until it has ended by itself.
    public func exit(within deadline: Duration = .seconds(15)) async throws -> ProcessExit {
        try await Eventually.get("the end of \(name)", within: deadline) { status in
            status.text = lastWords
            return reap(blocking: false)
        }
    }

    /// Waits for the line that says that it is ready, and reads it.
    public func ready(within deadline: Duration = .seconds(20)) async throws -> JSONValue {
        try await Eventually.get("the ready line of \(name)", within: deadline) { status in
            for line in output.split(separator: "\n") where line.hasPrefix("ready ") {
                return try JSONParser.parse(Array(line.dropFirst(6).utf8))
            }
            if let exit = reap(blocking: false) {
                throw GaveUp("it ended (\(exit)) after:\n\(lastWords)")
            }
            status.text = lastWords
            return nil
        }
    }

    /// Waits until its log has `text` in it.
    public func says(_ text: String, within deadline: Duration = .seconds(10)) async throws {
        try await Eventually.holds("\(name) to say \(text)", within: deadline) { status in
            status.text = lastWords
            return log.contains(text)
        }
    }

    /// How many files it may have open: what counts, and what it could be raised to.
    public var openFiles: (soft: Int, hard: Int)? {
        for line in Self.read("/proc/\(id)/limits").split(separator: "\n")
        where line.hasPrefix("Max open files") {
            let words = line.split(separator: " ").compactMap { Int($0) }
            return words.count == 2 ? (words[0], words[1]) : nil
        }
        return nil
    }

    /// Its anonymous resident memory in bytes.
    public var residentBytes: Int {
        for line in Self.read("/proc/\(id)/status").split(separator: "\n")
        where line.hasPrefix("RssAnon:") {
            return (line.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0) * 1_024
        }
        return 0
    }

    private func reap(blocking: Bool) -> ProcessExit? {
        exited.withLock { exited in
            if let exited { return exited }
            var status: Int32 = 0
            let result = unsafe waitpid(id, &status, blocking ? 0 : WNOHANG)
            guard result == id else { return nil }
            Self.alive.withLock { _ = $0.remove(id) }
            exited = ProcessExit(status)
            return exited
        }
    }

    private static func killAll() {
        for id in alive.withLock({ $0 }) { _ = Glibc.kill(id, SIGKILL) }
    }

    private static func read(_ file: String) -> String {
        guard let bytes = FileManager.default.contents(atPath: file) else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }

    // SAFETY: the strings are copied for the call and freed after it; the file actions live on the
    // stack for as long as the call.
    private static func spawn(
        _ command: [String], _ environment: [String], output: String, log: String
    ) -> (id: Int32, error: Int32) {
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        let write = O_WRONLY | O_CREAT | O_APPEND
        unsafe posix_spawn_file_actions_addopen(&actions, 1, output, write, 0o600)
        unsafe posix_spawn_file_actions_addopen(&actions, 2, log, write, 0o600)
        var arguments = unsafe command.map { unsafe strdup($0) }
        unsafe arguments.append(nil)
        var variables = unsafe environment.map { unsafe strdup($0) }
        unsafe variables.append(nil)
        defer {
            unsafe (arguments + variables).forEach { unsafe free($0) }
        }
        var id: pid_t = 0
        let error = unsafe posix_spawn(&id, command[0], &actions, nil, arguments, variables)
        return (id, error)
    }
}
