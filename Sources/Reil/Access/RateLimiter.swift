import API
import Base
import Domain
import HTTP
import Runtime

/// The rates of `docs/client` by class.
public struct RateLimits: Sendable {
    let ordinary: Rate
    let server: Rate
    let register: Rate
    let challenge: Rate
    let upload: Rate
    let create: Rate
    let meeting: Rate
    let report: Rate

    init(_ config: ConfigReader) {
        func over(_ period: Duration, _ setting: Setting<Int>) -> Rate {
            Rate(burst: config[setting], every: period / config[setting])
        }
        ordinary = Rate(
            burst: config[ReilSettings.ordinaryBurst],
            every: .seconds(1) / config[ReilSettings.ordinaryRate])
        server = Rate(
            burst: config[ReilSettings.serverBurst],
            every: .seconds(1) / config[ReilSettings.serverRate])
        register = over(.seconds(1_800), ReilSettings.registerBurst)
        challenge = over(.seconds(60), ReilSettings.challengeBurst)
        upload = over(.seconds(1_800), ReilSettings.uploadBurst)
        create = over(.seconds(600), ReilSettings.createBurst)
        meeting = over(.seconds(60), ReilSettings.meetingBurst)
        report = over(.seconds(3_600), ReilSettings.reportBurst)
    }

    func rate(of rate: RateClass) -> Rate {
        switch rate {
        case .register: register
        case .challenge: challenge
        case .upload: upload
        case .create: create
        case .meeting: meeting
        case .report: report
        case .ordinary: ordinary
        }
    }
}

/// Counts requests by who makes them. A bucket is one number: the moment at which it is full.
public final class RateLimiter: GateCheck {
    /// Whose requests are counted together.
    private enum Counted: Hashable {
        case address(IPAddress)
        case user(UserID)
        case visitor(UserReference)
        case server(ServerAddress)
        /// Who sends what another node is said to have signed.
        case signer(IPAddress)
    }

    private struct Key: Hashable {
        let counted: Counted
        let rate: RateClass
    }

    /// Buckets kept at the most; full ones are forgotten first, then all: a flood of addresses
    /// may win a fresh burst for some, and never memory.
    private static let bucketLimit = 200_000

    /// What is printed at start.
    public let name = "rate"
    private let limits: RateLimits
    private let exempt: [NetworkRange]
    private let clock: any ClockSource
    private let shards = (0..<16).map { _ in Lock<[Key: Instant]>([:]) }

    /// A limiter by `limits` that leaves `exempt` networks alone.
    public init(limits: RateLimits, exempt: [NetworkRange], clock: any ClockSource) {
        self.limits = limits
        self.exempt = exempt
        self.clock = clock
    }

    /// Counts the request.
    ///
    /// - Throws: 55 with the time after which one more may come.
    public func check(_ passage: inout Passage) throws(APIError) -> Bool {
        let client = passage.client
        if isExempt(client) { return true }
        let counted: Counted
        switch passage.caller {
        case .user(let user): counted = .user(user.id)
        case .visitor(let visitor): counted = .visitor(visitor.user)
        case .server(let server): counted = .server(server)
        case .nobody, .ins, .gateway: counted = .address(client.rateUnit)
        }
        let rate = passage.endpoint.rate
        let byAddress = rate == .register || rate == .challenge
        try count(
            Key(counted: byAddress ? .address(client.rateUnit) : counted, rate: rate),
            passage.caller.server != nil && rate == .ordinary
                ? limits.server : limits.rate(of: rate))
        return true
    }

    /// Counts a credential that Eta has to be asked about, by the address that shows it: who makes
    /// them up never comes to be counted as somebody.
    ///
    /// - Throws: 55 as `check`.
    func countUnknown(from client: IPAddress) throws(APIError) {
        if isExempt(client) { return }
        try count(Key(counted: .address(client.rateUnit), rate: .ordinary), limits.ordinary)
    }

    /// Counts a request whose signature is to be verified, by the address that sends it: the node
    /// in whose name it comes is not to pay for what it may not have signed.
    ///
    /// - Throws: 55 as `check`.
    func countUnverified(from client: IPAddress) throws(APIError) {
        if isExempt(client) { return }
        try count(Key(counted: .signer(client.rateUnit), rate: .ordinary), limits.server)
    }

    private func isExempt(_ client: IPAddress) -> Bool {
        exempt.contains { $0.contains(client) }
    }

    private func count(_ key: Key, _ rate: Rate) throws(APIError) {
        let now = clock.now()
        let shard = shards[abs(key.hashValue % shards.count)]
        let wait: Duration? = shard.withLock { buckets in
            if buckets.count >= Self.bucketLimit / shards.count {
                buckets = buckets.filter { $0.value > now }
                if buckets.count >= Self.bucketLimit / shards.count { buckets = [:] }
            }
            return Self.take(from: &buckets[key, default: now], now, rate)
        }
        if let wait { throw .tooManyRequests(retryAfter: wait) }
    }

    /// Takes one from a bucket that will be full at `full`, or tells how long to wait for it.
    private static func take(from full: inout Instant, _ now: Instant, _ rate: Rate) -> Duration? {
        let next = max(full, now) + rate.interval
        let excess = (next - now) - rate.interval * rate.burst
        if excess > .zero { return excess }
        full = next
        return nil
    }
}
