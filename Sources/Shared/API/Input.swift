import Base
import Domain
import HTTP

/// Path and body as values.
enum Input {
    static func path<Path: EndpointPath>(
        _ exchange: Exchange, _ facts: EndpointFacts
    ) throws(APIError) -> Path {
        var arguments = PathArguments(captures: exchange.captures, query: exchange.query)
        let path = try Path(&arguments)
        if !arguments.problems.isEmpty {
            throw APIError(facts.invalid, details: arguments.problems)
        }
        return path
    }

    /// A DELETE may bring what it needs in the query.
    static func body<Body: Decodable & Sendable>(
        _ exchange: Exchange, _ facts: EndpointFacts, _ limits: RouterLimits
    ) async throws(APIError) -> Body {
        if let none = NoBody() as? Body { return none }
        if let raw = RawBody() as? Body { return raw }
        let request = exchange.passage.request
        if facts.method == .delete, request.bodyLength == 0 {
            var object = JSONObject()
            for field in exchange.query {
                guard object[field.name] == nil else {
                    throw APIError(.malformedRequest, context: "a query field comes twice")
                }
                object[field.name] = .string(field.value)
            }
            return try decode(.object(object), facts)
        }
        guard isJSON(request.head.text(.contentType)) else {
            throw APIError(.unsupportedMediaType)
        }
        if let length = request.bodyLength, length > limits.body {
            throw APIError(.payloadTooLarge)
        }
        let bytes: [UInt8]
        do throws(BodyError) {
            bytes = try await request.body.collect(limit: limits.body)
        } catch {
            throw APIError(error)
        }
        let value: JSONValue
        do throws(JSONError) {
            value = try JSONParser.parse(bytes, depth: limits.depth)
        } catch {
            throw APIError(.malformedRequest, context: "\(error.reason) at \(error.offset)")
        }
        return try decode(value, facts)
    }

    /// `application/json`, with whatever parameters.
    private static func isJSON(_ type: String?) -> Bool {
        guard let essence = type?.split(separator: ";", omittingEmptySubsequences: false).first
        else { return false }
        return essence.lowercased().filter { $0 != " " && $0 != "\t" } == "application/json"
    }

    private static func decode<Body: Decodable>(
        _ value: JSONValue, _ facts: EndpointFacts
    ) throws(APIError) -> Body {
        do throws(InvalidFields) {
            return try JSONCoder.decode(Body.self, from: value)
        } catch {
            throw APIError(facts.invalid, details: error.problems)
        }
    }
}

extension APIError {
    /// What a body that never became complete is answered with.
    public init(_ error: BodyError) {
        switch error {
        case .tooLarge: self.init(.payloadTooLarge)
        case .closed, .tooSlow, .malformed:
            self.init(.malformedRequest, context: "body: \(error)")
        case .failed: self.init(.internalError, context: "body: \(error)")
        }
    }
}
