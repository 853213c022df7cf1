import Glibc
import Synchronization

/// A moment on the monotonic clock: only differences mean anything, and it never jumps.
public struct Instant: Sendable, Hashable, Comparable {
    /// Nanoseconds since an arbitrary start.
    public let nanoseconds: UInt64

    /// The moment that many nanoseconds after the clock's start.
    public init(nanoseconds: UInt64) { self.nanoseconds = nanoseconds }

    /// Whether `a` comes first.
    public static func < (a: Instant, b: Instant) -> Bool { a.nanoseconds < b.nanoseconds }

    /// The moment `duration` later (earlier when negative, never before the clock's start).
    public static func + (a: Instant, duration: Duration) -> Instant {
        let sum = Int64(clamping: a.nanoseconds).saturating(adding: duration.nanoseconds)
        return Instant(nanoseconds: UInt64(max(0, sum)))
    }

    /// The time from `b` to `a`, negative when `a` comes first.
    public static func - (a: Instant, b: Instant) -> Duration {
        .nanoseconds(Int64(clamping: a.nanoseconds) - Int64(clamping: b.nanoseconds))
    }
}

/// A moment on the wall clock: Unix milliseconds, as everything on the wire is.
public struct Timestamp: Sendable, Hashable, Comparable, Codable {
    /// Milliseconds since 1970-01-01 00:00 UTC.
    public let milliseconds: Int64

    /// The moment that many milliseconds after 1970 began.
    public init(milliseconds: Int64) { self.milliseconds = milliseconds }

    /// Reads a bare integer.
    public init(from decoder: any Decoder) throws {
        milliseconds = try decoder.singleValueContainer().decode(Int64.self)
    }

    /// Writes a bare integer.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(milliseconds)
    }

    /// Whether `a` comes first.
    public static func < (a: Timestamp, b: Timestamp) -> Bool { a.milliseconds < b.milliseconds }

    /// The moment `duration` later, to the millisecond.
    public static func + (a: Timestamp, duration: Duration) -> Timestamp {
        Timestamp(milliseconds: a.milliseconds.saturating(adding: duration.milliseconds))
    }

    /// The moment `duration` earlier, to the millisecond.
    public static func - (a: Timestamp, duration: Duration) -> Timestamp {
        Timestamp(milliseconds: a.milliseconds.saturating(subtracting: duration.milliseconds))
    }

    /// The time from `b` to `a`.
    public static func - (a: Timestamp, b: Timestamp) -> Duration {
        .milliseconds(a.milliseconds.saturating(subtracting: b.milliseconds))
    }
}

extension Duration {
    /// The whole of it in nanoseconds, cut off at ±292 years.
    public var nanoseconds: Int64 {
        // Anything below 18 seconds is one division, all else a division of 128 bits.
        let whole = attoseconds
        if let short = UInt64(exactly: whole) { return Int64(short / 1_000_000_000) }
        return longNanoseconds
    }

    private var longNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let whole = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        if whole.overflow { return seconds < 0 ? .min : .max }
        return whole.partialValue.saturating(adding: attoseconds / 1_000_000_000)
    }

    /// The whole of it in milliseconds, rounded towards zero.
    public var milliseconds: Int64 { nanoseconds / 1_000_000 }
}

// A timestamp may come from the wire, so that arithmetic on it must not trap.
extension Int64 {
    fileprivate func saturating(adding other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other < 0 ? .min : .max) : sum
    }

    fileprivate func saturating(subtracting other: Int64) -> Int64 {
        let (difference, overflow) = subtractingReportingOverflow(other)
        return overflow ? (other < 0 ? .max : .min) : difference
    }
}

/// Where the time comes from; the tests have one that they turn by hand.
public protocol ClockSource: Sendable {
    /// The monotonic clock.
    func now() -> Instant
    /// The wall clock.
    func timestamp() -> Timestamp
}

/// The machine's clocks.
public final class SystemClock: ClockSource {
    /// Added to the wall clock: what `POST /api/test/clock` sets, zero otherwise.
    private let offset = Atomic<Int64>(0)

    /// The machine's clocks as they are.
    public init() {}

    /// `CLOCK_MONOTONIC`.
    public func now() -> Instant {
        Instant(nanoseconds: Self.read(CLOCK_MONOTONIC))
    }

    /// `CLOCK_REALTIME`, moved by what `setOffset` said.
    public func timestamp() -> Timestamp {
        let wall = Int64(Self.read(CLOCK_REALTIME) / 1_000_000)
        return Timestamp(milliseconds: wall.saturating(adding: offset.load(ordering: .relaxed)))
    }

    /// Moves the wall clock by `milliseconds` from where the machine has it.
    public func setOffset(milliseconds: Int64) {
        offset.store(milliseconds, ordering: .relaxed)
    }

    // SAFETY: `clock_gettime` fills the struct it is given and keeps no pointer.
    private static func read(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }
}

/// A clock that stands still until it is moved.
public final class ManualClock: ClockSource {
    private let monotonic: Atomic<UInt64>
    private let wall: Atomic<Int64>

    /// A clock that shows `timestamp`, and `now` on the monotonic side.
    public init(
        timestamp: Timestamp = Timestamp(milliseconds: 1_700_000_000_000),
        now: Instant = Instant(nanoseconds: 1_000_000_000)
    ) {
        monotonic = Atomic(now.nanoseconds)
        wall = Atomic(timestamp.milliseconds)
    }

    /// Where the monotonic side was moved to.
    public func now() -> Instant { Instant(nanoseconds: monotonic.load(ordering: .relaxed)) }

    /// Where the wall clock was moved to.
    public func timestamp() -> Timestamp {
        Timestamp(milliseconds: wall.load(ordering: .relaxed))
    }

    /// Moves both clocks on.
    public func advance(by duration: Duration) {
        monotonic.add(UInt64(max(0, duration.nanoseconds)), ordering: .relaxed)
        wall.add(duration.milliseconds, ordering: .relaxed)
    }
}
