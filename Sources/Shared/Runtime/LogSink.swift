import Base
import Glibc
import Synchronization

/// How log lines look.
public enum LogFormat: String, Sendable, CaseIterable {
    /// logfmt on a terminal, JSON otherwise.
    case auto
    /// `key=value`, for eyes.
    case logfmt
    /// One JSON object a line, for programs.
    case json
}

/// The log on stderr: callers only put entries into a bounded buffer, and one thread formats and
/// writes them a batch at a time. A reader that is too slow loses lines, never holds up a caller,
/// and is told how many it lost.
public final class StderrSink: LogSink {
    /// Beyond either the newest are dropped: a second of a busy Reil, and what long targets add.
    private enum Limits {
        static let entries = 65_536
        static let bytes = 8 << 20
    }

    private enum Entry {
        case event(LogEvent)
        case access(AccessEntry)
    }

    private struct State {
        var entries: [Entry] = []
        /// Emptied by the thread and given back, so that nothing is allocated under load.
        var spare: [Entry] = []
        var bytes = 0
        /// How many lost lines the reader knows of.
        var told: UInt64 = 0
        var isDraining = false
        var isHurried = false
    }

    private let state = Lock(State())
    private let thread = BlockingPool(name: "log", threads: 1, queueLimit: 16)
    private let format: LogFormat
    private let access: Bool
    private let capacity: Int
    private let linger: UInt32
    private let clock: any ClockSource
    private let output: @Sendable (borrowing ByteWriter) -> Void
    private let lost = Atomic<UInt64>(0)

    /// A log in `format`, of requests too if `access`. The thread waits for `linger` microseconds
    /// after the first entry, so that many share its waking up. `output` may block.
    public init(
        format: LogFormat, access: Bool = true, capacity: Int? = nil, linger: UInt32 = 10_000,
        clock: any ClockSource = SystemClock(),
        output: @escaping @Sendable (borrowing ByteWriter) -> Void = { Stream.error.write($0) }
    ) {
        self.format = format == .auto ? (isatty(STDERR_FILENO) == 1 ? .logfmt : .json) : format
        self.access = access
        self.capacity = capacity ?? Limits.entries
        self.linger = linger
        self.clock = clock
        self.output = output
    }

    deinit { thread.stop() }

    /// How many lines were dropped.
    public var dropped: UInt64 { lost.load(ordering: .relaxed) }

    /// Keeps an event for the thread.
    public func write(_ event: LogEvent) {
        var size = 0
        for field in event.fields {
            if case .text(let text) = field.value { size += text.utf8.count }
        }
        add(.event(event), size)
    }

    /// Keeps an access entry for the thread.
    public func write(_ access: AccessEntry) {
        if self.access { add(.access(access), access.target.count) }
    }

    /// Writes out what is there; gives up after `limit`, when nobody reads.
    public func flush(within limit: Duration = .seconds(1)) {
        let clock = SystemClock()
        let due = clock.now() + limit
        while clock.now() < due {
            let isDone = state.withLock { state in
                state.isHurried = state.isDraining
                return !state.isDraining
            }
            if isDone { return }
            usleep(500)
        }
    }

    private func add(_ entry: Entry, _ size: Int) {
        let isFirst: Bool? = state.withLock { state in
            guard state.entries.count < capacity, state.bytes + size <= Limits.bytes else {
                return nil
            }
            state.entries.append(entry)
            state.bytes += size
            defer { state.isDraining = true }
            return !state.isDraining
        }
        guard let isFirst else {
            lost.add(1, ordering: .relaxed)
            return
        }
        if isFirst, !thread.submit({ self.drain() }) { state.withLock { $0.isDraining = false } }
    }

    /// On the thread: writes until nothing is left.
    private func drain() {
        var writer = LineWriter(isJSON: format == .json)
        while true {
            if !state.withLock(\.isHurried) { usleep(linger) }
            var batch = state.withLock { state in
                state.bytes = 0
                let batch = state.entries
                state.entries = state.spare
                state.spare = []
                return batch
            }
            write(batch.span, with: &writer)
            let lost = dropped
            let told = state.withLock { state in
                defer { state.told = lost }
                return state.told
            }
            if lost > told {
                writer.append(
                    LogEvent(
                        level: .warning, message: "log lines dropped, the reader is too slow",
                        fields: [.number("lines", lost - told)], time: clock.timestamp()))
            }
            flush(&writer)
            batch.removeAll(keepingCapacity: batch.capacity <= 8_192)
            let isDone = state.withLock { state in
                if state.spare.capacity < batch.capacity { swap(&state.spare, &batch) }
                if state.entries.isEmpty { state.isDraining = false }
                return state.entries.isEmpty
            }
            if isDone { return }
        }
    }

    /// By a span, which lends each entry where an iterator copies it.
    private func write(_ entries: Span<Entry>, with writer: inout LineWriter) {
        for index in entries.indices {
            switch entries[index] {
            case .event(let event): writer.append(event)
            case .access(let access): writer.append(access)
            }
            if writer.buffer.count >= 65_536 { flush(&writer) }
        }
    }

    private func flush(_ writer: inout LineWriter) {
        if !writer.buffer.isEmpty { output(writer.buffer) }
        writer.buffer.removeAll()
    }
}

/// Entries as lines.
struct LineWriter: ~Copyable {
    var buffer = ByteWriter()
    private let isJSON: Bool
    /// The last line's second, and how it is written.
    private var second = Int64.min
    private var secondText: [UInt8] = []

    init(isJSON: Bool) { self.isJSON = isJSON }

    mutating func append(_ event: LogEvent) {
        begin(event.time, event.level)
        append(key: isJSON ? "message" : "msg")
        append(text: "\(event.message)")
        for field in event.fields {
            append(key: field.key)
            switch field.value {
            case .text(let text): append(text: text)
            case .integer(let number): buffer.append(decimal: number)
            case .boolean(let flag): buffer.append(flag ? "true" : "false" as StaticString)
            case .duration(let duration): append(milliseconds: duration)
            }
        }
        end()
    }

    mutating func append(_ access: AccessEntry) {
        begin(access.time, .info)
        // Methods, addresses and numbers need no escape.
        if isJSON {
            buffer.append(#","message":"access","method":""# as StaticString)
            buffer.append(access.method)
            buffer.append(#"","target":"# as StaticString)
            append(quoted: access.target.span, isText: false)
            buffer.append(#","status":"# as StaticString)
            buffer.append(decimal: access.status)
            buffer.append(#","bytes":"# as StaticString)
            buffer.append(decimal: access.bytes)
            buffer.append(#","ms":"# as StaticString)
            append(microseconds: Int64(clamping: access.nanoseconds / 1_000))
            if !access.client.isEmpty {
                buffer.append(#","client":""# as StaticString)
                buffer.append(access.client)
                buffer.append(UInt8(ascii: "\""))
            }
            buffer.append(#","request":""# as StaticString)
            append(hex: access.request)
            buffer.append(UInt8(ascii: "\""))
        } else {
            buffer.append(" msg=access method=" as StaticString)
            buffer.append(access.method)
            buffer.append(" target=" as StaticString)
            append(bareOrQuoted: access.target.span, isText: false)
            buffer.append(" status=" as StaticString)
            buffer.append(decimal: access.status)
            buffer.append(" bytes=" as StaticString)
            buffer.append(decimal: access.bytes)
            buffer.append(" ms=" as StaticString)
            append(microseconds: Int64(clamping: access.nanoseconds / 1_000))
            if !access.client.isEmpty {
                buffer.append(" client=" as StaticString)
                buffer.append(access.client)
            }
            buffer.append(" request=" as StaticString)
            append(hex: access.request)
        }
        end()
    }

    private mutating func begin(_ time: Timestamp, _ level: LogLevel) {
        buffer.append(isJSON ? #"{"time":""# : "time=" as StaticString)
        let now = time.milliseconds
        let (whole, rest) = (now.floorDivided(by: 1_000), now.floorRemainder(by: 1_000))
        if whole != second {
            second = whole
            secondText = Array(Self.calendar(whole).utf8)
        }
        buffer.append(secondText)
        buffer.append(UInt8(ascii: "."))
        append(threeDigits: rest)
        buffer.append(isJSON ? #"Z","level":""# : "Z level=" as StaticString)
        buffer.append(level.name)
        if isJSON { buffer.append(UInt8(ascii: "\"")) }
    }

    private mutating func end() {
        buffer.append(isJSON ? "}\n" : "\n" as StaticString)
    }

    private mutating func append(key: StaticString) {
        buffer.append(isJSON ? ",\"" : " " as StaticString)
        buffer.append(key)
        buffer.append(isJSON ? "\":" : "=" as StaticString)
    }

    private mutating func append(text: String) {
        let bytes = Array(text.utf8)
        if isJSON {
            append(quoted: bytes.span, isText: true)
        } else {
            append(bareOrQuoted: bytes.span, isText: true)
        }
    }

    private mutating func append(bareOrQuoted span: Span<UInt8>, isText: Bool) {
        var isBare = span.count > 0
        for index in span.indices {
            let byte = span[index]
            // `=` in a value is no harm, as a reader splits at the first.
            if byte <= 0x20 || byte >= 0x7F || byte == UInt8(ascii: "\"") { isBare = false }
        }
        if isBare { buffer.append(span) } else { append(quoted: span, isText: isText) }
    }

    /// In quotes, with JSON's escapes. Controls beyond ASCII are escaped too, as terminals obey
    /// them; of bytes that are no text, what is not ASCII is percent-encoded.
    private mutating func append(quoted span: Span<UInt8>, isText: Bool) {
        buffer.append(UInt8(ascii: "\""))
        var start = 0
        var index = 0
        while index < span.count {
            let byte = span[index]
            let isControl =
                byte == 0xC2 && isText && index + 1 < span.count && span[index + 1] < 0xA0
            let isPlain =
                byte >= 0x20 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
                && byte != 0x7F && (isText || byte < 0x80) && !isControl
            if isPlain {
                index += 1
                continue
            }
            buffer.append(span.extracting(start..<index))
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
                buffer.append(UInt8(ascii: "\\"))
                buffer.append(byte)
            } else if byte == 0x0A {
                buffer.append("\\n" as StaticString)
            } else if byte >= 0x80, !isControl {
                buffer.append(UInt8(ascii: "%"))
                append(hexByte: byte)
            } else {
                buffer.append("\\u00" as StaticString)
                append(hexByte: isControl ? span[index + 1] : byte)
            }
            index += isControl ? 2 : 1
            start = index
        }
        buffer.append(span.extracting(start..<span.count))
        buffer.append(UInt8(ascii: "\""))
    }

    private mutating func append(milliseconds duration: Duration) {
        append(microseconds: duration.nanoseconds / 1_000)
    }

    /// As milliseconds with three decimals.
    private mutating func append(microseconds: Int64) {
        var microseconds = microseconds
        if microseconds < 0 {
            buffer.append(UInt8(ascii: "-"))
            microseconds = -microseconds
        }
        buffer.append(decimal: microseconds / 1_000)
        buffer.append(UInt8(ascii: "."))
        append(threeDigits: microseconds % 1_000)
    }

    private mutating func append(threeDigits number: Int64) {
        let zero = UInt8(ascii: "0")
        buffer.append(zero + UInt8(number / 100))
        buffer.append(zero + UInt8(number / 10 % 10))
        buffer.append(zero + UInt8(number % 10))
    }

    private mutating func append(hexByte byte: UInt8) {
        for digit in [byte >> 4, byte & 15] {
            buffer.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }

    private mutating func append(hex number: UInt64) {
        for shift in stride(from: UInt64(60), through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: number >> shift) & 15
            buffer.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }

    /// `2026-01-31T23:59:59`, of seconds since 1970.
    private static func calendar(_ seconds: Int64) -> String {
        let day = seconds.floorDivided(by: 86_400)
        let clock = seconds.floorRemainder(by: 86_400)
        // Years begin in March here, so that the leap day is the last of its year, and are
        // counted in eras of 400, after which the calendar repeats.
        let shifted = day + 719_468
        let era = shifted.floorDivided(by: 146_097)
        let ofEra = shifted.floorRemainder(by: 146_097)
        let year = (ofEra - ofEra / 1_460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * year + year / 4 - year / 100)
        let month = (5 * ofYear + 2) / 153
        let date = ofYear - (153 * month + 2) / 5 + 1
        let isNextYear = month >= 10
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return
            "\(year + era * 400 + (isNextYear ? 1 : 0))-\(two(isNextYear ? month - 9 : month + 3))"
            + "-\(two(date))T\(two(clock / 3_600)):\(two(clock / 60 % 60)):\(two(clock % 60))"
    }
}

extension Int64 {
    fileprivate func floorDivided(by divisor: Int64) -> Int64 {
        (self - floorRemainder(by: divisor)) / divisor
    }
    fileprivate func floorRemainder(by divisor: Int64) -> Int64 {
        (self % divisor + divisor) % divisor
    }
}

/// The process's own streams, written whole and without a buffer.
public enum Stream: Sendable {
    case output, error

    // SAFETY: `write` reads the bytes that the writer lends for the length of the call.
    /// Writes all of it; blocks while nobody reads, gives up when nobody ever will.
    public func write(_ bytes: borrowing ByteWriter) {
        let descriptor = self == .output ? STDOUT_FILENO : STDERR_FILENO
        unsafe bytes.withUnsafeBytes { source in
            var start = 0
            while start < source.count, let base = source.baseAddress {
                let count = unsafe Glibc.write(descriptor, base + start, source.count - start)
                if count >= 0 {
                    start += count
                } else if errno == EAGAIN {
                    // Whoever started us shares the stream, and made it so.
                    var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    unsafe poll(&waiting, 1, 1_000)
                } else if errno != EINTR {
                    return
                }
            }
        }
    }

    /// Writes `text` and a line end.
    public func write(line text: String) {
        var writer = ByteWriter()
        writer.append(text)
        writer.append(UInt8(ascii: "\n"))
        write(writer)
    }
}
