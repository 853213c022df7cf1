import Base
import Domain
import HTTP

/// What one node tells another, at least once and in order: docs/federation, "Deliveries".
public enum DeliveryAPI {
    /// `/api/deliveries`
    public struct DeliveriesPath: FixedPath {
        /// Where it stands.
        public static let template = "/api/deliveries"
        /// The only value.
        public init() {}
    }

    /// How many items come at once, and how many bytes of them.
    public static let itemLimit = 100
    /// Bytes of a batch.
    public static let byteLimit = 256 << 10

    /// Some items of a stream, as they come: each is read by itself, so that one that cannot be
    /// read holds nobody up.
    public struct Batch: Codable, Sendable {
        /// Which stream.
        public let stream: StreamName
        /// The items, ids rising; none, to say that one is there.
        public let items: [JSONValue]

        /// Those items of that stream.
        public init(stream: StreamName, items: [JSONValue]) {
            self.stream = stream
            self.items = items
        }
    }
    /// An item that was passed over.
    public struct Refused: Codable, Sendable, Equatable {
        /// Which.
        public let id: Int64
        /// Why, as an error's number.
        public let code: UInt16

        /// That item, for that reason.
        public init(id: Int64, code: ErrorCode) {
            self.id = id
            self.code = code.rawValue
        }
    }
    /// What came of a batch.
    public struct Receipt: Codable, Sendable, Equatable {
        /// How many items are done, those that were done before among them.
        public let applied: Int
        /// Those that never will be.
        public let refused: [Refused]

        /// That.
        public init(applied: Int, refused: [Refused]) {
            self.applied = applied
            self.refused = refused
        }
    }

    /// Takes what another node has to tell.
    public static let deliver = Endpoint<DeliveriesPath, Batch, Receipt>(
        .put, access: .server, servedBy: .reil, invalid: .serverInvalidInput,
        "takes what another node has to tell")

    /// All of them.
    public static let all: [EndpointFacts] = [deliver.facts]
}
