import Base
import Domain

/// Failed logins, counted for each account and address together, and for each account alone; the
/// contract's http.md §6. Only failures count, and nobody is ever locked out: an address fails
/// with an account five times and then once in ten seconds, which leaves every other address its
/// own five; and an address that an account is logged in from does not feel the failures of others.
///
/// Attempts are counted while they are under way, since a hundred at once would else all be let in
/// before the first has failed: what can fail no more waits for those before it.
struct LoginThrottle {
    /// What failures are counted by.
    enum Key: Hashable {
        case pair(account: String, address: IPAddress)
        case account(String)
    }

    /// What becomes of an attempt.
    enum Verdict: Equatable {
        /// It may be tried; its end is told by `end`.
        case go
        /// Others are under way that may use up what is left; ask again when one has ended.
        case wait(Key)
        /// Not before so long.
        case refuse(Duration)
    }

    private struct Entry {
        var bucket: TokenBucket
        var underWay = 0
    }

    private var entries: [Key: Entry] = [:]
    private let pairRate: Rate
    private let accountRate: Rate
    /// More than so many keys are not remembered; the table is then cleared of what has recovered.
    private static let limit = 65_536

    init(pair: Rate, account: Rate) {
        pairRate = pair
        accountRate = account
    }

    /// How many keys are remembered.
    var count: Int { entries.count }

    /// The keys of an attempt; a known address is counted for itself alone.
    static func keys(account: String, address: IPAddress, isKnown: Bool) -> [Key] {
        let pair = Key.pair(account: account, address: address.rateUnit)
        return isKnown ? [pair] : [pair, .account(account)]
    }

    /// Asks to try one.
    mutating func begin(_ keys: [Key], now: Instant) -> Verdict {
        if entries.count >= Self.limit { forget(now: now) }
        var verdict = Verdict.go
        for key in keys {
            var entry = entries[key] ?? Entry(bucket: TokenBucket(rate(key), now: now))
            entry.bucket.refill(now: now)
            entries[key] = entry
            if entry.bucket.wait > .zero {
                if case .refuse(let other) = verdict, other > entry.bucket.wait { continue }
                verdict = .refuse(entry.bucket.wait)
            } else if verdict == .go, entry.bucket.tokens - Double(entry.underWay) < 1 {
                verdict = .wait(key)
            }
        }
        if verdict == .go { for key in keys { entries[key]?.underWay += 1 } }
        return verdict
    }

    /// Tells how one that was let in has ended.
    mutating func end(_ keys: [Key], failed: Bool, now: Instant) {
        for key in keys {
            entries[key]?.underWay -= 1
            guard failed else { continue }
            entries[key]?.bucket.refill(now: now)
            entries[key]?.bucket.take()
        }
    }

    /// Forgets what is as if it had never been; when that is not enough, also what matters least,
    /// so that strangers with a million made-up names cost no more memory than this.
    mutating func forget(now: Instant) {
        for key in entries.keys { entries[key]?.bucket.refill(now: now) }
        entries = entries.filter { $1.underWay > 0 || !$1.bucket.isFull }
        if entries.count > Self.limit / 2 {
            entries = entries.filter { $1.underWay > 0 || $1.bucket.tokens < 1 }
        }
        if entries.count > Self.limit / 2 { entries = entries.filter { $1.underWay > 0 } }
    }

    private func rate(_ key: Key) -> Rate {
        switch key {
        case .pair: pairRate
        case .account: accountRate
        }
    }
}

/// The throttle as logins use it: waits where it says so.
final class LoginGuard: Sendable {
    private enum Entrance: Sendable {
        case entered, again, crowded
        case refused(Duration)
    }
    private struct State {
        var throttle: LoginThrottle
        var waiting: [LoginThrottle.Key: [CheckedContinuation<Entrance, Never>]] = [:]
    }

    private let state: Lock<State>
    private let clock: any ClockSource
    /// Attempts that wait for one key; the next ones are refused.
    private static let waitingLimit = 32

    init(pair: Rate, account: Rate, clock: any ClockSource) {
        state = Lock(State(throttle: LoginThrottle(pair: pair, account: account)))
        self.clock = clock
    }

    /// Runs `attempt`, which says whether it failed, as soon as it may be tried.
    ///
    /// - Throws: 55 with the time to wait when too much has failed, 70 when too many wait.
    func run<Answer>(
        _ keys: [LoginThrottle.Key],
        _ attempt: () async throws(APIError) -> (answer: Answer, failed: Bool)
    ) async throws(APIError) -> Answer {
        try await enter(keys)
        do throws(APIError) {
            let (answer, failed) = try await attempt()
            leave(keys, failed: failed)
            return answer
        } catch {
            leave(keys, failed: false)
            throw error
        }
    }

    /// Forgets what has recovered.
    func forget() {
        let now = clock.now()
        state.withLock { $0.throttle.forget(now: now) }
    }

    private func enter(_ keys: [LoginThrottle.Key]) async throws(APIError) {
        while true {
            let entrance = await withCheckedContinuation { continuation in
                if let entrance = knock(keys, continuation) {
                    continuation.resume(returning: entrance)
                }
            }
            switch entrance {
            case .entered: return
            case .again: continue
            case .crowded: throw .overloaded(context: "logins of one account")
            case .refused(let wait): throw .tooManyRequests(retryAfter: wait)
            }
        }
    }

    /// What is known at once; nil when `continuation` waits.
    private func knock(
        _ keys: [LoginThrottle.Key], _ continuation: CheckedContinuation<Entrance, Never>
    ) -> Entrance? {
        let now = clock.now()
        return state.withLock { state in
            switch state.throttle.begin(keys, now: now) {
            case .go: return .entered
            case .refuse(let wait): return .refused(wait)
            case .wait(let key):
                guard state.waiting[key, default: []].count < Self.waitingLimit else {
                    return .crowded
                }
                state.waiting[key, default: []].append(continuation)
                return nil
            }
        }
    }

    private func leave(_ keys: [LoginThrottle.Key], failed: Bool) {
        let now = clock.now()
        let woken = state.withLock { state in
            state.throttle.end(keys, failed: failed, now: now)
            return keys.flatMap { state.waiting.removeValue(forKey: $0) ?? [] }
        }
        for continuation in woken { continuation.resume(returning: .again) }
    }
}

extension IPAddress {
    /// The network that a user is shown for a session: /24 of IPv4, /48 of IPv6.
    var sessionPrefix: String {
        switch unmapped {
        case .v4(let number): "\(IPAddress.v4(number & 0xFFFF_FF00))/24"
        case .v6(let high, _): "\(IPAddress.v6(high: high & ~0xFFFF, low: 0))/48"
        }
    }
}
