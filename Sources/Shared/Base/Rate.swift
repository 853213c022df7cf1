/// How often something may happen: `burst` times at once, then once every `interval`.
public struct Rate: Sendable, Equatable {
    /// How many at once.
    public let burst: Int
    /// How long one takes to come back.
    public let interval: Duration

    /// That many at once, and one more each `interval`.
    public init(burst: Int, every interval: Duration) {
        self.burst = burst
        self.interval = interval
    }
}
