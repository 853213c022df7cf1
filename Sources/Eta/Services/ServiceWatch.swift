import API
import Base
import Domain
import Storage

/// Has every service asked now and then whether it is there, by whichever Reil is: who is registered
/// is for Eta to know, and who connects to the outside is Reil.
final class ServiceWatch: Sendable {
    private let database: Database
    private let pushes: Pushes
    private let clock: any ClockSource
    private let interval: Duration
    /// When each is asked next; nil before they were looked up.
    private let due = Lock<[ServiceID: Instant]?>(nil)

    init(_ registry: Registry) {
        database = registry.database
        pushes = registry.pushes
        clock = registry.ambient.clock
        interval = registry.settings.services.interval
    }

    /// Asks for one at once: it is new, or elsewhere.
    func look(at row: ServiceRow) {
        due.withLock { $0?[row.id] = clock.now() + interval }
        pushes.look(at: [target(row)])
    }

    /// Asks for all whose time has come.
    func lookAround() async throws(APIError) {
        let now = clock.now()
        if due.withLock({ $0 == nil }) {
            let rows = try database.read { (reader) throws(APIError) in
                try ServiceStore.all(reader)
            }
            due.withLock { $0 = Dictionary(uniqueKeysWithValues: rows.map { ($0.id, now) }) }
        }
        let turn = due.withLock { due in
            let turn = (due ?? [:]).filter { $1 <= now }.map(\.key)
            for id in turn { due?[id] = now + interval }
            return turn
        }
        if turn.isEmpty { return }
        let rows = try database.read { (reader) throws(APIError) in
            var rows: [ServiceRow] = []
            for id in turn {
                if let row = try ServiceStore.find(id, reader) { rows.append(row) }
            }
            return rows
        }
        let gone = Set(turn).subtracting(rows.map(\.id))
        due.withLock { due in
            for id in gone { due?[id] = nil }
        }
        if !rows.isEmpty { pushes.look(at: rows.map(target)) }
    }

    private func target(_ row: ServiceRow) -> ServiceTarget {
        ServiceTarget(id: row.id, address: row.address, secure: row.secure)
    }
}
