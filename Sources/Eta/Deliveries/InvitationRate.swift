import Base
import Domain

/// How often users of other nodes may be told of instances there: what a node tells of itself goes to
/// the user's sockets, and is not to fill them.
final class InvitationRate: Sendable {
    private struct Key: Hashable {
        let peer: ServerAddress
        let user: UserReference
    }

    /// As one invites here, docs/client/README.md: 30 a minute.
    private static let rate = Rate(burst: 30, every: .seconds(2))
    /// More than so many pairs are not remembered; those that have recovered go first.
    private static let limit = 65_536

    private let clock: any ClockSource
    private let buckets = Lock<[Key: TokenBucket]>([:])

    init(clock: any ClockSource) { self.clock = clock }

    /// Counts one that `peer` tells `user`.
    ///
    /// - Throws: 55.
    func count(from peer: ServerAddress, for user: UserReference) throws(APIError) {
        let now = clock.now()
        let wait = buckets.withLock { buckets -> Duration in
            if buckets.count >= Self.limit {
                for key in buckets.keys { buckets[key]?.refill(now: now) }
                buckets = buckets.filter { !$0.value.isFull }
                if buckets.count >= Self.limit { buckets = [:] }
            }
            var bucket =
                buckets[Key(peer: peer, user: user)] ?? TokenBucket(Self.rate, now: now)
            bucket.refill(now: now)
            let wait = bucket.wait
            if wait == .zero { bucket.take() }
            buckets[Key(peer: peer, user: user)] = bucket
            return wait
        }
        if wait > .zero { throw .tooManyRequests(retryAfter: wait) }
    }
}
