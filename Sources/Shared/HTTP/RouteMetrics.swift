import Base

/// How often and how fast one route is answered. Looked up when routes are bound and named by each
/// `Response`, so that counting a request needs no search by name.
public final class RouteMetrics: Sendable {
    private let labels: String
    private let metrics: Metrics
    private let durations: Histogram
    private let counters = Lock<[UInt16: Counter]>([:])
    /// Of 200, which needs no look-up.
    private let successes: Counter

    /// The figures of `method` on `route` (a template such as `/api/worlds/:id`, never a path) in
    /// `metrics`.
    public init(method: String, route: String, metrics: Metrics) {
        labels = "method=\"\(method)\",route=\"\(route)\""
        self.metrics = metrics
        durations = metrics.histogram(
            "http_request_seconds", help: "From a request's head to the end of its answer.",
            labels: labels)
        successes = Self.counter(.ok, labels, metrics)
    }

    private static func counter(_ status: Status, _ labels: String, _ metrics: Metrics) -> Counter {
        metrics.counter(
            "http_requests_total", help: "Requests answered.",
            labels: "\(labels),status=\"\(status.code)\"")
    }

    /// Counts one answered request.
    public func observe(_ status: Status, nanoseconds: UInt64) {
        durations.observe(nanoseconds: nanoseconds)
        if status == .ok { return successes.add() }
        let counter = counters.withLock { counters in
            if let known = counters[status.code] { return known }
            let fresh = Self.counter(status, labels, metrics)
            counters[status.code] = fresh
            return fresh
        }
        counter.add()
    }
}
