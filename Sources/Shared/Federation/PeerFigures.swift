import Base
import Domain

/// How requests to other nodes end, by node. Only nodes that were found have a name here, and only
/// so many: whoever asks for made-up addresses fills no table.
final class PeerFigures: Sendable {
    private static let limit = 1_000

    private let metrics: Metrics
    private let known = Lock<Set<ServerAddress>>([])

    init(_ metrics: Metrics) { self.metrics = metrics }

    /// A node was found.
    func found(_ address: ServerAddress) {
        known.withLock { known in
            if known.count < Self.limit { known.insert(address) }
        }
        count("found", address)
    }

    /// Counts what came of a request to it, or of looking for it.
    func count(_ outcome: String, _ address: ServerAddress) {
        let name = known.withLock { $0.contains(address) } ? address.text : "other"
        metrics.counter(
            "reileta_peer_requests_total", help: "Requests to other nodes by how they ended",
            labels: "peer=\"\(name)\",outcome=\"\(outcome)\""
        ).add()
    }
}
