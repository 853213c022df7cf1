import API
import Base
import Domain
import Storage

/// The node as the world sees it, kept at hand and counted anew now and then.
public final class ServerRecord: Sendable {
    private struct State {
        var profile: NodeProfile
        var stats = ServerStats(users: 0, worlds: 0, instances: 0, players: 0)
        var readyAt: Timestamp?
    }

    private let node: Node
    private let database: Database
    private let state: Lock<State>

    /// A node that is not ready yet.
    public init(_ node: Node, _ profile: NodeProfile, _ database: Database) {
        self.node = node
        self.database = database
        state = Lock(State(profile: profile))
    }

    /// What is said of the node.
    var profile: NodeProfile {
        get { state.withLock(\.profile) }
        set { state.withLock { $0.profile = newValue } }
    }

    /// The object.
    public var server: Server { server(profile) }

    /// The same as it would be with another profile.
    func server(_ profile: NodeProfile) -> Server {
        let (stats, readyAt) = state.withLock { ($0.stats, $0.readyAt) }
        return node.server(profile, stats: stats, readyAt: readyAt)
    }

    /// It answers from now on.
    func becameReady(at now: Timestamp) { state.withLock { $0.readyAt = now } }

    /// Counts again; whether anything is different.
    func count() async throws(APIError) -> Bool {
        let stats = try await database.scan { (reader) throws(APIError) in
            try StatsStore.count(reader)
        }
        return state.withLock { state in
            defer { state.stats = stats }
            return state.stats != stats
        }
    }
}

/// How much there is.
enum StatsStore {
    private static let users = Query<Int>("SELECT count(*) FROM user WHERE password IS NOT NULL")
    private static let worlds = Query<Int>("SELECT count(*) FROM world")
    private static let instances = Query<Int>("SELECT count(*) FROM instance")
    private static let players = Query<Int>("SELECT count(*) FROM player")

    static func count(
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> ServerStats {
        ServerStats(
            users: try reader.first(users) ?? 0, worlds: try reader.first(worlds) ?? 0,
            instances: try reader.first(instances) ?? 0, players: try reader.first(players) ?? 0)
    }
}
