import Base
import Domain
import HTTP

/// A request on its way through the gate.
public struct Passage: Sendable {
    /// The request; a check that had to read its body leaves one with the bytes read.
    public var request: Request
    /// The endpoint that it asks for.
    public let endpoint: EndpointFacts
    /// Who calls, as far as that is known yet.
    public var caller: Caller = .nobody
    /// The client's own address, as far as that is known yet.
    public var client: IPAddress
    /// The id that the request carries through all roles, as far as it has one yet.
    public var requestID: String?
    /// Whether the credential came in a way that works and is not to be used any more.
    public var isDeprecated = false
    /// Path and query without credentials, where the query held one.
    public var cleanTarget: [UInt8]?

    /// A request before the first check.
    public init(request: Request, endpoint: EndpointFacts) {
        self.request = request
        self.endpoint = endpoint
        client = request.client
    }
}

/// One thing that a request must be before a controller sees it.
public protocol GateCheck: Sendable {
    /// The check's name, printed at start.
    var name: String { get }
    /// Adds to what is known, or refuses.
    func check(_ passage: inout Passage) async throws(APIError)
}

/// The ordered checks before every controller: limits, who, whether moderated, how often, whether
/// allowed; each cheaper than what comes after it.
public struct Gate: Sendable {
    private let checks: [any GateCheck]

    /// A gate of these checks, in this order.
    public init(_ checks: [any GateCheck]) { self.checks = checks }

    /// The names in order.
    public var names: [String] { checks.map(\.name) }

    /// Lets `passage` through or refuses it.
    public func pass(_ passage: inout Passage) async throws(APIError) {
        for check in checks { try await check.check(&passage) }
    }
}

/// The last check: the access column of the endpoint's row.
public struct AuthoriseCheck: GateCheck {
    /// What is printed at start.
    public let name = "authorise"

    /// The only value.
    public init() {}

    /// Refuses who may not call this endpoint at all.
    public func check(_ passage: inout Passage) async throws(APIError) {
        try passage.endpoint.access.check(passage.caller)
    }
}
