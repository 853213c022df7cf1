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
    public var requestID: UInt64?
    /// Whether the credential came in a way that works and is not to be used any more.
    public var isDeprecated = false
    /// Path and query without credentials, where the query held one.
    public let cleanTarget: [UInt8]?
    /// Path and query as they are logged and repeated, where the query held a secret.
    public let shownTarget: [UInt8]?
    /// Where its answer is counted.
    let figures: RouteMetrics?
    /// How many checks of the gate it has passed.
    fileprivate var passed = 0

    /// A request before the first check.
    public init(request: Request, endpoint: EndpointFacts, figures: RouteMetrics? = nil) {
        self.request = request
        self.endpoint = endpoint
        self.figures = figures
        client = request.client
        let found = CredentialField.find(in: request.head)
        cleanTarget = found?.cleanTarget
        shownTarget = found?.shownTarget
    }
}

/// One thing that a request must be before a controller sees it.
public protocol GateCheck: Sendable {
    /// The check's name, printed at start.
    var name: String { get }
    /// Adds to what is known, or refuses; false where only `ask` can tell.
    func check(_ passage: inout Passage) throws(APIError) -> Bool
    /// Finds out what `check` could not tell at once.
    func ask(_ passage: inout Passage) async throws(APIError)
}

extension GateCheck {
    /// Most checks ask nobody.
    public func ask(_ passage: inout Passage) async throws(APIError) {
        preconditionFailure("the check \(name) asks nobody")
    }
}

/// The ordered checks before every controller: who calls, whether another node has signed for it,
/// how often, whether that kind of caller may.
public struct Gate: Sendable {
    private let checks: [any GateCheck]

    /// A gate of these checks, in this order.
    public init(_ checks: [any GateCheck]) { self.checks = checks }

    /// The names in order.
    public var names: [String] { checks.map(\.name) }

    /// Lets `passage` through or refuses it; false where one of the checks has to ask somebody
    /// first, from which on `pass` goes on.
    public func passAtOnce(_ passage: inout Passage) throws(APIError) -> Bool {
        while passage.passed < checks.count {
            guard try checks[passage.passed].check(&passage) else { return false }
            passage.passed += 1
        }
        return true
    }

    /// Lets `passage` through or refuses it, whoever has to be asked.
    public func pass(_ passage: inout Passage) async throws(APIError) {
        while try !passAtOnce(&passage) {
            try await checks[passage.passed].ask(&passage)
            passage.passed += 1
        }
    }
}

/// The last check: the access column of the endpoint's row.
public struct AuthoriseCheck: GateCheck {
    /// What is printed at start.
    public let name = "authorise"

    /// The only value.
    public init() {}

    /// Refuses who may not call this endpoint at all.
    public func check(_ passage: inout Passage) throws(APIError) -> Bool {
        try passage.endpoint.access.check(passage.caller)
        return true
    }
}
