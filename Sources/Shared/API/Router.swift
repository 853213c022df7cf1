import Base
import Domain
import HTTP

/// What answers an endpoint once it is bound.
public protocol BoundEndpoint: Sendable {
    /// The endpoint's row.
    var facts: EndpointFacts { get }
    /// The answer, where it is at hand; nil: ``answer(_:)`` has to find it.
    func answerAtOnce(_ exchange: Exchange) throws(APIError) -> Response?
    /// How the answer is found without a task; nil: ``answer(_:)`` has to find it.
    func following(_ exchange: Exchange) -> AnswerStart<Result<Response, APIError>>?
    /// The answer, whoever has to be asked for it.
    func answer(_ exchange: Exchange) async throws(APIError) -> Response
}

extension BoundEndpoint {
    /// Most answers have to be found.
    public func answerAtOnce(_ exchange: Exchange) throws(APIError) -> Response? { nil }
    /// Most take a task.
    public func following(_ exchange: Exchange) -> AnswerStart<Result<Response, APIError>>? { nil }
}

/// A request that has passed the gate, with what the routes found in its path.
public struct Exchange: Sendable {
    /// What the gate knows.
    public let passage: Passage
    /// The captures of the path, decoded.
    public let captures: [String]
    /// The fields of the query, decoded, without credentials.
    public let query: [Query.Pair]
    /// The outside.
    public let ambient: Ambient

    /// The same with a request whose body was read.
    public func with(_ request: Request) -> Exchange {
        var passage = passage
        passage.request = request
        return Exchange(passage: passage, captures: captures, query: query, ambient: ambient)
    }

    /// The context for a controller.
    public var context: RequestContext { RequestContext(passage, ambient) }
}

/// Leads requests to endpoints: routes, gate, path, body, controller, envelope.
///
/// Built once at start. An endpoint bound twice, or one of the list that is not bound, stops it.
public struct Router: Sendable, Responder {
    private struct Row: Sendable {
        let endpoint: any BoundEndpoint
        let figures: RouteMetrics
    }

    private struct Template: Sendable {
        var text: String
        var endpoints: [Method: Row] = [:]
        /// What answers every method.
        var whole: Row?
        var allowed: [String] {
            var methods = Set(endpoints.keys)
            if methods.contains(.get) { methods.insert(.head) }
            methods.insert(.options)
            return methods.map { "\($0.name)" }.sorted()
        }
    }

    private var routes = Routes()
    private var templates: [Template] = []
    private let gate: Gate
    private let limits: RouterLimits
    /// The outside.
    public let ambient: Ambient
    /// What is put around every endpoint that is bound from now on.
    public var wrapping: (@Sendable (any BoundEndpoint) -> any BoundEndpoint)?

    /// A router without endpoints behind `gate`.
    public init(gate: Gate, ambient: Ambient, limits: RouterLimits = RouterLimits()) {
        self.gate = gate
        self.ambient = ambient
        self.limits = limits
    }

    /// Binds an endpoint that answers with an envelope.
    public mutating func on<Path, Body, Output: Codable>(
        _ endpoint: Endpoint<Path, Body, Output>,
        _ method: @escaping @Sendable (Path, Body, RequestContext) async throws(APIError) -> Output
    ) {
        bind(ObjectEndpoint(facts: endpoint.facts, limits: limits, method: method))
    }

    /// The same for one that also speaks in tables.
    public mutating func on<Path, Body, Output: Codable>(
        _ endpoint: Endpoint<Path, Body, Output>, csv form: CSVForm,
        _ method: @escaping @Sendable (Path, Body, RequestContext) async throws(APIError) -> Output
    ) {
        let inner = ObjectEndpoint(facts: endpoint.facts, limits: limits, method: method)
        bind(CSVEndpoint(inner: inner, form: form, limits: limits))
    }

    /// Binds an endpoint whose answer is at hand: nobody is asked, nothing is waited for.
    public mutating func on<Path, Output: Codable>(
        atOnce endpoint: Endpoint<Path, NoBody, Output>,
        _ method: @escaping @Sendable (Path, Exchange) throws(APIError) -> Output
    ) {
        bind(ImmediateEndpoint(facts: endpoint.facts, method: method))
    }

    /// Binds an endpoint whose answer is kept encoded.
    public mutating func on<Path, Body, Output: Codable>(
        encoded endpoint: Endpoint<Path, Body, Output>,
        _ method:
            @escaping @Sendable (Path, Body, RequestContext) async throws(APIError)
            -> Encoded<Output>
    ) {
        bind(EncodedEndpoint(facts: endpoint.facts, limits: limits, method: method))
    }

    /// Binds an endpoint that makes its own response.
    public mutating func on<Path, Body>(
        _ endpoint: Endpoint<Path, Body, Response>,
        _ method:
            @escaping @Sendable (Path, Body, RequestContext) async throws(APIError) -> Response
    ) {
        bind(RawEndpoint(facts: endpoint.facts, limits: limits, method: method))
    }

    /// Binds whatever answers an endpoint.
    public mutating func bind(_ bound: any BoundEndpoint) {
        let (method, index) = (bound.facts.method, insert(bound.facts.template))
        let name = method == .other ? "any" : "\(method.name)"
        let row = Row(
            endpoint: wrapping?(bound) ?? bound,
            figures: RouteMetrics(
                method: name, route: bound.facts.template, metrics: ambient.metrics))
        let former = method == .other ? templates[index].whole : templates[index].endpoints[method]
        precondition(former == nil, "\(name) \(bound.facts.template) is bound twice")
        if method == .other {
            templates[index].whole = row
        } else {
            templates[index].endpoints[method] = row
        }
    }

    /// Has paths of older clients mean the same as those of today: ``AllEndpoints/aliases``.
    public mutating func bindAliases() {
        for (template, original) in AllEndpoints.aliases { routes.alias(template, of: original) }
    }

    /// The endpoints that are not bound.
    public func missing(of all: [EndpointFacts]) -> [String] {
        all.filter { facts in
            !templates.contains { template in
                let row =
                    facts.method == .other ? template.whole : template.endpoints[facts.method]
                return template.text == facts.template && row != nil
            }
        }.map { "\($0.method.name) \($0.template)" }
    }

    private mutating func insert(_ template: String) -> Int {
        let index = routes.insert(template)
        if index == templates.count { templates.append(Template(text: template)) }
        return index
    }

    /// Answers one request; never throws, whatever happens is an answer.
    public func begin(_ request: Request) -> Beginning {
        let head = request.head
        guard let match = routes.match(head.path) else {
            return .answered(unbound(APIError(.requestNotFound), request))
        }
        let method: Method = head.method == .head ? .get : head.method
        let template = templates[match.template]
        guard let row = template.endpoints[method] ?? template.whole else {
            return .answered(unbound(templates[match.template], method, request))
        }
        let bound = row.endpoint
        var passage = Passage(request: request, endpoint: bound.facts, figures: row.figures)
        do throws(APIError) {
            guard try gate.passAtOnce(&passage) else {
                let passage = passage
                return .waits { await self.finish(bound, match, passage) }
            }
            let exchange = try exchange(passage, match)
            if let response = try bound.answerAtOnce(exchange) {
                return .answered(complete(response, passage))
            }
            guard let start = bound.following(exchange) else {
                return .waits { await self.finish(bound, exchange) }
            }
            return .follows { give in
                start { give(self.finish($0, exchange.passage)) }
            }
        } catch {
            return .answered(failure(error, passage))
        }
    }

    private func finish(_ result: Result<Response, APIError>, _ passage: Passage) -> Response {
        switch result {
        case .success(let response): complete(response, passage)
        case .failure(let error): failure(error, passage)
        }
    }

    /// Goes on where the gate has to ask somebody.
    private func finish(
        _ bound: any BoundEndpoint, _ match: Routes.Match, _ passage: Passage
    ) async -> Response {
        var passage = passage
        do throws(APIError) {
            try await gate.pass(&passage)
            return await finish(bound, try exchange(passage, match))
        } catch {
            return failure(error, passage)
        }
    }

    private func finish(_ bound: any BoundEndpoint, _ exchange: Exchange) async -> Response {
        do throws(APIError) {
            return complete(try await bound.answer(exchange), exchange.passage)
        } catch {
            return failure(error, exchange.passage)
        }
    }

    private func complete(
        _ response: consuming Response, _ passage: borrowing Passage
    ) -> Response {
        var response = response
        response.route = passage.figures
        response.requestID = passage.requestID
        if response.accessTarget == nil, let target = passage.shownTarget {
            response.accessTarget = target
        }
        if passage.isDeprecated { response.fields.append(.deprecation, "true") }
        return response
    }

    private func failure(_ error: APIError, _ passage: Passage) -> Response {
        complete(
            Answers.failure(
                error, of: passage.request, id: passage.requestID, ambient,
                target: passage.shownTarget),
            passage)
    }

    private func unbound(
        _ template: Template, _ method: Method, _ request: Request
    ) -> Response {
        guard method == .options else {
            return unbound(.methodNotAllowed(template.allowed), request)
        }
        return Response(
            status: .noContent,
            fields: Fields((.allow, template.allowed.joined(separator: ", "))),
            accessTarget: CredentialField.find(in: request.head)?.shownTarget)
    }

    /// The answer to what was no request: an envelope like any other, of a target that nobody knows.
    public func response(to rejection: RequestRejection) -> Response {
        var out = ByteWriter(capacity: 256)
        Envelope.failure(
            APIError(.malformedRequest), request: [], time: ambient.clock.timestamp(), into: &out)
        return Response(
            status: rejection.status, fields: Fields((.contentType, "application/json")),
            body: .bytes(out.array()))
    }

    /// The answer where no endpoint is: what the query holds was looked at by nobody, and is
    /// repeated without credentials all the same.
    private func unbound(_ error: APIError, _ request: Request) -> Response {
        Answers.failure(
            error, of: request, ambient,
            target: CredentialField.find(in: request.head)?.shownTarget)
    }

    private func exchange(
        _ passage: Passage, _ match: Routes.Match
    ) throws(APIError) -> Exchange {
        let head = passage.request.head
        var captures: [String] = []
        for range in match.captures {
            guard let text = Percent.decode(head.bytes[range]) else {
                throw APIError(.malformedRequest, context: "path is not UTF-8")
            }
            captures.append(text)
        }
        var query: [Query.Pair] = []
        if let raw = head.query {
            guard let fields = Query(raw) else {
                throw APIError(.malformedRequest, context: "query is not UTF-8, or too long")
            }
            query = fields.pairs.filter { !CredentialField.names.contains($0.name) }
        }
        return Exchange(passage: passage, captures: captures, query: query, ambient: ambient)
    }
}

/// What an endpoint takes at the most.
public struct RouterLimits: Sendable {
    /// Bytes of a JSON body.
    public var body: Int
    /// Depth of its nesting.
    public var depth: Int

    /// The contract's limits, unless told otherwise.
    public init(body: Int = 1 << 20, depth: Int = 64) {
        self.body = body
        self.depth = depth
    }
}

private struct ObjectEndpoint<Path: EndpointPath, Body: Decodable & Sendable, Output>: BoundEndpoint
where Output: Codable & Sendable {
    let facts: EndpointFacts
    let limits: RouterLimits
    let method: @Sendable (Path, Body, RequestContext) async throws(APIError) -> Output

    func answer(_ exchange: Exchange) async throws(APIError) -> Response {
        let path: Path = try Input.path(exchange, facts)
        let body: Body = try await Input.body(exchange, facts, limits)
        let output = try await method(path, body, exchange.context)
        return Answers.success(exchange, facts, tag: nil) { out in
            JSONCoder.encode(output, into: &out)
        }
    }
}

private struct ImmediateEndpoint<Path: EndpointPath, Output>: BoundEndpoint
where Output: Codable & Sendable {
    let facts: EndpointFacts
    let method: @Sendable (Path, Exchange) throws(APIError) -> Output

    func answerAtOnce(_ exchange: Exchange) throws(APIError) -> Response? {
        try found(exchange)
    }

    func answer(_ exchange: Exchange) async throws(APIError) -> Response { try found(exchange) }

    private func found(_ exchange: Exchange) throws(APIError) -> Response {
        let output = try method(try Input.path(exchange, facts), exchange)
        return Answers.success(exchange, facts, tag: nil) { out in
            JSONCoder.encode(output, into: &out)
        }
    }
}

private struct EncodedEndpoint<Path: EndpointPath, Body: Decodable & Sendable, Output>:
    BoundEndpoint
where Output: Codable & Sendable {
    let facts: EndpointFacts
    let limits: RouterLimits
    let method: @Sendable (Path, Body, RequestContext) async throws(APIError) -> Encoded<Output>

    func answer(_ exchange: Exchange) async throws(APIError) -> Response {
        let path: Path = try Input.path(exchange, facts)
        let body: Body = try await Input.body(exchange, facts, limits)
        let output = try await method(path, body, exchange.context)
        return Answers.success(exchange, facts, output)
    }
}

private struct RawEndpoint<Path: EndpointPath, Body: Decodable & Sendable>: BoundEndpoint {
    let facts: EndpointFacts
    let limits: RouterLimits
    let method: @Sendable (Path, Body, RequestContext) async throws(APIError) -> Response

    func answer(_ exchange: Exchange) async throws(APIError) -> Response {
        let path: Path = try Input.path(exchange, facts)
        let body: Body = try await Input.body(exchange, facts, limits)
        return try await method(path, body, exchange.context)
    }
}
