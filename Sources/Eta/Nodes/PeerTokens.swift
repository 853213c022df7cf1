import Base
import Domain

/// Our own server tokens at other nodes. They are worth as much as this node's name, so they are
/// kept in memory alone: after a restart a challenge makes a new one.
final class PeerTokens: Sendable {
    /// A token and its end.
    struct Held: Sendable {
        var token: ServerToken
        var expiresAt: Timestamp
    }

    private let held = Lock<[ServerAddress: Held]>([:])
    /// As many peers as are kept in memory, federation.md §2.
    private static let limit = 10_000

    /// The token for a node, while it counts.
    func find(_ address: ServerAddress, now: Timestamp) -> Held? {
        held.withLock { held in
            guard let token = held[address], token.expiresAt > now else { return nil }
            return token
        }
    }

    /// Forgets the token for a node.
    func forget(_ address: ServerAddress) { held.withLock { $0[address] = nil } }

    /// Keeps a token in place of the one before; one that has ended only takes that away.
    func keep(
        _ token: ServerToken, until expiresAt: Timestamp, for address: ServerAddress, now: Timestamp
    ) {
        held.withLock { held in
            if held.count >= Self.limit { held = held.filter { $1.expiresAt > now } }
            if held.count >= Self.limit { held = [:] }
            held[address] = expiresAt > now ? Held(token: token, expiresAt: expiresAt) : nil
        }
    }
}
