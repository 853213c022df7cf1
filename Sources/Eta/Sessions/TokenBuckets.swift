import Base

/// How often something may happen: `burst` times at once, then once every `interval`.
public struct BucketRate: Sendable, Equatable {
    /// How many at once.
    public var burst: Int
    /// How long one takes to come back.
    public var interval: Duration

    /// Such a rate.
    public init(burst: Int, every interval: Duration) {
        self.burst = burst
        self.interval = interval
    }
}
