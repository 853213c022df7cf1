import Base
import Domain
import Testing

@testable import Eta

/// http.md §6: failed logins burst 5 and then 1 per 10 s for an account from an address, burst 50
/// and then 1 per s for an account; a stranger cannot lock anybody out.
struct LoginThrottleTests {
    private let pair = Rate(burst: 5, every: .seconds(10))
    private let account = Rate(burst: 50, every: .seconds(1))
    private let start = Instant(nanoseconds: 1_000_000_000_000)

    private func address(_ number: UInt32) -> IPAddress { .v4(0x0A00_0000 + number) }

    private func keys(_ number: UInt32, isKnown: Bool = false) -> [LoginThrottle.Key] {
        LoginThrottle.keys(account: "ada", address: address(number), isKnown: isKnown)
    }

    /// A throttle to be used inside of expectations.
    private final class Box {
        var throttle: LoginThrottle
        init(_ pair: Rate, _ account: Rate) {
            throttle = LoginThrottle(pair: pair, account: account)
        }

        func begin(_ keys: [LoginThrottle.Key], _ now: Instant) -> LoginThrottle.Verdict {
            throttle.begin(keys, now: now)
        }
        func end(_ keys: [LoginThrottle.Key], failed: Bool, _ now: Instant) {
            throttle.end(keys, failed: failed, now: now)
        }
        /// Tries once with a wrong password; how long to wait instead, where it was not let in.
        func fail(_ keys: [LoginThrottle.Key], _ now: Instant) -> Duration? {
            switch begin(keys, now) {
            case .go:
                end(keys, failed: true, now)
                return nil
            case .wait: return .zero
            case .refuse(let wait): return wait
            }
        }
    }

    @Test func `the sixth failure from an address waits, and one comes back in ten seconds`() {
        let box = Box(pair, account)
        for _ in 0..<5 { #expect(box.fail(keys(1), start) == nil) }
        let wait = box.fail(keys(1), start)
        #expect(wait.map { $0 > .seconds(9) && $0 <= .milliseconds(10_001) } ?? false)
        #expect(box.fail(keys(1), start + .seconds(9)) != nil)
        #expect(box.fail(keys(1), start + .milliseconds(10_001)) == nil)
        #expect(box.fail(keys(1), start + .milliseconds(10_002)) != nil)
    }

    @Test func `another address has its own five`() {
        let box = Box(pair, account)
        for _ in 0..<6 { _ = box.fail(keys(1), start) }
        for _ in 0..<5 { #expect(box.fail(keys(2), start) == nil) }
    }

    @Test func `many addresses together have fifty, which does not touch one that is known`() {
        let box = Box(pair, account)
        for number in 1...50 {
            #expect(box.fail(keys(UInt32(number)), start) == nil)
        }
        #expect(box.fail(keys(51), start) != nil)
        #expect(box.fail(keys(51), start + .milliseconds(1_001)) == nil)
        #expect(box.begin(keys(52, isKnown: true), start) == .go)
    }

    @Test func `successes cost nothing`() {
        let box = Box(pair, account)
        for _ in 0..<1_000 {
            #expect(box.begin(keys(1), start) == .go)
            box.end(keys(1), failed: false, start)
        }
    }

    @Test func `what is under way is counted, so that a hundred at once are no hundred guesses`() {
        let box = Box(pair, account)
        let keys = keys(1)
        for _ in 0..<5 { #expect(box.begin(keys, start) == .go) }
        #expect(box.begin(keys, start) == .wait(keys[0]))
        box.end(keys, failed: false, start)
        #expect(box.begin(keys, start) == .go)
        for _ in 0..<5 { box.end(keys, failed: true, start) }
        guard case .refuse = box.begin(keys, start) else {
            Issue.record("let in after five failures")
            return
        }
    }

    @Test func `all addresses of one network of IPv6 count as one`() {
        let one = IPAddress("2001:db8:1:2::1")?.rateUnit
        #expect(one == IPAddress("2001:db8:1:2:ffff::7")?.rateUnit)
        #expect(one != IPAddress("2001:db8:1:3::1")?.rateUnit)
        #expect(IPAddress("::ffff:10.0.0.1")?.rateUnit == IPAddress("10.0.0.1"))
    }

    @Test func `made-up names cost bounded memory, and what has recovered is forgotten`() {
        let box = Box(pair, account)
        for number in 0..<100_000 as Range<UInt32> {
            let keys = LoginThrottle.keys(
                account: "?\(number)", address: address(number), isKnown: false)
            _ = box.fail(keys, start)
        }
        #expect(box.throttle.count <= 65_538)
        box.throttle.forget(now: start + .seconds(3_600))
        #expect(box.throttle.count == 0)
    }

    @Test func `attempts beyond what is left wait for those under way and learn how they ended`()
        async throws
    {
        let clock = ManualClock()
        let guarding = LoginGuard(pair: pair, account: account, clock: clock)
        let keys = keys(1)
        let tried = Lock(0)
        // Twenty at once, all wrong: five are tried, the others are told to wait.
        let refused = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<20 {
                group.addTask {
                    do throws(APIError) {
                        try await guarding.run(keys) { () async throws(APIError) in
                            tried.withLock { $0 += 1 }
                            await Task.yield()
                            return ((), failed: true)
                        }
                        return false
                    } catch { return error.code == .tooManyRequests && error.retryAfter != nil }
                }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(tried.withLock { $0 } == 5 && refused == 15)
    }
}
