import Base
import Testing

/// Two kinds of time that do not mix; no arithmetic on them traps, since some come from the wire.
struct ClockTests {
    @Test func `instants are moved by durations, never before the start`() {
        let start = Instant(nanoseconds: 5_000)
        #expect((start + .microseconds(2)).nanoseconds == 7_000)
        #expect((start + .microseconds(-9)).nanoseconds == 0)
        #expect(start - Instant(nanoseconds: 6_000) == .microseconds(-1))
        #expect(start < start + .nanoseconds(1))
        #expect((Instant(nanoseconds: .max) + .seconds(1)).nanoseconds == UInt64(Int64.max))
    }

    @Test func `timestamps stop at the ends of their range`() {
        let last = Timestamp(milliseconds: .max)
        let first = Timestamp(milliseconds: .min)
        #expect(last + .seconds(1) == last && first - .seconds(1) == first)
        #expect(last - first == .milliseconds(Int64.max))
        #expect(first - last == .milliseconds(Int64.min))
        #expect(Timestamp(milliseconds: 5) - .milliseconds(7) == Timestamp(milliseconds: -2))
    }

    @Test func `durations are cut off where an integer ends`() {
        #expect(Duration.seconds(2).nanoseconds == 2_000_000_000)
        #expect(Duration.seconds(Int64.max).nanoseconds == .max)
        #expect(Duration.seconds(Int64.min).nanoseconds == .min)
        let brink = Duration(
            secondsComponent: 9_223_372_036, attosecondsComponent: 999_999_999_000_000_000)
        #expect(brink.nanoseconds == .max)
        #expect(Duration.microseconds(-1_500).milliseconds == -1)
    }

    @Test func `the system's clocks go on, and the wall clock can be moved`() {
        let clock = SystemClock()
        let (before, wall) = (clock.now(), clock.timestamp())
        #expect(wall.milliseconds > 1_700_000_000_000)
        clock.setOffset(milliseconds: 3_600_000)
        #expect(clock.timestamp() - wall >= .seconds(3_600) && clock.now() >= before)
        clock.setOffset(milliseconds: .max)
        #expect(clock.timestamp().milliseconds == .max)
    }

    @Test func `a clock turned by hand stands still in between`() {
        let clock = ManualClock()
        let (before, wall) = (clock.now(), clock.timestamp())
        #expect(clock.now() == before)
        clock.advance(by: .milliseconds(1_500))
        #expect(clock.now() - before == .milliseconds(1_500))
        #expect(clock.timestamp() - wall == .milliseconds(1_500))
    }
}

/// The system's randomness differs each time, a seed's never.
struct RandomTests {
    @Test func `the kernel gives as many bytes as asked for`() {
        let random = SystemRandom()
        for count in [0, 1, 255, 256, 257, 1_000] { #expect(random.bytes(count).count == count) }
        #expect(random.bytes(32) != random.bytes(32))
        // The last piece of several is filled too.
        #expect(random.bytes(600).suffix(80).contains { $0 != 0 })
    }

    @Test func `a seed decides the sequence, which is SplitMix64's`() {
        #expect(SeededRandom(seed: 7).bytes(100) == SeededRandom(seed: 7).bytes(100))
        #expect(SeededRandom(seed: 7).bytes(8) != SeededRandom(seed: 8).bytes(8))
        #expect(SeededRandom(seed: 0).next() == 0xE220_A839_7B1D_CDAF)
    }

    @Test func `numbers below a bound are below it, and all come up`() {
        let random = SeededRandom(seed: 1)
        var seen: Set<Int> = []
        for _ in 0..<1_000 { seen.insert(random.next(below: 10)) }
        #expect(seen == Set(0..<10))
        #expect(random.next(below: 1) == 0)
    }
}
