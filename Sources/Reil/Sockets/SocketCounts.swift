import API
import Base
import Domain

/// Who speaks on a socket, whatever the session: a user of this node, or one who visits.
enum Person: Hashable, Sendable {
    case user(UserID)
    case visitor(UserReference)

    /// The person that a credential proves; nil where it proves none.
    init?(_ caller: Caller) {
        switch caller {
        case .user(let user): self = .user(user.id)
        case .visitor(let visitor): self = .visitor(visitor.user)
        case .nobody, .server, .ins, .gateway: return nil
        }
    }
}

/// How many sockets there are of an address before login, and of a person after it.
final class SocketCounts: Sendable {
    enum Key: Hashable, Sendable {
        case address(IPAddress)
        case person(Person)
    }

    /// One socket's place among those that are counted; given back when nobody holds it any more.
    final class Place: Sendable {
        private let counts: SocketCounts
        /// What it counts towards.
        let key: Key

        fileprivate init(_ counts: SocketCounts, _ key: Key) {
            self.counts = counts
            self.key = key
        }

        deinit { counts.leave(key) }
    }

    private let perAddress: Int
    private let perPerson: Int
    private let counts = Lock<[Key: Int]>([:])

    /// Nobody is there yet.
    init(perAddress: Int, perPerson: Int) {
        self.perAddress = perAddress
        self.perPerson = perPerson
    }

    /// A place for one more, or nil when there are as many as may be.
    func enter(_ key: Key) -> Place? {
        let limit =
            switch key {
            case .address: perAddress
            case .person: perPerson
            }
        let isIn = counts.withLock { counts in
            let count = counts[key] ?? 0
            if count < limit { counts[key] = count + 1 }
            return count < limit
        }
        return isIn ? Place(self, key) : nil
    }

    private func leave(_ key: Key) {
        counts.withLock { counts in
            let count = (counts[key] ?? 0) - 1
            counts[key] = count > 0 ? count : nil
        }
    }
}
