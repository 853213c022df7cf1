import Base
import Domain
import HTTP

/// What administrators see of the node's own machines.
public enum AdministrationAPI {
    /// `/api/ins`
    public struct InsPath: FixedPath {
        /// Where it stands.
        public static let template = "/api/ins"
        /// The only value.
        public init() {}
    }

    /// An instance server that is linked.
    public struct LinkedIns: Codable, Sendable, Equatable {
        /// The name of its credential, by which instances name it.
        public let name: InsName
        /// What it calls itself.
        public let title: String
        /// Where it says it stands; empty where it does not.
        public let region: String
        /// Its program's version.
        public let version: String
        /// How many players it is meant for.
        public let capacity: Int
        /// How many it has.
        public let players: Int
        /// How busy it says it is, 0 to 1.
        public let load: Double
        /// How many instances it runs.
        public let instances: Int
        /// Since when it is linked.
        public let linkedAt: Timestamp

        private enum CodingKeys: String, CodingKey {
            case name, title, region, version, capacity, players, load, instances
            case linkedAt = "linked_at"
        }

        /// An instance server with these fields.
        public init(
            name: InsName, title: String, region: String, version: String, capacity: Int,
            players: Int, load: Double, instances: Int, linkedAt: Timestamp
        ) {
            self.name = name
            self.title = title
            self.region = region
            self.version = version
            self.capacity = capacity
            self.players = players
            self.load = load
            self.instances = instances
            self.linkedAt = linkedAt
        }
    }

    /// The instance servers that are linked now.
    public static let ins = Endpoint<Paged<InsPath>, NoBody, Page<LinkedIns>>(
        .get, access: .administrators, servedBy: .eta, invalid: .serverInvalidInput,
        volatile: true, "the instance servers that are linked")

    /// All of them.
    public static let all: [EndpointFacts] = [ins.facts]
}
