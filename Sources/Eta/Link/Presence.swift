import Base
import Domain

/// Which people, from here and elsewhere, have a live socket, as each linked Reil says. Nothing of it is kept: a
/// Reil that links begins with all of them, and with its link they are gone.
public final class Presence: Sendable {
    private let home: ServerAddress
    private let live = Lock<[Int: Set<UserReference>]>([:])

    /// Nobody is there yet.
    init(home: ServerAddress) { self.home = home }

    /// People have their first socket at the Reil of that link.
    func came(_ people: [UserReference], at link: Int) {
        let people = people.map { $0.absolute(at: home) }
        live.withLock { $0[link, default: []].formUnion(people) }
    }

    /// Somebody has no socket any more at the Reil of that link.
    func went(_ person: UserReference, from link: Int) {
        live.withLock { _ = $0[link]?.remove(person.absolute(at: home)) }
    }

    /// The link is over.
    func ended(_ link: Int) { live.withLock { $0[link] = nil } }

    /// Whether a user has a socket at any Reil.
    public func isOnline(_ user: UserID) -> Bool { isOnline(UserReference(user)) }

    /// Whether somebody, from here or elsewhere, has one.
    func isOnline(_ person: UserReference) -> Bool {
        let person = person.absolute(at: home)
        return live.withLock { live in live.values.contains { $0.contains(person) } }
    }
}
