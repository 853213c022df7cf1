import API
import Base
import Crypto
import Domain
import HTTP
import Net

/// An HTTP answer, read as far as it can be.
public struct Answer: Sendable, CustomStringConvertible {
    /// The status.
    public let status: Int
    /// The fields.
    public let fields: Fields
    /// The body as it came.
    public let body: [UInt8]
    /// The body as JSON, where it is.
    public let json: JSONValue?

    /// An answer of these parts.
    public init(status: Int, fields: Fields, body: [UInt8]) {
        self.status = status
        self.fields = fields
        self.body = body
        json = try? JSONParser.parse(body)
    }

    /// The body as text.
    public var text: String { String(decoding: body, as: UTF8.self) }
    /// What the envelope holds on success.
    public var data: JSONValue? { json?["data"] }
    /// The error's number.
    public var code: Int? { json?["error"]?["code"]?.integerValue.map { Int($0) } }
    /// The fields that `details` name.
    public var problems: [String] {
        (json?["error"]?["details"]?.arrayValue ?? []).compactMap { $0["field"]?.stringValue }
    }
    /// The value of a field of the head, by its name.
    public subscript(_ name: String) -> String? { FieldName(name).flatMap { fields[$0] } }

    /// Status and the beginning of the body.
    public var description: String { "\(status) \(text.prefix(600))" }
}

/// Thrown where a success was expected.
public struct Refusal: Error, CustomStringConvertible {
    /// What was asked.
    public let request: String
    /// What came.
    public let answer: Answer

    /// That, with that answer.
    public init(request: String, answer: Answer) {
        self.request = request
        self.answer = answer
    }

    /// Both.
    public var description: String { "\(request) → \(answer)" }
    /// The error's number.
    public var code: Int? { answer.code }
}

/// Speaks to one gateway, as one caller.
public struct TypedClient: Sendable {
    /// Host and port.
    public let address: SocketAddress
    /// Whether by TLS.
    public let secure: Bool
    /// The credential, shown as `Authorization: Bearer …`.
    public var token: String?
    /// The `User-Agent`, where one is sent.
    public var agent: String?
    /// Whose connections are used.
    public let http: HTTPClient

    /// A client of that gateway without a credential.
    public init(
        _ address: SocketAddress, secure: Bool = false, http: HTTPClient = TestLoops.plain
    ) {
        self.address = address
        self.secure = secure
        self.http = http
    }

    /// The same with a credential.
    public func with(token: String?, agent: String? = nil) -> TypedClient {
        var other = self
        other.token = token
        other.agent = agent
        return other
    }

    /// `host:port`.
    public var authority: String { address.description }

    /// A request ready to be sent.
    public func request(
        _ method: Method, _ target: String, _ body: ClientBody = .none,
        fields: [(String, String)] = []
    ) -> ClientRequest {
        var all = Fields()
        if let token { all.append(.authorization, "Bearer \(token)") }
        if let agent { all.append(.userAgent, agent) }
        for (name, value) in fields {
            guard let name = FieldName(name) else { preconditionFailure("no field: \(name)") }
            all.append(name, value)
        }
        return ClientRequest(
            method, secure: secure, host: address.ip.description, port: address.port,
            target: Array(target.utf8), fields: all, body: body,
            deadlines: Deadlines(
                connect: .seconds(5), firstByte: .seconds(60), whole: .seconds(600)))
    }

    /// Sends whatever it is and gathers the answer.
    public func send(
        _ method: Method, _ target: String, bytes: ClientBody, fields: [(String, String)] = []
    ) async throws(ClientError) -> Answer {
        let response = try await http.send(
            request(method, target, bytes, fields: fields), on: TestLoops.group.loops[0])
        let body = try await response.collect(limit: 64 << 20)
        let answer = Answer(
            status: Int(response.status.code), fields: response.fields, body: body)
        Exercised.note(method, target, answer)
        return answer
    }

    /// Sends JSON, or nothing.
    public func send(
        _ method: Method, _ target: String, _ body: JSONValue? = nil,
        fields: [(String, String)] = []
    ) async throws(ClientError) -> Answer {
        guard let body else {
            return try await send(method, target, bytes: .none, fields: fields)
        }
        var out = ByteWriter()
        out.append(json: body)
        return try await send(
            method, target, bytes: .bytes(out.array()),
            fields: fields + [("Content-Type", "application/json")])
    }

    /// Sends JSON and returns the `data` of a success.
    @discardableResult
    public func data(
        _ method: Method, _ target: String, _ body: JSONValue? = nil,
        fields: [(String, String)] = []
    ) async throws -> JSONValue {
        let answer = try await send(method, target, body, fields: fields)
        guard answer.status / 100 == 2, let data = answer.data else {
            throw Refusal(request: "\(method.name) \(target)", answer: answer)
        }
        return data
    }

    /// Calls an endpoint of the table and reads its output as the type that the table says.
    @discardableResult
    public func call<Path, Body, Output: Codable>(
        _ endpoint: Endpoint<Path, Body, Output>, _ captures: String..., query: String = "",
        body: JSONValue? = nil
    ) async throws -> Output {
        let target = endpoint.facts.target(captures) + query
        let data = try await data(endpoint.facts.method, target, body)
        do throws(InvalidFields) {
            return try JSONCoder.decode(Output.self, from: data)
        } catch {
            throw NeverCame("\(target): `data` is not as the table says: \(error.problems)")
        }
    }
}

extension EndpointFacts {
    /// How many captures its path has.
    public var captureCount: Int { template.filter { $0 == ":" }.count }
}
