import API
import Base
import Domain
import HTTP

/// A request to another node, before it is bytes.
public struct PeerRequest: Sendable {
    /// Where it goes.
    public let gateway: Gateway
    /// The method.
    public let method: Method
    /// Path and query.
    public let target: String
    /// The fields, without Host and those of framing.
    public let fields: Fields
    /// The body; nil for none.
    public let body: [UInt8]?

    /// A request of these parts.
    public init(
        gateway: Gateway, method: Method, target: String, fields: Fields = Fields(),
        body: [UInt8]? = nil
    ) {
        self.gateway = gateway
        self.method = method
        self.target = target
        self.fields = fields
        self.body = body
    }
}

/// What another node answered.
public struct PeerAnswer: Sendable {
    /// The status.
    public let status: Status
    /// The fields.
    public let fields: Fields
    /// All of the body.
    public let body: [UInt8]

    /// An answer of these parts.
    public init(status: Status, fields: Fields, body: [UInt8]) {
        self.status = status
        self.fields = fields
        self.body = body
    }
}

/// Why there is no answer.
public enum PeerFailure: Error, Sendable, Equatable {
    /// The name has no address.
    case unknown
    /// The address may not be connected to.
    case refused
    /// Nobody takes connections there: nothing of the request was sent.
    case unreachable(String)
    /// Nobody answers there, or not in time.
    case silent(String)
    /// It speaks no TLS, or none that proves its name.
    case untrusted(String)
    /// What came is no HTTP, or more than may come.
    case malformed(String)
    /// Too much waits for that node already.
    case busy
    /// Whoever asked does not want to know any more.
    case cancelled

    /// One word for it, as figures are counted.
    var word: String {
        switch self {
        case .unknown: "unknown"
        case .refused: "refused"
        case .unreachable: "unreachable"
        case .silent: "silent"
        case .untrusted: "untrusted"
        case .malformed: "malformed"
        case .busy: "busy"
        case .cancelled: "cancelled"
        }
    }
}

/// The way to other nodes, with limits and deadlines (docs/federation §6): the real one goes
/// over HTTPS, a simulated one over nothing.
public protocol PeerTransport: Sendable {
    /// Sends a request and waits for all of the answer. Redirects of HTTP are not followed.
    func exchange(_ request: PeerRequest) async throws(PeerFailure) -> PeerAnswer
}

/// What a node remembers of others across restarts: Eta's database, or nothing but memory.
public protocol PeerMemory: Sendable {
    /// What is remembered; nil for a node never seen.
    func recall(_ address: ServerAddress) async throws(APIError) -> RegistryAPI.NodeRecord?
    /// Remembers in place of what was there.
    func remember(_ record: RegistryAPI.NodeRecord) async throws(APIError)
    /// Notes for the operator what came of looking for a node that is known; best effort.
    func note(_ address: ServerAddress, failure: ErrorCode?) async
}
