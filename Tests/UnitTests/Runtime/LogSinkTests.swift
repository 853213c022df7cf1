import Base
import Runtime
import Synchronization
import Testing

/// Keeps what is written; can be told to make its writer wait.
private final class Paper: Sendable {
    private let lines = Lock<[UInt8]>([])
    private let blocked = Atomic<Bool>(false)

    var text: String { String(decoding: lines.withLock { $0 }, as: UTF8.self) }
    func block(_ value: Bool) { blocked.store(value, ordering: .releasing) }
    func write(_ bytes: borrowing ByteWriter) {
        while blocked.load(ordering: .acquiring) {}
        let copy = bytes.array()
        lines.withLock { $0 += copy }
    }
}

private func sink(
    _ paper: Paper, _ format: LogFormat, access: Bool = true, capacity: Int? = nil
) -> StderrSink {
    StderrSink(
        format: format, access: access, capacity: capacity, linger: 100, clock: ManualClock()
    ) { paper.write($0) }
}

private let time = Timestamp(milliseconds: 1_767_312_245_067)
private let entry = AccessEntry(
    time: time, method: "GET", target: Array("/api/time?x=1".utf8), status: 200, bytes: 249,
    nanoseconds: 1_023_000, client: "1.2.3.4", request: 0xAB)

/// Lines that eyes and programs can read, and a caller who never waits.
struct LogSinkTests {
    private func line(_ format: LogFormat, _ fields: [LogField]) -> String {
        let paper = Paper()
        let log = sink(paper, format)
        log.write(LogEvent(level: .notice, message: "peer key refused", fields: fields, time: time))
        log.flush()
        return paper.text
    }

    @Test func `an event is a line of logfmt, or of JSON`() {
        let fields: [LogField] = [
            .peer("a.example"), .number("count", -5), .flag("known", true),
            .time("took", .microseconds(-1_500)),
        ]
        #expect(
            line(.logfmt, fields)
                == "time=2026-01-02T00:04:05.067Z level=notice msg=\"peer key refused\" "
                + "peer=a.example count=-5 known=true took=-1.500\n")
        #expect(
            line(.json, fields)
                == #"{"time":"2026-01-02T00:04:05.067Z","level":"notice","#
                + #""message":"peer key refused","peer":"a.example","count":-5,"known":true,"#
                + #""took":-1.500}"# + "\n")
    }

    /// A value that somebody else chose can neither end the line nor speak to a terminal.
    @Test(arguments: [
        ("", #""""#), ("a b", #""a b""#), ("a=b", "a=b"), ("a\nb", #""a\nb""#),
        ("\u{1B}[2J", #""\u001b[2J""#), ("\u{9B}2J", #""\u009b2J""#), ("\u{7F}", #""\u007f""#),
        ("\"\\", #""\"\\""#), ("ä€", "\"ä€\""), ("\0", #""\u0000""#),
    ])
    func `values are escaped`(value: String, written: String) throws {
        #expect(line(.logfmt, [.reason(value)]).hasSuffix(" reason=\(written)\n"))
        let json = line(.json, [.reason(value)])
        #expect(json.split(separator: "\n").count == 1)
        let parsed = try JSONParser.parse(Array(json.utf8))
        #expect(parsed["reason"]?.stringValue == value)
    }

    @Test func `a request is a line in both formats`() throws {
        let paper = Paper()
        let log = sink(paper, .logfmt)
        log.write(entry)
        var odd = entry
        odd.target = [0x2F, 0xFF, 0x22]
        odd.client = ""
        log.write(odd)
        log.flush()
        #expect(
            paper.text
                == "time=2026-01-02T00:04:05.067Z level=info msg=access method=GET "
                + "target=/api/time?x=1 status=200 bytes=249 ms=1.023 client=1.2.3.4 "
                + "request=00000000000000ab\n"
                + "time=2026-01-02T00:04:05.067Z level=info msg=access method=GET "
                + "target=\"/%ff\\\"\" status=200 bytes=249 ms=1.023 request=00000000000000ab\n")

        let other = Paper()
        let json = sink(other, .json)
        json.write(entry)
        json.flush()
        let parsed = try JSONParser.parse(Array(other.text.utf8))
        #expect(parsed["target"]?.stringValue == "/api/time?x=1")
        #expect(parsed["status"]?.integerValue == 200 && parsed["ms"]?.doubleValue == 1.023)
        #expect(parsed["request"]?.stringValue == "00000000000000ab")
    }

    @Test func `requests are left out where nobody wants them`() {
        let paper = Paper()
        let log = sink(paper, .json, access: false)
        log.write(entry)
        log.flush()
        #expect(paper.text.isEmpty)
    }

    /// The writer hangs in its first batch: the buffer fills, the rest is counted, nobody waits.
    @Test func `what a slow reader loses is counted and told`() {
        let paper = Paper()
        let log = sink(paper, .logfmt, capacity: 10)
        paper.block(true)
        for _ in 0..<1_000 { log.write(entry) }
        log.flush(within: .milliseconds(5))
        let dropped = log.dropped
        #expect(dropped >= 1_000 - 20 && dropped < 1_000)
        paper.block(false)
        log.flush(within: .seconds(10))
        let lines = paper.text.split(separator: "\n")
        let told = lines.filter { $0.contains("log lines dropped") }
            .compactMap { $0.split(separator: "lines=").last }.compactMap { UInt64($0) }
        #expect(told.reduce(0, +) == dropped)
        #expect(lines.count - told.count == 1_000 - Int(dropped))
    }

    @Test func `what many threads write arrives whole and in each one's order`() {
        let paper = Paper()
        let log = sink(paper, .logfmt)
        let pool = BlockingPool(name: "writers", threads: 4, queueLimit: 4)
        let running = Atomic<Int>(4)
        for writer in 0..<4 {
            let accepted = pool.submit {
                for number in 0..<500 {
                    var mine = entry
                    mine.request = UInt64(writer << 16 | number)
                    log.write(mine)
                }
                running.subtract(1, ordering: .releasing)
            }
            #expect(accepted)
        }
        while running.load(ordering: .acquiring) > 0 {}
        pool.stop()
        log.flush(within: .seconds(10))
        let requests = paper.text.split(separator: "\n").compactMap { line in
            line.split(separator: "request=").last.flatMap { UInt64($0, radix: 16) }
        }
        #expect(requests.count == 2_000 && log.dropped == 0)
        for writer in 0..<4 {
            #expect(requests.filter { $0 >> 16 == writer }.map { $0 & 0xFFFF } == Array(0..<500))
        }
    }

    @Test(arguments: [
        (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
    ])
    func `days are counted as the calendar does`(milliseconds: Int64, text: String) {
        let paper = Paper()
        let log = sink(paper, .logfmt)
        let time = Timestamp(milliseconds: milliseconds)
        log.write(LogEvent(level: .info, message: "x", fields: [], time: time))
        log.flush()
        #expect(paper.text.hasPrefix("time=\(text) "))
    }
}
