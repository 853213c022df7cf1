import Base
import Domain

/// Which users of this node have a live socket, as each linked Reil says. Nothing of it is kept: a
/// Reil that links begins with all of them, and with its link they are gone.
public final class Presence: Sendable {
    private let live = Lock<[Int: Set<UserID>]>([:])

    /// Users have their first socket at the Reil of that link.
    func came(_ users: [UserID], at link: Int) {
        live.withLock { $0[link, default: []].formUnion(users) }
    }

    /// A user has no socket any more at the Reil of that link.
    func went(_ user: UserID, from link: Int) {
        live.withLock { _ = $0[link]?.remove(user) }
    }

    /// The link is over.
    func ended(_ link: Int) { live.withLock { $0[link] = nil } }

    /// Whether a user has a socket at any Reil.
    public func isOnline(_ user: UserID) -> Bool {
        live.withLock { live in live.values.contains { $0.contains(user) } }
    }
}
