import Base

/// What is left of a rate.
struct TokenBucket {
    private(set) var tokens: Double
    private var updated: Instant
    private let rate: Rate

    init(_ rate: Rate, now: Instant) {
        self.rate = rate
        tokens = Double(rate.burst)
        updated = now
    }

    /// Whether nothing was taken, or all has come back.
    var isFull: Bool { tokens >= Double(rate.burst) }

    /// Counts what has come back by now.
    mutating func refill(now: Instant) {
        let passed = Double((now - updated).nanoseconds) / Double(rate.interval.nanoseconds)
        tokens = min(Double(rate.burst), tokens + max(0, passed))
        updated = max(updated, now)
    }

    /// Takes one, as far as there is one.
    mutating func take() { tokens = max(0, tokens - 1) }

    /// How long until there is one.
    var wait: Duration {
        tokens >= 1
            ? .zero
            : .nanoseconds(
                Int64((1 - tokens) * Double(rate.interval.nanoseconds)) + 1)
    }
}
