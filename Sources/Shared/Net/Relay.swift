import Base
import HTTP
import Synchronization

/// A server to which requests are passed on.
public struct Upstream: Sendable, Hashable {
    /// Whether it speaks TLS.
    public let secure: Bool
    /// A name or an address.
    public let host: String
    /// The port.
    public let port: UInt16

    /// That server.
    public init(secure: Bool = false, host: String, port: UInt16) {
        self.secure = secure
        self.host = host
        self.port = port
    }
}

/// Passes a request on and its response back, never faster than either side takes it.
public enum Relay {
    /// Bytes that wait for one end of a tunnel before the other end is read no more.
    private static let tunnelLimit = 256 * 1_024

    /// The upstream's answer to `request`, to be given as one's own. Its body streams behind it.
    ///
    /// `target` and `fields` are what the upstream sees: begin with `head.endToEndFields()`. With
    /// `upgrades` a request for an upgrade is passed on as one, and a 101 makes a tunnel; without, it
    /// is a request like any other (RFC 9110 §7.8). `place` is held as long as that tunnel is.
    public static func forward(
        _ request: Request, to upstream: Upstream, target: [UInt8], fields: Fields,
        upgrades: Bool, deadlines: Deadlines = Deadlines(whole: nil),
        outbound: OutboundGuard? = nil, holding place: (any Sendable)? = nil, client: HTTPClient
    ) async throws(ClientError) -> Response {
        let length = request.bodyLength
        var passed = ClientRequest(
            request.head.method, secure: upstream.secure, host: upstream.host, port: upstream.port,
            target: target, fields: fields,
            body: length == 0 ? .none : .stream(request.body, length: length),
            deadlines: deadlines, outbound: outbound)
        if upgrades, request.head.asksUpgrade, length == 0 {
            return try await upgrade(&passed, request, holding: place, client)
        }
        let response = try await client.send(passed, on: request.loop)
        return answer(response, to: request.head.method)
    }

    /// The same without upgrades for a request without a body, on its loop and without a task: `done`
    /// is called once, there.
    public static func start(
        _ request: Request, to upstream: Upstream, target: [UInt8], fields: Fields,
        deadlines: Deadlines, client: HTTPClient,
        done: @escaping @Sendable (Result<Response, ClientError>) -> Void
    ) -> any PendingAnswer {
        let method = request.head.method
        let passed = ClientRequest(
            method, secure: upstream.secure, host: upstream.host, port: upstream.port,
            target: target, fields: fields, deadlines: deadlines)
        return client.start(passed, on: request.loop) { result in
            done(result.map { answer($0, to: method) })
        }
    }

    private static func answer(_ response: ClientResponse, to method: Method) -> Response {
        let fields = response.head.endToEndFields(withDate: false)
        let body: ResponseBody
        if method == .head {
            // A length, and nothing behind it (RFC 9110 §9.3.2).
            let length = response.fields[.contentLength].flatMap { Int64($0) }
            body = .stream(EmptyBody(), length: length)
        } else if let whole = response.whole {
            body = whole.isEmpty ? .none : .bytes(whole)
        } else {
            body = .stream(response.body, length: response.bodyLength)
        }
        return Response(status: response.status, fields: fields, body: body)
    }

    private static func upgrade(
        _ passed: inout ClientRequest, _ request: Request, holding place: (any Sendable)?,
        _ client: HTTPClient
    ) async throws(ClientError) -> Response {
        passed.fields.append(.connection, "Upgrade")
        for value in request.head.all(.upgrade) { passed.fields.append(.upgrade, value) }
        let (connection, response) = try await client.upgrade(passed, on: request.loop)
        guard response.status == .switchingProtocols else {
            return answer(response, to: request.head.method)
        }
        var fields = response.head.endToEndFields(withDate: false)
        fields.append(.connection, "Upgrade")
        for value in response.fields.all(.upgrade) { fields.append(.upgrade, value) }
        // Let go of, an answer takes its connection with it: until both ends are joined, or nobody
        // is left to join them, it is held here.
        let tunnel = Tunnel { [response] near in
            defer { withExtendedLifetime(response) {} }
            let nearEnd = TunnelEnd(holding: place)
            let farEnd = TunnelEnd(holding: nil)
            let isJoined = connection.become { far in
                nearEnd.join(own: near, other: far, limit: tunnelLimit)
                farEnd.join(own: far, other: near, limit: tunnelLimit)
                return farEnd
            }
            if !isJoined { near.close() }
            return nearEnd
        }
        return Response(status: response.status, fields: fields, body: .tunnel(tunnel))
    }
}

/// What one end of a tunnel hears goes to the other end.
private final class TunnelEnd: TunnelReceiver {
    private struct Ends {
        let own: any TunnelSink
        let other: any TunnelSink
        let limit: Int
    }

    // Both ends are on one loop; the lock is only for the compiler, and never contended.
    private let ends = Lock<Ends?>(nil)
    private let place: (any Sendable)?

    /// An end that holds `place` as long as there is somebody to hear it.
    init(holding place: (any Sendable)?) { self.place = place }

    func join(own: any TunnelSink, other: any TunnelSink, limit: Int) {
        ends.withLock { $0 = Ends(own: own, other: other, limit: limit) }
    }

    func received(bytes: [UInt8]) {
        guard let ends = ends.withLock({ $0 }) else { return }
        ends.other.send(bytes)
        if ends.other.pending > ends.limit { ends.own.setReading(false) }
    }

    func writable() { ends.withLock { $0 }?.other.setReading(true) }

    func closed() {
        let ends = ends.withLock { ends in
            defer { ends = nil }
            return ends
        }
        ends?.other.close()
    }
}
