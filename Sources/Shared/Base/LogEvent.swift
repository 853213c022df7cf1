/// How much an event matters to the operator.
public enum LogLevel: Int, Sendable, Comparable, CaseIterable {
    case debug, info, notice, warning, error

    /// The word in the log.
    public var name: String {
        switch self {
        case .debug: "debug"
        case .info: "info"
        case .notice: "notice"
        case .warning: "warning"
        case .error: "error"
        }
    }

    /// Whether `a` matters less.
    public static func < (a: LogLevel, b: LogLevel) -> Bool { a.rawValue < b.rawValue }
}

/// One typed field of a log line.
public struct LogField: Sendable {
    /// What a field can hold.
    public enum Value: Sendable {
        case text(String)
        case integer(Int64)
        case boolean(Bool)
        case duration(Duration)
    }

    /// The key, lower case with `_`.
    public let key: StaticString
    /// The value.
    public let value: Value

    /// A field of any kind.
    public init(_ key: StaticString, _ value: Value) {
        self.key = key
        self.value = value
    }

    /// A text field.
    public static func text(_ key: StaticString, _ value: String) -> LogField {
        LogField(key, .text(value))
    }

    /// A number field.
    public static func number(_ key: StaticString, _ value: some BinaryInteger) -> LogField {
        LogField(key, .integer(Int64(clamping: value)))
    }

    /// A yes-or-no field.
    public static func flag(_ key: StaticString, _ value: Bool) -> LogField {
        LogField(key, .boolean(value))
    }

    /// A span of time.
    public static func time(_ key: StaticString, _ value: Duration) -> LogField {
        LogField(key, .duration(value))
    }

    /// What went wrong, for the operator alone.
    public static func reason(_ value: String) -> LogField { text("reason", value) }
    /// Another node.
    public static func peer(_ value: String) -> LogField { text("peer", value) }
    /// Who.
    public static func user(_ value: String) -> LogField { text("user", value) }
    /// The id that a request carries through all roles.
    public static func request(_ id: UInt64) -> LogField { text("request", RequestID.text(id)) }
}

/// A log line as data: a constant message and typed fields.
public struct LogEvent: Sendable {
    /// How much it matters.
    public let level: LogLevel
    /// A constant sentence, so that lines of one kind can be found.
    public let message: StaticString
    /// What differs between lines of the kind.
    public let fields: [LogField]
    /// When it happened.
    public let time: Timestamp

    /// An event.
    public init(level: LogLevel, message: StaticString, fields: [LogField], time: Timestamp) {
        self.level = level
        self.message = message
        self.fields = fields
        self.time = time
    }
}

/// One answered request, written by the access log; plain values, formatted off the loop.
public struct AccessEntry: Sendable {
    /// When the request came.
    public var time: Timestamp
    /// The method.
    public var method: String
    /// Path and query without credentials.
    public var target: [UInt8]
    /// The status of the answer.
    public var status: UInt16
    /// Bytes of the answer's body.
    public var bytes: Int64
    /// From the head's last byte to the answer's last.
    public var nanoseconds: UInt64
    /// The client's address, or empty where it must not be kept.
    public var client: String
    /// The id that a request carries through all roles.
    public var request: UInt64

    /// One answered request.
    public init(
        time: Timestamp, method: String, target: [UInt8], status: UInt16, bytes: Int64,
        nanoseconds: UInt64, client: String, request: UInt64
    ) {
        self.time = time
        self.method = method
        self.target = target
        self.status = status
        self.bytes = bytes
        self.nanoseconds = nanoseconds
        self.client = client
        self.request = request
    }
}

/// Where log lines go. Must not block: the real one has a bounded buffer and a thread.
public protocol LogSink: Sendable {
    /// Takes one event.
    func write(_ event: LogEvent)
    /// Takes one access line.
    func write(_ access: AccessEntry)
}

/// Swallows everything.
public struct SilentSink: LogSink {
    /// Swallows everything.
    public init() {}
    /// Does nothing.
    public func write(_ event: LogEvent) {}
    /// Does nothing.
    public func write(_ access: AccessEntry) {}
}

/// What the code logs through.
public struct Log: Sendable {
    private let sink: any LogSink
    private let clock: any ClockSource
    /// Below it nothing is written.
    public let level: LogLevel

    /// A log to `sink` of what is at least `level`.
    public init(sink: any LogSink, clock: any ClockSource, level: LogLevel = .info) {
        self.sink = sink
        self.clock = clock
        self.level = level
    }

    /// Writes a line when its level is wanted.
    public func write(
        _ level: LogLevel, _ message: StaticString, _ fields: @autoclosure () -> [LogField]
    ) {
        guard level >= self.level else { return }
        sink.write(
            LogEvent(level: level, message: message, fields: fields(), time: clock.timestamp()))
    }

    /// For whoever looks for a fault.
    public func debug(_ message: StaticString, _ fields: LogField...) {
        write(.debug, message, fields)
    }
    /// Ordinary life.
    public func info(_ message: StaticString, _ fields: LogField...) {
        write(.info, message, fields)
    }
    /// Ordinary, and worth seeing: started, stopped, a key refused.
    public func notice(_ message: StaticString, _ fields: LogField...) {
        write(.notice, message, fields)
    }
    /// Something to look at soon.
    public func warning(_ message: StaticString, _ fields: LogField...) {
        write(.warning, message, fields)
    }
    /// Something is broken.
    public func error(_ message: StaticString, _ fields: LogField...) {
        write(.error, message, fields)
    }
    /// One answered request.
    public func access(_ entry: AccessEntry) { sink.write(entry) }
}

/// How the id of a request is spelled, between processes and in logs: 16 hexadecimal digits.
public enum RequestID {
    /// The digits.
    public static func text(_ id: UInt64) -> String {
        let digits = String(id, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// Reads what `text` writes; nil for anything else.
    public static func read(_ text: String) -> UInt64? {
        text.utf8.count == 16 ? UInt64(text, radix: 16) : nil
    }
}
