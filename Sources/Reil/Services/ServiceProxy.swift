import API
import Base
import Crypto
import Domain
import Federation
import HTTP
import Net

/// `/services/:id/…`: a request of any method goes to the service, with a signed word on who calls,
/// and its answer comes back; an upgrade becomes a tunnel. Neither body is kept.
final class ServiceProxy: BoundEndpoint {
    /// How long a service that says nothing is waited for before it is asked whether it is there.
    private static let patience = Duration.seconds(2)

    let facts = ServiceAPI.through.facts
    private let directory: ServiceDirectory
    private let client: HTTPClient
    private let outbound: OutboundGuard
    private let checker: ServiceChecker
    private let tunnels: ServiceTunnels
    private let firstByte: Duration
    private let identity: @Sendable () -> NodeIdentity?

    init(
        directory: ServiceDirectory, client: HTTPClient, outbound: OutboundGuard,
        checker: ServiceChecker, tunnels: ServiceTunnels, firstByte: Duration,
        identity: @escaping @Sendable () -> NodeIdentity?
    ) {
        self.directory = directory
        self.client = client
        self.outbound = outbound
        self.checker = checker
        self.tunnels = tunnels
        self.firstByte = firstByte
        self.identity = identity
    }

    func answer(_ exchange: Exchange) async throws(APIError) -> Response {
        var arguments = PathArguments(captures: exchange.captures, query: exchange.query)
        let path = try ServiceAPI.ThroughPath(&arguments)
        guard let route = directory.route(to: path.service) else {
            throw APIError(.serviceNotFound)
        }
        let passage = exchange.passage
        switch passage.request.head.method {
        case .get, .head, .post, .put, .delete, .options, .patch: break
        case .trace, .connect, .other:
            throw .methodNotAllowed(["GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"])
        }
        let target = try ServiceTargetPath(passage.request.head, below: route.target.address)
        // The check finds it again when it is back.
        guard route.isUp else { throw APIError(.serviceUnavailable, context: "it is down") }
        let (request, digest) = try await readShortBody(of: passage.request)
        var fields = ServiceFields.passed(
            of: request.head, isSigned: passage.caller.server != nil)
        try sign(&fields, exchange, route.target.id, target, digest)
        let response = try await forward(request, to: route, target, fields, exchange)
        return response
    }

    /// A body that is signed for is read first; a longer one, or one whose length nobody knows,
    /// streams.
    private func readShortBody(
        of request: Request
    ) async throws(APIError) -> (Request, SHA256Digest?) {
        guard let length = request.bodyLength, length <= Int64(ServiceSignature.bodyLimit) else {
            return (request, nil)
        }
        guard length > 0 else {
            // What goes out with a length of nothing is signed as such.
            let hasLength = [.post, .put, .patch].contains(request.head.method)
            return (request, hasLength ? SHA256.hash([UInt8]()) : nil)
        }
        do throws(BodyError) {
            let bytes = try await request.body.collect(limit: ServiceSignature.bodyLimit)
            return (request.with(body: bytes), SHA256.hash(bytes))
        } catch {
            throw APIError(.malformedRequest, context: "the request's body broke off")
        }
    }

    private func sign(
        _ fields: inout Fields, _ exchange: Exchange, _ id: ServiceID,
        _ target: ServiceTargetPath, _ body: SHA256Digest?
    ) throws(APIError) {
        let (now, passage) = (exchange.ambient.clock.timestamp(), exchange.passage)
        guard let node = identity(), let key = node.signingKey(at: now) else {
            throw .overloaded(context: "no word of eta yet")
        }
        let signature = ServiceSignature(
            service: ServiceReference(id, at: node.address),
            method: "\(passage.request.head.method.name)",
            target: String(decoding: target.bytes, as: UTF8.self),
            user: passage.caller.reference(home: node.address), time: now, body: body)
        if let user = signature.user { fields.append(.avrUser, user.text) }
        fields.append(.avrForwardedFor, passage.client.description)
        fields.append(.avrTime, "\(now.milliseconds)")
        fields.append(.avrSignature, signature.value(by: key))
    }

    private func forward(
        _ request: Request, to route: ServiceRoute, _ target: ServiceTargetPath,
        _ fields: Fields, _ exchange: Exchange
    ) async throws(APIError) -> Response {
        let server = route.target.address.server
        let upstream = Upstream(
            secure: route.target.secure, host: server.hostText, port: server.port)
        let place = request.head.asksUpgrade ? try tunnels.enter(route.target.id) : nil
        let attempt = Task.immediate {
            [client, outbound, firstByte] () -> Result<Response, ClientError> in
            do throws(ClientError) {
                return .success(
                    try await Relay.forward(
                        request, to: upstream, target: target.bytes, fields: fields,
                        upgrades: true, deadlines: Deadlines(firstByte: firstByte, whole: nil),
                        outbound: outbound, holding: place, client: client))
            } catch {
                return .failure(error)
            }
        }
        let watch = watch(
            attempt, route.target, on: request.loop, isShort: request.bodyLength != nil)
        let result = await withTaskCancellationHandler {
            await attempt.value
        } onCancel: {
            attempt.cancel()
        }
        watch.end()
        switch result {
        case .success(var response):
            if response.status != .switchingProtocols {
                response.fields = ServiceFields.answered(response.fields, by: route.target.id)
            }
            response.accessTarget = exchange.passage.shownTarget
            return response
        case .failure(let error): throw Self.failure(error)
        }
    }

    /// Gives a service up that says nothing and is not there. One that takes long is: it answers the
    /// check all the same.
    private func watch(
        _ attempt: Task<Result<Response, ClientError>, Never>, _ target: ServiceTarget,
        on loop: any LoopExecutor, isShort: Bool
    ) -> SilenceWatch {
        let watch = SilenceWatch(loop)
        guard isShort else { return watch }
        watch.begin(after: Self.patience) { [checker] in
            checker.look(at: target, within: .seconds(1)) { isUp in
                if !isUp { attempt.cancel() }
            }
        }
        return watch
    }

    private static func failure(_ error: ClientError) -> APIError {
        switch error {
        case .requestBody: APIError(.malformedRequest, context: "the request's body broke off")
        case .overloaded: .overloaded(context: "too many ask the service")
        case .refusedField: APIError(.malformedRequest, context: "a field cannot be passed on")
        case .unresolved, .addressRefused, .unreachable, .tls, .tlsNotConfigured, .timedOut,
            .closed, .malformed, .headTooLarge, .body, .upgradeRefused, .badHandshake, .cancelled:
            APIError(.serviceUnavailable, context: "\(error)")
        }
    }
}

/// A timer of one request; on its loop alone.
private final class SilenceWatch: Sendable {
    private let loop: any LoopExecutor
    private let state = Lock<(token: TimerToken?, isOver: Bool)>((nil, false))

    init(_ loop: any LoopExecutor) { self.loop = loop }

    func begin(after delay: Duration, _ act: @escaping @Sendable () -> Void) {
        loop.execute { [self] in
            let isOver = state.withLock { $0.isOver }
            if isOver { return }
            let token = loop.schedule(after: delay, act)
            state.withLock { $0.token = token }
        }
    }

    func end() {
        let token = state.withLock { state in
            state.isOver = true
            return state.token
        }
        guard let token else { return }
        loop.execute { [loop] in loop.cancel(token) }
    }
}

/// How many upgraded connections each service has here.
final class ServiceTunnels: Sendable {
    /// One of them; given back when nobody holds it any more.
    final class Place: Sendable {
        private let tunnels: ServiceTunnels
        private let id: ServiceID

        fileprivate init(_ tunnels: ServiceTunnels, _ id: ServiceID) {
            self.tunnels = tunnels
            self.id = id
        }

        deinit { tunnels.leave(id) }
    }

    private let limit: Int
    private let counts = Lock<[ServiceID: Int]>([:])

    init(limit: Int) { self.limit = limit }

    /// A place for one more.
    ///
    /// - Throws: 70 when there are as many as may be.
    func enter(_ id: ServiceID) throws(APIError) -> Place {
        let isIn = counts.withLock { counts in
            let count = counts[id] ?? 0
            if count < limit { counts[id] = count + 1 }
            return count < limit
        }
        guard isIn else { throw .overloaded(context: "too many sockets of the service") }
        return Place(self, id)
    }

    private func leave(_ id: ServiceID) {
        counts.withLock { counts in
            let count = (counts[id] ?? 0) - 1
            counts[id] = count > 0 ? count : nil
        }
    }
}
