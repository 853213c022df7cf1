import Base
import Testing

/// The figures as Prometheus reads them, and the log's levels.
struct MetricsTests {
    @Test func `figures are rendered in a stable order with their labels`() {
        let metrics = Metrics()
        metrics.counter("requests_total", help: "Requests.", labels: "route=\"b\"").add(2)
        metrics.counter("requests_total", help: "Requests.", labels: "route=\"a\"").add()
        metrics.gauge("open", help: "Open.").set(5)
        metrics.gauge("open", help: "Open.").add(-2)
        metrics.reading("depth", help: "Depth.") { 1.5 }
        let expected = """
            # HELP depth Depth.
            # TYPE depth gauge
            depth 1.5
            # HELP open Open.
            # TYPE open gauge
            open 3
            # HELP requests_total Requests.
            # TYPE requests_total counter
            requests_total{route="a"} 1
            requests_total{route="b"} 2

            """
        #expect(metrics.render() == expected)
    }

    @Test func `a histogram counts what is at most its bound`() {
        let metrics = Metrics()
        let histogram = metrics.histogram("seconds", help: "Time.", labels: "r=\"x\"")
        for duration in [Duration.microseconds(100), .microseconds(101), .seconds(20)] {
            histogram.observe(duration)
        }
        histogram.observe(.seconds(-1))
        let lines = metrics.render().split(separator: "\n")
        #expect(lines.contains("seconds_bucket{r=\"x\",le=\"0.0001\"} 2"))
        #expect(lines.contains("seconds_bucket{r=\"x\",le=\"0.00025\"} 3"))
        #expect(lines.contains("seconds_bucket{r=\"x\",le=\"15.0\"} 3"))
        #expect(lines.contains("seconds_bucket{r=\"x\",le=\"+Inf\"} 4"))
        #expect(lines.contains("seconds_sum{r=\"x\"} 20.000201"))
        #expect(lines.contains("seconds_count{r=\"x\"} 4"))
    }

    @Test func `one name is one kind of figure`() async {
        await #expect(processExitsWith: .failure) {
            let metrics = Metrics()
            _ = metrics.counter("x", help: "")
            _ = metrics.gauge("x", help: "")
        }
    }

    @Test func `the log writes what its level wants, with the clock's time`() {
        final class Kept: LogSink {
            let lines = Lock<[String]>([])
            func write(_ event: LogEvent) {
                let text = "\(event.time.milliseconds) \(event.level.name) \(event.message)"
                lines.withLock { $0.append(text + " \(event.fields.map { "\($0.key)" })") }
            }
            func write(_ access: AccessEntry) {}
        }
        let sink = Kept()
        let clock = ManualClock(timestamp: Timestamp(milliseconds: 9))
        let log = Log(sink: sink, clock: clock, level: .notice)
        log.info("not wanted")
        log.notice("peer key refused", .peer("b.example"), .number("age", 3))
        log.error("broken", .reason("why"))
        #expect(
            sink.lines.withLock { $0 } == [
                "9 notice peer key refused [\"peer\", \"age\"]", "9 error broken [\"reason\"]",
            ])
    }
}
