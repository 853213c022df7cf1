import API
import Base
import Domain
import Storage

/// Finds an Ins for an instance, inside the act that places it.
struct InstancePlacer: Sendable {
    let roster: InsRoster

    /// The credential of the Ins: the one of that name, else the least loaded one of the pool. An
    /// Ins that is not the operator's own hosts only what names it.
    ///
    /// - Throws: 66 when none is linked that has room.
    func choose(
        named name: InsName?, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> String {
        if let name {
            let named = roster.linked.first {
                $0.report.credential == name.text || $0.report.name == name.text
            }
            guard let named else { throw APIError(.noInstanceServer) }
            return named.report.credential
        }
        let pool = try InsStore.pool(reader)
        let burdens = Dictionary(
            try InstanceStore.burdens(reader).map { ($0.ins, $0) }, uniquingKeysWith: { a, _ in a })
        let candidates = roster.linked.filter { pool.contains($0.report.credential) }.map { entry in
            let burden = burdens[entry.report.credential]
            return PlacementRules.Candidate(
                ins: entry.report.credential, capacity: entry.report.capacity,
                players: burden?.players ?? 0, instances: burden?.instances ?? 0)
        }
        guard let chosen = PlacementRules.choose(candidates) else {
            throw APIError(.noInstanceServer)
        }
        return chosen.ins
    }
}
