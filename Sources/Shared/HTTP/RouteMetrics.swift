import Base

/// How often and how fast one route is answered. Looked up when routes are bound and named by each
/// `Response`, so that counting a request needs no search by name.
public final class RouteMetrics: Sendable {
    private let route: String
    private let metrics: Metrics
    private let durations: Histogram
    private let counters = Lock<[UInt16: Counter]>([:])

    /// The figures of `route` (a template such as `/api/worlds/:id`, never a path) in `metrics`.
    public init(route: String, metrics: Metrics) {
        self.route = route
        self.metrics = metrics
        durations = metrics.histogram(
            "http_request_seconds", help: "From a request's head to the end of its answer.",
            labels: "route=\"\(route)\"")
    }

    /// Counts one answered request.
    public func observe(_ status: Status, _ duration: Duration) {
        durations.observe(duration)
        let counter = counters.withLock { counters in
            if let known = counters[status.code] { return known }
            let fresh = metrics.counter(
                "http_requests_total", help: "Requests answered.",
                labels: "route=\"\(route)\",status=\"\(status.code)\"")
            counters[status.code] = fresh
            return fresh
        }
        counter.add()
    }
}
