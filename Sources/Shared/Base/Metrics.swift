import Synchronization

/// A number that only grows.
public final class Counter: Sendable {
    private let value = Atomic<UInt64>(0)
    /// Adds `amount`.
    public func add(_ amount: UInt64 = 1) { value.add(amount, ordering: .relaxed) }
    /// The sum so far.
    public func load() -> UInt64 { value.load(ordering: .relaxed) }
}

/// A number that goes up and down.
public final class Gauge: Sendable {
    private let value = Atomic<Int64>(0)
    /// Adds `amount`, which may be negative.
    public func add(_ amount: Int64) { value.add(amount, ordering: .relaxed) }
    /// Replaces the number.
    public func set(_ amount: Int64) { value.store(amount, ordering: .relaxed) }
    /// The number now.
    public func load() -> Int64 { value.load(ordering: .relaxed) }
}

/// Durations sorted into buckets, in seconds.
public final class Histogram: Sendable {
    /// Upper bounds in microseconds; what is above the last falls into `+Inf`.
    public static let bounds: [UInt64] = [
        100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
        1_000_000, 5_000_000, 15_000_000,
    ]
    private let buckets = (0...bounds.count).map { _ in Counter() }
    private let sum = Counter()

    /// Counts one duration.
    public func observe(_ duration: Duration) {
        observe(nanoseconds: UInt64(max(0, duration.nanoseconds)))
    }

    /// Counts one duration, for what runs per request: `Duration` reckons with 128 bits.
    public func observe(nanoseconds: UInt64) {
        let microseconds = nanoseconds / 1_000
        sum.add(microseconds)
        var index = 0
        while index < Self.bounds.count, microseconds > Self.bounds[index] { index += 1 }
        buckets[index].add()
    }

    fileprivate func lines(_ name: String, _ labels: String) -> String {
        var total: UInt64 = 0
        var text = ""
        let comma = labels.isEmpty ? "" : ","
        for index in buckets.indices {
            total += buckets[index].load()
            let bound =
                index < Self.bounds.count ? "\(Double(Self.bounds[index]) / 1e6)" : "+Inf"
            text += "\(name)_bucket{\(labels)\(comma)le=\"\(bound)\"} \(total)\n"
        }
        let braces = labels.isEmpty ? "" : "{\(labels)}"
        text += "\(name)_sum\(braces) \(Double(sum.load()) / 1e6)\n"
        text += "\(name)_count\(braces) \(total)\n"
        return text
    }
}

/// All figures of a process, by name and labels, in Prometheus's text format.
///
/// A figure is looked up once and kept by whoever counts; the look-up takes a lock.
public final class Metrics: Sendable {
    private enum Figure {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(Histogram)
        case reading(@Sendable () -> Double)
    }

    private struct Family {
        var help: String
        var kind: String
        var figures: [String: Figure] = [:]
    }

    private let families = Lock<[String: Family]>([:])

    /// None yet.
    public init() {}

    /// The counter of this name and these labels, such as `route="/api/time"`.
    public func counter(_ name: String, help: String, labels: String = "") -> Counter {
        let fresh = Counter()
        let figure = figure(name, help, "counter", labels, .counter(fresh))
        if case .counter(let existing) = figure { return existing }
        preconditionFailure("\(name) is no counter")
    }

    /// The gauge of this name and these labels.
    public func gauge(_ name: String, help: String, labels: String = "") -> Gauge {
        let fresh = Gauge()
        let figure = figure(name, help, "gauge", labels, .gauge(fresh))
        if case .gauge(let existing) = figure { return existing }
        preconditionFailure("\(name) is no gauge")
    }

    /// The histogram of this name and these labels.
    public func histogram(_ name: String, help: String, labels: String = "") -> Histogram {
        let fresh = Histogram()
        let figure = figure(name, help, "histogram", labels, .histogram(fresh))
        if case .histogram(let existing) = figure { return existing }
        preconditionFailure("\(name) is no histogram")
    }

    /// A gauge that is read when somebody asks.
    public func reading(
        _ name: String, help: String, labels: String = "", _ read: @escaping @Sendable () -> Double
    ) {
        _ = figure(name, help, "gauge", labels, .reading(read))
    }

    /// How much waits in a queue, by its name.
    public func depth(ofQueue name: String, _ read: @escaping @Sendable () -> Int) {
        reading(
            "reileta_queue_depth", help: "What waits, by queue", labels: "queue=\"\(name)\""
        ) { Double(read()) }
    }

    /// How much waits for a pool's threads.
    public func depth(of pool: BlockingPool) { depth(ofQueue: pool.name) { pool.waiting } }

    private func figure(
        _ name: String, _ help: String, _ kind: String, _ labels: String, _ fresh: Figure
    ) -> Figure {
        families.withLock { families in
            if let known = families[name]?.figures[labels] { return known }
            families[name, default: Family(help: help, kind: kind)].figures[labels] = fresh
            return fresh
        }
    }

    /// All of it as Prometheus reads it, in a stable order.
    public func render() -> String {
        let all = families.withLock { $0 }
        var text = ""
        for (name, family) in all.sorted(by: { $0.key < $1.key }) {
            text += "# HELP \(name) \(family.help)\n# TYPE \(name) \(family.kind)\n"
            for (labels, figure) in family.figures.sorted(by: { $0.key < $1.key }) {
                let braces = labels.isEmpty ? "" : "{\(labels)}"
                switch figure {
                case .counter(let counter): text += "\(name)\(braces) \(counter.load())\n"
                case .gauge(let gauge): text += "\(name)\(braces) \(gauge.load())\n"
                case .histogram(let histogram): text += histogram.lines(name, labels)
                case .reading(let read): text += "\(name)\(braces) \(read())\n"
                }
            }
        }
        return text
    }
}
