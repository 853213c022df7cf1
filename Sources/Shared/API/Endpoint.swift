import Base
import Domain
import HTTP

/// Which role answers a public endpoint.
public enum ServedBy: Sendable {
    /// Reil itself.
    case reil
    /// Eta; Reil passes the request on.
    case eta
}

/// How an endpoint's calls are counted, docs/client/README.md.
public enum RateClass: String, Sendable, CaseIterable {
    case register, challenge, upload, create, meeting, report, ordinary
}

/// What an endpoint does about credentials that are no longer good.
public enum CredentialUse: Sendable {
    /// A credential that is unknown, expired or revoked is refused (3), also where none was needed.
    case checked
    /// Credentials are not looked at: login, register, refresh.
    case ignored
    /// What has the form of a credential of the node is checked; what has another is somebody
    /// else's, and nothing to the node.
    case foreign
}

/// One parameter of a path or a query, for the OpenAPI document.
public struct Parameter: Sendable {
    /// Its name, as in the template or in the query.
    public let name: String
    /// Whether it stands in the path.
    public let inPath: Bool
    /// Its JSON schema.
    public let schema: JSONValue
    /// What it means.
    public let summary: String

    /// A capture of the path.
    public static func path(_ name: String, _ schema: JSONValue, _ summary: String) -> Parameter {
        Parameter(name: name, inPath: true, schema: schema, summary: summary)
    }

    /// A field of the query.
    public static func query(_ name: String, _ schema: JSONValue, _ summary: String) -> Parameter {
        Parameter(name: name, inPath: false, schema: schema, summary: summary)
    }
}

/// What stands in an endpoint's path and query, as values of the domain.
public protocol EndpointPath: Sendable {
    /// The path with `:name` where a capture stands.
    static var template: String { get }
    /// Its captures in order, then the fields of its query.
    static var parameters: [Parameter] { get }
    /// Reads them; problems of the query are collected in `arguments`, not thrown.
    init(_ arguments: inout PathArguments) throws(APIError)
}

/// The captures and the query of one request, decoded.
public struct PathArguments {
    /// The captures in the order of the template, percent-decoded.
    public let captures: [String]
    /// The query's fields in their order, decoded.
    public let query: [Query.Pair]
    /// What was wrong with the query.
    public private(set) var problems: [FieldProblem] = []

    /// Arguments of a request.
    public init(captures: [String], query: [Query.Pair]) {
        self.captures = captures
        self.query = query
    }

    /// The first value of a field of the query.
    public func value(_ name: String) -> String? { query.first { $0.name == name }?.value }

    /// A field of the query through `parse`; a value that does not parse becomes a problem.
    public mutating func value<Value>(
        _ name: String, _ expectation: String, _ parse: (String) -> Value?
    ) -> Value? {
        guard let text = value(name) else { return nil }
        guard let value = parse(text) else {
            problems.append(FieldProblem(field: name, message: expectation))
            return nil
        }
        return value
    }

    /// Whether a field of the query is `true`, or there without a value.
    public mutating func flag(_ name: String) -> Bool {
        value(name, "true or false") { $0.isEmpty ? true : Bool($0) } ?? false
    }

    /// A capture through `parse`, or the object's "not found".
    public func capture<Value>(
        _ index: Int, or missing: ErrorCode, _ parse: (String) -> Value?
    ) throws(APIError) -> Value {
        guard let value = parse(captures[index]) else { throw APIError(missing) }
        return value
    }
}

/// A path without captures or query of its own.
public protocol FixedPath: EndpointPath {
    /// The only value.
    init()
}

extension FixedPath {
    /// None.
    public static var parameters: [Parameter] { [] }
    /// Reads nothing.
    public init(_ arguments: inout PathArguments) throws(APIError) { self.init() }
}

/// What an endpoint without a body takes: a body that comes all the same is not read.
public struct NoBody: Codable, Sendable {
    /// The only value.
    public init() {}
}

/// The answer of what has nothing to say: `{}`.
public struct Nothing: Codable, Sendable {
    /// The only value.
    public init() {}
}

/// The body of an endpoint that reads or writes bytes itself, an upload or a file.
public struct RawBody: Decodable, Sendable {
    /// The only value.
    public init() {}
}

/// An endpoint as a value: router, gate, client, OpenAPI document and access test are made of it.
public struct Endpoint<Path: EndpointPath, Body: Decodable & Sendable, Output: Sendable>: Sendable {
    /// All but the types.
    public let facts: EndpointFacts
}

/// What is said of an endpoint apart from its types. A class, since every request carries it.
public final class EndpointFacts: Sendable {
    /// The method; `other` for every method, of ``AllEndpoints/ofEveryMethod``.
    public let method: Method
    /// The path with `:name` where a capture stands.
    public let template: String
    /// Who may call.
    public let access: Access
    /// Which role answers.
    public let servedBy: ServedBy
    /// What input that does not fit is answered with.
    public let invalid: ErrorCode
    /// The errors of its own, beside those that every endpoint can answer with.
    public let errors: [ErrorCode]
    /// How calls are counted.
    public let rate: RateClass
    /// What it does about credentials.
    public let credentials: CredentialUse
    /// 201 where an object is made.
    public let created: Bool
    /// Whether the answer holds a token and must be stored nowhere.
    public let holdsToken: Bool
    /// Whether the answer is another one each time, so that a tag would be of no use.
    public let volatile: Bool
    /// Whether `id@server` and `?server=` are read from that node.
    public let readsAbroad: Bool
    /// What it does, in a few words.
    public let summary: String
    /// The schema of the body, nil for none, `binary` for bytes.
    public let body: BodyDescription
    /// The schema of `data`; nil where the answer is no envelope.
    public let output: JSONValue?
    /// The parameters of path and query.
    public let parameters: [Parameter]

    init(
        method: Method,
        template: String,
        access: Access,
        servedBy: ServedBy,
        invalid: ErrorCode,
        errors: [ErrorCode],
        rate: RateClass,
        credentials: CredentialUse,
        created: Bool,
        holdsToken: Bool,
        volatile: Bool,
        readsAbroad: Bool,
        summary: String,
        body: BodyDescription,
        output: JSONValue?,
        parameters: [Parameter]
    ) {
        self.method = method
        self.template = template
        self.access = access
        self.servedBy = servedBy
        self.invalid = invalid
        self.errors = errors
        self.rate = rate
        self.credentials = credentials
        self.created = created
        self.holdsToken = holdsToken
        self.volatile = volatile
        self.readsAbroad = readsAbroad
        self.summary = summary
        self.body = body
        self.output = output
        self.parameters = parameters
    }

    /// The path with `captures` where the template has names, escaped: for who calls the endpoint.
    public func target(_ captures: [String]) -> String {
        var rest = captures[...]
        let parts = template.split(separator: "/").map { part -> String in
            guard let colon = part.firstIndex(of: ":"), let value = rest.popFirst() else {
                return String(part)
            }
            return part[..<colon] + Percent.encode(value)
        }
        return "/" + parts.joined(separator: "/")
    }
}

/// What an endpoint takes as its body.
public enum BodyDescription: Sendable {
    case none
    case json(JSONValue)
    case binary
}

extension Endpoint where Output: Codable {
    /// An endpoint that answers with `Output` in an envelope.
    public init(
        _ method: Method, access: Access, servedBy: ServedBy, invalid: ErrorCode,
        errors: [ErrorCode] = [], rate: RateClass = .ordinary,
        credentials: CredentialUse = .checked, created: Bool = false, holdsToken: Bool = false,
        volatile: Bool = false, readsAbroad: Bool = false, _ summary: String
    ) {
        facts = EndpointFacts(
            method: method, template: Path.template, access: access, servedBy: servedBy,
            invalid: invalid, errors: errors, rate: rate, credentials: credentials,
            created: created, holdsToken: holdsToken, volatile: volatile,
            readsAbroad: readsAbroad, summary: summary,
            body: Self.describeBody(), output: JSONCoder.schema(Output.self),
            parameters: Path.parameters)
    }
}

extension Endpoint where Output == Response {
    /// An endpoint that makes its own response: a file, an upgrade, a document without envelope.
    public init(
        raw method: Method, access: Access, servedBy: ServedBy, invalid: ErrorCode,
        errors: [ErrorCode] = [], rate: RateClass = .ordinary,
        credentials: CredentialUse = .checked, readsAbroad: Bool = false,
        output: JSONValue? = nil, _ summary: String
    ) {
        facts = EndpointFacts(
            method: method, template: Path.template, access: access, servedBy: servedBy,
            invalid: invalid, errors: errors, rate: rate, credentials: credentials,
            created: false, holdsToken: false, volatile: false, readsAbroad: readsAbroad,
            summary: summary,
            body: Self.describeBody(), output: output, parameters: Path.parameters)
    }
}

extension Endpoint {
    private static func describeBody() -> BodyDescription {
        if Body.self == NoBody.self { return .none }
        if Body.self == RawBody.self { return .binary }
        return .json(JSONCoder.schema(Body.self))
    }
}
