/// The outside, injected: time, randomness, log and metrics. A shell reaches them no other way. A
/// class, since it goes with every request, and four references would be counted at each hand.
public final class Ambient: Sendable {
    /// The clocks.
    public let clock: any ClockSource
    /// Randomness.
    public let random: any RandomSource
    /// The log.
    public let log: Log
    /// The figures that operators watch.
    public let metrics: Metrics

    /// An outside made of these.
    public init(
        clock: any ClockSource, random: any RandomSource, log: Log, metrics: Metrics = Metrics()
    ) {
        self.clock = clock
        self.random = random
        self.log = log
        self.metrics = metrics
    }

    /// Real time and randomness, silent: for tests of what has no need of more.
    public static func silent(
        clock: any ClockSource = SystemClock(), random: any RandomSource = SystemRandom()
    ) -> Ambient {
        Ambient(clock: clock, random: random, log: Log(sink: SilentSink(), clock: clock))
    }
}
