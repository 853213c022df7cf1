import Base
import Domain

/// Which people, from here and elsewhere, have a live socket, as each linked Reil says. Nothing of
/// it is kept: a Reil that links begins with all of them, and with its link they are gone.
public final class Presence: Sendable {
    private let home: ServerAddress
    private struct State {
        var live: [Int: Set<UserReference>] = [:]
        /// Those of whom it is to be told that they came or went, perhaps.
        var moved: Set<UserReference> = []
        /// Those of whom it was told that they are there.
        var told: Set<UserReference> = []

        func isOnline(_ person: UserReference) -> Bool {
            live.values.contains { $0.contains(person) }
        }
    }

    private let state = Lock(State())

    /// Nobody is there yet.
    init(home: ServerAddress) { self.home = home }

    /// People have their first socket at the Reil of that link.
    func came(_ people: [UserReference], at link: Int) {
        let people = people.map { $0.absolute(at: home) }
        state.withLock { state in
            state.live[link, default: []].formUnion(people)
            state.moved.formUnion(people)
        }
    }

    /// Somebody has no socket any more at the Reil of that link.
    func went(_ person: UserReference, from link: Int) {
        let person = person.absolute(at: home)
        state.withLock { state in
            state.live[link]?.remove(person)
            state.moved.insert(person)
        }
    }

    /// The link is over.
    func ended(_ link: Int) {
        state.withLock { state in
            guard let gone = state.live.removeValue(forKey: link) else { return }
            state.moved.formUnion(gone)
        }
    }

    /// Some users of this node who are there and were not, or the other way round, since they were
    /// taken last. Who was away for a moment only is not among them.
    func takeChanged(limit: Int) -> [UserID] {
        state.withLock { state in
            var changed: [UserID] = []
            while changed.count < limit, let person = state.moved.popFirst() {
                let isOnline = state.isOnline(person)
                guard isOnline != state.told.contains(person) else { continue }
                if isOnline { state.told.insert(person) } else { state.told.remove(person) }
                if person.isInternal(to: home) { changed.append(person.id) }
            }
            return changed
        }
    }

    /// Whether a user has a socket at any Reil.
    public func isOnline(_ user: UserID) -> Bool { isOnline(UserReference(user)) }

    /// Whether somebody, from here or elsewhere, has one.
    func isOnline(_ person: UserReference) -> Bool {
        let person = person.absolute(at: home)
        return state.withLock { $0.isOnline(person) }
    }
}
