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

    /// The person that `reference` names at the node `home`.
    init(_ reference: UserReference, home: ServerAddress) {
        self =
            reference.isInternal(to: home)
            ? .user(reference.id) : .visitor(reference.absolute(at: home))
    }

    /// As Eta knows them; of this node where no node is said.
    var reference: UserReference {
        switch self {
        case .user(let user): UserReference(user)
        case .visitor(let visitor): visitor
        }
    }
}

/// How many sockets there are of an address before login, and of a person after it; Eta is told
/// who has any.
final class SocketCounts: Sendable {
    enum Key: Hashable, Sendable {
        case address(IPAddress)
        case person(Person)
        /// A service, which is no sign of its owner's being there.
        case service(ServiceID)

        /// What the sockets of a caller are counted by; nil before they have logged in.
        init?(_ caller: Caller) {
            if let service = caller.user?.service {
                self = .service(service)
            } else if let person = Person(caller) {
                self = .person(person)
            } else {
                return nil
            }
        }
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
    /// Called in the order of what it tells, so with the counts locked.
    private let report: @Sendable (RegistryReport) -> Void

    /// People that one report names.
    private static let perReport = 1_000

    /// Nobody is there yet.
    init(
        perAddress: Int, perPerson: Int,
        report: @escaping @Sendable (RegistryReport) -> Void = { _ in }
    ) {
        self.perAddress = perAddress
        self.perPerson = perPerson
        self.report = report
    }

    /// Tells Eta of all people who are here: a link begins.
    func welcomed() {
        counts.withLock { counts in
            var people: [UserReference] = []
            for case .person(let person) in counts.keys {
                people.append(person.reference)
                if people.count == Self.perReport {
                    report(.online(people))
                    people = []
                }
            }
            if !people.isEmpty { report(.online(people)) }
        }
    }

    /// A place for one more, or nil when there are as many as may be.
    func enter(_ key: Key) -> Place? {
        let limit =
            switch key {
            case .address: perAddress
            case .person, .service: perPerson
            }
        let isIn = counts.withLock { counts in
            let count = counts[key] ?? 0
            if count < limit { counts[key] = count + 1 }
            if count == 0, limit > 0, case .person(let person) = key {
                report(.online([person.reference]))
            }
            return count < limit
        }
        return isIn ? Place(self, key) : nil
    }

    private func leave(_ key: Key) {
        counts.withLock { counts in
            let count = (counts[key] ?? 0) - 1
            counts[key] = count > 0 ? count : nil
            if count == 0, case .person(let person) = key { report(.offline(person.reference)) }
        }
    }
}
