import API
import Base
import Domain
import Storage

/// The instance servers as administrators see them: `AdministrationAPI`.
struct InsController: Sendable {
    let database: Database
    let roster: InsRoster

    init(_ registry: Registry) {
        database = registry.database
        roster = registry.roster
    }

    func list(
        _ path: Paged<AdministrationAPI.InsPath>, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Page<AdministrationAPI.LinkedIns> {
        let burdens = try await database.scan { (reader) throws(APIError) in
            try InstanceStore.burdens(reader)
        }
        let burden = Dictionary(burdens.map { ($0.ins, $0) }, uniquingKeysWith: { a, _ in a })
        let all = roster.linked.filter { entry in
            guard let search = path.page.folded else { return true }
            return "\(entry.report.credential) \(entry.report.name)".lowercased().contains(search)
        }
        let start = path.page.start
        let rest = all.drop { entry in
            !start.lexicographicallyPrecedes(Array(entry.report.credential.utf8))
        }
        return path.page.page(
            Array(rest.prefix(path.page.reach)), total: all.count,
            key: { Array($0.report.credential.utf8) }
        ) { entry in
            let own = burden[entry.report.credential]
            return AdministrationAPI.LinkedIns(
                name: InsName(entry.report.credential) ?? .sample, title: entry.report.name,
                region: entry.report.region,
                version: entry.report.version, capacity: entry.report.capacity,
                players: own?.players ?? 0, load: entry.report.load,
                instances: own?.instances ?? 0, linkedAt: entry.linkedAt)
        }
    }
}
