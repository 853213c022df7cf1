import API
import Base
import Crypto
import Domain
import HTTP
import Net
import Runtime
import Synchronization

/// Hears what Eta tells over the registry link, in order, on the link's loop.
protocol RegistryObserver: Sendable {
    /// The link stands (again): all that was remembered before is void.
    func welcomed(_ welcome: Welcome)
    /// A push. What it asks of other loops is put into their queues before this returns: a mark is
    /// acknowledged once each loop has done all that it had to do then.
    func received(_ push: RegistryPush)
    /// The link is gone; what was learnt stays true until the lease ends.
    func etaLost()
}

/// All that Reil has to do with Eta: calls on kept connections, requests passed on, and the
/// registry link with its lease.
final class EtaLink: Component {
    let name = "eta link"
    private let upstream: Upstream
    private let client: HTTPClient
    private let ambient: Ambient
    private let loop: EventLoop
    private let loops: [EventLoop]
    private let statements: StatementBook
    /// A random name of this run, by which Eta knows whose sockets a player's are.
    private let ownRun: String
    private let state = Lock(State())
    /// When the lease ends, on the monotonic clock in nanoseconds; read by every request.
    private let leaseEnd = Atomic<UInt64>(0)

    private struct State {
        var observers: [any RegistryObserver] = []
        var hello: ReilHello?
        var welcome: Welcome?
        var accessKeys: [String: Secret] = [:]
        var connection: RegistryConnection?
        var isStopping = false
        var refusal: String?
    }

    init(
        eta: HostAndPort, clusterKey: Secret, client: HTTPClient, loops: [EventLoop],
        ambient: Ambient
    ) {
        upstream = Upstream(host: eta.host, port: eta.port)
        self.client = client
        self.ambient = ambient
        loop = loops[0]
        self.loops = loops
        statements = StatementBook(key: clusterKey, clock: ambient.clock)
        ownRun = Hex.encode(ambient.random.bytes(8))
    }

    /// Whether what Reil remembers of credentials still counts.
    var hasLease: Bool { hasLease(at: ambient.clock.now()) }

    /// The same, for who has just read the clock.
    func hasLease(at now: Instant) -> Bool {
        now.nanoseconds < leaseEnd.load(ordering: .relaxed)
    }

    /// What Eta told at the beginning of the link, as it is now.
    var welcome: Welcome? { state.withLock { $0.welcome } }

    /// This Reil as clients reach it: where it has no address of its own, at the node's.
    var gateway: Gateway? {
        state.withLock { $0.hello?.gateway ?? $0.welcome?.server.gateway }
    }

    /// Keys of access tokens.
    var accessKeys: [String: Secret] { state.withLock { $0.accessKeys } }

    /// Adds somebody who hears of pushes; before `start`.
    func observe(_ observer: any RegistryObserver) {
        state.withLock { $0.observers.append(observer) }
    }

    /// Says who this Reil is; before `start`.
    func introduce(gateway: Gateway?, link: Gateway?) {
        state.withLock { state in
            state.hello = ReilHello(run: ownRun, gateway: gateway, link: link)
        }
    }

    /// Tells Eta something, if the link stands; a link that comes back begins with all of it.
    func report(_ report: RegistryReport) {
        let connection = state.withLock { $0.connection }
        loop.execute { connection?.send(report) }
    }

    /// Calls an endpoint of Eta.
    ///
    /// - Throws: what Eta answers, or 70 when it does not.
    func call<Path, Body: Encodable, Output: Decodable>(
        _ endpoint: Endpoint<Path, Body, Output>, _ body: Body, captures: [String] = [],
        query: String = "", as caller: Caller = .gateway, on loop: any LoopExecutor
    ) async throws(APIError) -> Output {
        let facts = endpoint.facts
        var fields = Fields()
        fields.append(.avrStatement, statements.statement(for: caller))
        fields.append(.avrReilRun, ownRun)
        var payload = ClientBody.none
        if case .json = facts.body {
            fields.append(.contentType, "application/json")
            payload = .bytes(JSONCoder.encode(body))
        }
        let request = ClientRequest(
            facts.method, host: upstream.host, port: upstream.port,
            target: Array((facts.target(captures) + query).utf8), fields: fields, body: payload,
            deadlines: Deadlines(firstByte: .seconds(10), whole: .seconds(15)))
        let bytes: [UInt8]
        let wait: Int64?
        do throws(ClientError) {
            let response = try await client.send(request, on: loop)
            wait = response.fields[.retryAfter].flatMap { Int64($0) }
            bytes = try await response.collect(limit: 8 << 20)
        } catch {
            throw Self.unavailable(error)
        }
        return try Self.data(bytes, retryAfter: wait.map { .seconds($0) })
    }

    /// Passes a request on as it is, on behalf of `caller`.
    func relay(
        _ exchange: Exchange, adding extra: Fields = Fields()
    ) async throws(APIError) -> Response {
        let passage = exchange.passage
        var fields = relayedFields(passage)
        fields.append(extra)
        do throws(ClientError) {
            var response = try await Relay.forward(
                passage.request, to: upstream, target: passage.relayedTarget, fields: fields,
                upgrades: false,
                // A large file is made durable before it is answered.
                deadlines: Deadlines(firstByte: .seconds(60), whole: nil), client: client)
            response.accessTarget = passage.shownTarget
            return response
        } catch {
            throw Self.unavailable(error)
        }
    }

    /// The same for a request without a body and without a task, on the request's loop.
    func relay(
        _ exchange: Exchange, give: @escaping @Sendable (Result<Response, APIError>) -> Void
    ) -> any PendingAnswer {
        let passage = exchange.passage
        return Relay.start(
            passage.request, to: upstream, target: passage.relayedTarget,
            fields: relayedFields(passage),
            deadlines: Deadlines(firstByte: .seconds(15), whole: nil), client: client
        ) { result in
            switch result {
            case .success(var response):
                response.accessTarget = passage.shownTarget
                give(.success(response))
            case .failure(let error): give(.failure(Self.unavailable(error)))
            }
        }
    }

    private func relayedFields(_ passage: Passage) -> Fields {
        let request = passage.request
        let statement = statements.statement(for: passage.caller)
        var fields = request.head.endToEndFields(
            without: RelayedFields.removed, extra: statement.count + 256)
        fields.append(.avrStatement, statement)
        fields.append(.avrRequestID, RequestID.text(request.id))
        fields.append(.avrClient, passage.client.description)
        fields.append(.avrReilRun, ownRun)
        return fields
    }

    private static func data<Output: Decodable>(
        _ bytes: [UInt8], retryAfter: Duration?
    ) throws(APIError) -> Output {
        do {
            let envelope = try JSONParser.parse(bytes)
            if let data = envelope["data"] {
                return try JSONCoder.decode(Output.self, from: data)
            }
            if let error = envelope["error"], let number = error["code"]?.integerValue,
                let code = UInt16(exactly: number).flatMap(ErrorCode.init)
            {
                let details =
                    error["details"].flatMap {
                        try? JSONCoder.decode([FieldProblem].self, from: $0)
                    } ?? []
                var failure = APIError(code, details: details, retryAfter: retryAfter)
                failure.place = try? JSONCoder.decode(QueuePlace.self, from: error)
                throw failure
            }
            throw APIError.internalError("eta answers no envelope")
        } catch let error as APIError {
            throw error
        } catch {
            throw .internalError("eta answers what cannot be read: \(error)")
        }
    }

    private static func unavailable(_ error: ClientError) -> APIError {
        switch error {
        case .requestBody:
            APIError(.malformedRequest, context: "the request's body broke off")
        case .body(.tooLarge):
            .internalError("eta answers more than can be read")
        case .unresolved, .addressRefused, .unreachable, .tls, .tlsNotConfigured, .timedOut,
            .closed, .malformed, .headTooLarge, .overloaded, .refusedField, .body,
            .upgradeRefused, .badHandshake, .cancelled:
            .overloaded(context: "eta: \(error)")
        }
    }

    func start() async throws {
        var delay = Duration.milliseconds(20)
        var told: Instant?
        while !state.withLock({ $0.welcome != nil || $0.isStopping }) {
            await connect()
            if state.withLock({ $0.welcome != nil }) { break }
            if let refusal = state.withLock({ $0.refusal }) {
                throw Fault(refusal, remedy: "set cluster.key to the file that this Eta made")
            }
            let now = ambient.clock.now()
            if told.map({ now - $0 > .seconds(10) }) ?? true {
                ambient.log.notice(
                    "waiting", .text("for", "eta at \(upstream.host):\(upstream.port)"))
                told = now
            }
            await loop.pause(for: delay)
            delay = min(delay * 2, .seconds(1))
        }
    }

    func run() async throws {
        var delay = Duration.milliseconds(20)
        while !state.withLock({ $0.isStopping }) {
            if let connection = state.withLock({ $0.connection }) {
                await connection.ended()
                delay = .milliseconds(20)
                continue
            }
            await connect()
            if state.withLock({ $0.connection == nil }) {
                await loop.pause(for: delay)
                delay = min(delay * 2, .seconds(1))
            }
        }
    }

    func stop() async {
        let connection = state.withLock { state in
            state.isStopping = true
            return state.connection
        }
        loop.execute { connection?.close() }
        if let connection { await connection.ended() }
    }

    private func connect() async {
        guard let hello = state.withLock({ $0.hello }) else {
            preconditionFailure("a link without an introduction")
        }
        var fields = Fields()
        fields.append(.avrStatement, statements.statement(for: .gateway))
        fields.append(.avrReilRun, ownRun)
        let request = ClientRequest(
            .get, host: upstream.host, port: upstream.port,
            target: Array(RegistryAPI.LinkPath.template.utf8), fields: fields,
            deadlines: Deadlines(whole: nil))
        let connection = RegistryConnection(owner: self, ambient: ambient, hello: hello)
        do throws(ClientError) {
            _ = try await WebSocketClient.connect(
                request, subprotocols: [LinkProtocol.registry.name],
                limits: LinkProtocol.registry.limits, client: client,
                on: loop
            ) { sink in
                connection.opened(sink)
                return connection
            }
        } catch {
            if case .upgradeRefused(let status) = error, status == .unauthorized {
                state.withLock { $0.refusal = "eta does not know this cluster key" }
            }
            ambient.log.debug("no link to eta", .reason("\(error)"))
            return
        }
        await connection.welcomed()
    }

    func took(_ connection: RegistryConnection, _ welcome: Welcome) {
        var keys: [String: Secret] = [:]
        for (id, hex) in welcome.accessKeys {
            if let bytes = Hex.decode(hex) { keys[id] = Secret(bytes) }
        }
        let observers = state.withLock { state in
            state.welcome = welcome
            state.accessKeys = keys
            state.connection = connection
            return state.observers
        }
        for observer in observers { observer.welcomed(welcome) }
        ambient.log.notice("linked to eta")
    }

    func leased(until end: Instant) {
        leaseEnd.store(end.nanoseconds, ordering: .relaxed)
    }

    func received(_ push: RegistryPush) {
        state.withLock { state in
            switch push {
            case .changed(.server(let server)): state.welcome?.server = server
            case .reils(let gateways, let links):
                state.welcome?.gateways = gateways
                state.welcome?.links = links
            case .welcome, .leased, .revoke, .changed, .host, .close, .dismissed, .muted, .tell,
                .queue, .deliver, .endAbroad,
                .look, .rules, .forget, .mark,
                .clock:
                break
            }
        }
        for observer in state.withLock({ $0.observers }) { observer.received(push) }
    }

    /// Does `body`, on the link's loop, once every loop has done all that is in its queue now.
    func afterAllLoops(_ body: @escaping @Sendable () -> Void) {
        let left = Lock(loops.count)
        for other in loops {
            other.execute {
                let isLast = left.withLock { left in
                    left -= 1
                    return left == 0
                }
                if isLast { self.loop.execute(body) }
            }
        }
    }

    func lost(_ connection: RegistryConnection) {
        let observers = state.withLock { state -> [any RegistryObserver] in
            guard state.connection === connection else { return [] }
            state.connection = nil
            return state.observers
        }
        if observers.isEmpty { return }
        ambient.log.warning("the link to eta is gone")
        for observer in observers { observer.etaLost() }
    }
}

extension Passage {
    /// The target as Eta is asked: without credentials.
    fileprivate var relayedTarget: [UInt8] { cleanTarget ?? Array(request.head.targetBytes) }
}

/// What a gateway never passes on, docs/design/architecture.md: its own
/// fields, which nobody else may set, and the credential, which ends here.
enum RelayedFields {
    static let removed: [FieldName] = [
        .authorization, .avrStatement, .avrRequestID, .avrClient, .avrReilRun, .avrGateway,
        .avrAcceptFile, .avrWorldRead, .xForwardedFor,
    ]
}
