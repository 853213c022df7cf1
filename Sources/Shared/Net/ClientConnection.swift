import Base
import CLinux
import Crypto
import Glibc
import HTTP

/// One connection to another server: socket ↔ TLS ↔ `ClientMachine`, one exchange at a time.
actor ClientConnection: LoopPinned, ReadinessReceiver {
    private static let readsPerTurn = 16
    /// Bytes of a body up to which it is waited for with the head, and comes in one piece.
    private static let wholeLimit = 65_536
    /// Bytes that wait for the server before the request's body is asked for more.
    private static let outputLimit = 256 * 1_024

    private enum Phase {
        case connecting
        case idle
        case busy
        /// A 101 came; whoever asked takes the socket.
        case upgraded
        case over
    }

    /// What came of one exchange. Whoever waits for it takes it from here: by the time that task
    /// runs the connection may carry another exchange already.
    private final class Answer {
        var head: ResponseHead?
        var whole: [UInt8]?
        var failure: ClientError?
    }

    typealias Done = @Sendable (Result<ClientResponse, ClientError>) -> Void

    private let loop: EventLoop
    private let outbound: OutboundGuard?
    private let sendTime: Duration
    private var wire: Wire<ClientMachine>
    private var phase = Phase.connecting
    private var isPumping = false
    private var timer = LazyTimer()
    private var connectDeadline: Instant?
    private var firstByte: Duration = .zero
    private var firstByteDeadline: Instant?
    private var wholeDeadline: Instant?
    private var exchange: UInt64 = 0
    private var failure: ClientError?
    /// Where the opening, and then each response's head, is waited for.
    private let answerPlace: WaitingPlace
    private var answer: Answer?
    /// Who is told of the answer instead, without a task.
    private var done: Done?
    /// What they are told once the bytes that have come are dealt with.
    private var due: (done: Done, result: Result<ClientResponse, ClientError>)?
    private var head: ResponseHead?
    private var whole: [UInt8]?
    /// A short body is gathered before the head is handed out.
    private var isGathering = false
    private var isAnswerReady = false
    private var isBodyReady = false
    private var bodyPlace: WaitingPlace?
    private var outputPlace: WaitingPlace?
    private var sender: Task<Void, Never>?
    /// Told when an exchange is over or the connection is, by the number it knows this one by.
    private var pool: (owner: ConnectionPool, number: Int)?

    nonisolated var pinnedTo: EventLoop { loop }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe loop.asUnownedSerialExecutor()
    }

    private init(
        _ transport: consuming Transport, outbound: OutboundGuard?, limits: HTTPLimits,
        deadline: Instant
    ) {
        loop = transport.loop
        self.outbound = outbound
        sendTime = limits.sendTime
        var limits = limits
        // The deadlines of each request are watched here.
        limits.responseTime = .seconds(86_400)
        connectDeadline = deadline
        answerPlace = WaitingPlace(transport.loop)
        wire = Wire(transport, ClientMachine(limits: limits))
    }

    /// Connects, with the TLS handshake if there is one. On the loop's thread.
    static func open(
        _ address: SocketAddress, tls: TLSClientConfiguration?, host: String,
        outbound: OutboundGuard?, limits: HTTPLimits, deadline: Instant, on loop: EventLoop
    ) async throws(ClientError) -> ClientConnection {
        if let outbound, !outbound.allows(address) { throw .addressRefused }
        let connection: ClientConnection
        do throws(SystemError) {
            let socket = try System.socket(v6: address.ip.width == 128)
            try System.set(socket.number, Int32(IPPROTO_TCP), TCP_NODELAY, 1)
            _ = try System.connect(socket.number, address)
            let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
            let machine = tls.map { TLSMachine(client: $0, hostname: bare) }
            connection = ClientConnection(
                Transport(socket, loop: loop, peer: address, tls: machine), outbound: outbound,
                limits: limits, deadline: deadline)
        } catch {
            throw .unreachable(error)
        }
        try await connection.established()
        return connection
    }

    /// Whom to tell from now on.
    func setOwner(_ owner: ConnectionPool, _ number: Int) { pool = (owner, number) }

    private func established() async throws(ClientError) {
        do throws(SystemError) {
            try wire.transport.watch(self)
        } catch {
            throw .unreachable(error)
        }
        arm()
        await withTaskCancellationHandler {
            if phase == .connecting { await answerPlace.wait() }
        } onCancel: {
            loop.execute { self.onLoop { $0.fail(.cancelled) } }
        }
        if let failure { throw failure }
    }

    nonisolated func ready(_ readiness: Readiness) {
        onLoop { connection in
            guard connection.phase != .over else { return }
            let isWhole = connection.wire.transport.note(readiness)
            if connection.phase == .connecting {
                connection.connected(readiness)
            } else if isWhole {
                connection.pump()
            } else {
                connection.lost()
            }
        }
    }

    nonisolated func closeNow() { onLoop { $0.fail(.closed) } }

    private func connected(_ readiness: Readiness) {
        if let error = wire.transport.connectError() { return fail(.unreachable(error)) }
        guard readiness.contains(.writable) || wire.transport.isSecure else { return }
        if let outbound {
            // Not only the address that we meant, the one that we got.
            do throws(SystemError) {
                guard outbound.allows(try wire.transport.connectedPeer()) else {
                    return fail(.addressRefused)
                }
            } catch {
                return fail(.unreachable(error))
            }
        }
        if wire.transport.isSecure {
            wire.transport.startTLS()
            var reads = 0
            while !wire.transport.isReady, reads < Self.readsPerTurn {
                reads += 1
                let received = wire.receive(now: loop.now())
                if case .bytes = received { continue }
                if case .nothing = received { break }
                return fail(wire.transport.tlsError.map { .tls($0) } ?? .closed)
            }
            if case .failed = wire.transport.flush() { return fail(.closed) }
            guard wire.transport.isReady else { return }
        }
        // Behind its handshake a server may have sent what nobody asked for.
        guard wire.machine.isIdle else { return fail(.malformed) }
        connectDeadline = nil
        phase = .idle
        answerPlace.wake()
    }

    private func pump() {
        guard !isPumping, phase != .over, phase != .upgraded else { return }
        isPumping = true
        perform()
        var reads = 0
        reading: while isActive, wire.machine.wantsBytes {
            if reads == Self.readsPerTurn {
                loop.execute { [self] in onLoop { $0.pump() } }
                break
            }
            reads += 1
            let now = loop.now()
            switch wire.receive(now: now) {
            case .bytes: perform()
            case .nothing: break reading
            case .ended:
                wire.machine.receiveEnd(now: now)
                perform()
                break reading
            case .failed:
                isPumping = false
                lost()
                return giveDue()
            }
        }
        isPumping = false
        settle()
        giveDue()
    }

    private var isActive: Bool { phase == .idle || phase == .busy }

    private func perform() {
        while isActive, let effect = wire.machine.next(now: loop.now()) { perform(effect) }
    }

    private func perform(_ effect: ClientEffect) {
        switch effect {
        case .response(let head):
            firstByteDeadline = nil
            self.head = head
            if let length = head.bodyLength, length <= Int64(Self.wholeLimit) {
                isGathering = true
                whole = []
                gather()
            } else {
                deliver()
            }
        case .upgraded(let head):
            self.head = head
            phase = .upgraded
            deliver()
        case .bodyReady: if isGathering { gather() } else { wakeBody() }
        case .sendBody: break
        case .done(let reusable): finished(reusable: reusable)
        case .failed(let failure): fail(ClientError(failure))
        }
    }

    private func gather() {
        while isGathering {
            switch wire.machine.takeBody(now: loop.now()) {
            case .bytes(let bytes):
                if whole?.isEmpty == true {
                    whole = bytes
                } else {
                    whole?.append(contentsOf: bytes)
                }
            case .wait: return
            case .end:
                isGathering = false
                deliver()
            case .failed(let error):
                isGathering = false
                fail(.body(error))
            }
        }
    }

    /// What happens to the connection after that is none of the exchange's head any more.
    private func deliver() {
        guard !isAnswerReady else { return }
        isAnswerReady = true
        if let done {
            self.done = nil
            due = (done, result(head, whole, failure))
            (head, whole) = (nil, nil)
            if !isPumping { giveDue() }
            return
        }
        answer?.head = head
        answer?.whole = whole
        answer?.failure = failure
        (head, whole) = (nil, nil)
        answerPlace.wake()
    }

    private func giveDue() {
        guard let (done, result) = due.take() else { return }
        done(result)
    }

    private func result(
        _ head: ResponseHead?, _ whole: [UInt8]?, _ failure: ClientError?
    ) -> Result<ClientResponse, ClientError> {
        if let failure { return .failure(failure) }
        guard let head else { return .failure(.closed) }
        let rest = whole == nil ? ResponseBody(connection: self, exchange: exchange) : nil
        return .success(ClientResponse(head: head, whole: whole, rest: rest))
    }

    /// The exchange is over; the connection may serve another.
    private func finished(reusable: Bool) {
        let wasBusy = phase == .busy
        // One that was opened for an upgrade is nobody's where there was none.
        let reusable = reusable && pool != nil
        firstByteDeadline = nil
        wholeDeadline = nil
        sender?.cancel()
        sender = nil
        phase = reusable ? .idle : .over
        if !reusable { close() }
        wakeBody()
        outputPlace?.wake()
        if let pool {
            pool.owner.connectionIsFree(pool.number, wasBusy: wasBusy, reusable: reusable)
        }
    }

    /// The socket broke: the machine knows what that means for the exchange. What the server said
    /// before is read first: who does not want the whole of a request answers and closes, and the
    /// answer waits in the kernel while our writing fails.
    private func lost() {
        // An end without TLS's goodbye cuts nothing short where nothing has come.
        if let error = wire.transport.tlsError,
            error != .truncated || !wire.machine.awaitsFirstByte
        {
            return fail(.tls(error))
        }
        var reads = 0
        while isActive, wire.machine.wantsBytes, reads < Self.readsPerTurn,
            case .bytes = wire.receive(now: loop.now())
        {
            reads += 1
            perform()
        }
        guard phase != .over else { return }
        wire.machine.receiveEnd(now: loop.now())
        perform()
        if phase != .over { fail(.closed) }
    }

    private func fail(_ error: ClientError) {
        guard phase != .over else { return }
        let wasBusy = phase == .busy || phase == .upgraded
        let wasOpen = phase != .connecting
        phase = .over
        failure = error
        isGathering = false
        close()
        sender?.cancel()
        sender = nil
        deliver()
        wakeBody()
        outputPlace?.wake()
        if wasOpen, let pool {
            pool.owner.connectionIsFree(pool.number, wasBusy: wasBusy, reusable: false)
        }
    }

    private func close() {
        wire.transport.close()
        timer.disarm(on: loop)
    }

    private func place(_ place: inout WaitingPlace?) -> WaitingPlace {
        if let place { return place }
        let made = WaitingPlace(loop)
        place = made
        return made
    }

    private func wakeBody() {
        isBodyReady = true
        bodyPlace?.wake()
    }

    private func settle() {
        guard isActive else { return }
        if case .failed = wire.transport.flush() { return lost() }
        if wire.transport.pending <= Self.outputLimit / 4 { outputPlace?.wake() }
        arm()
    }

    private func arm() {
        var deadline = wire.machine.deadline
        for other in [connectDeadline, firstByteDeadline, wholeDeadline] {
            if let other { deadline = earlier(deadline, other) }
        }
        if wire.transport.pending > 0 {
            deadline = earlier(deadline, wire.transport.progress + sendTime)
        }
        if timer.isLate(for: deadline) {
            timer.arm(deadline, on: loop) { [self] in onLoop { $0.timeHasCome() } }
        }
    }

    private func timeHasCome() {
        timer.fired()
        guard phase != .over else { return }
        let now = loop.now()
        if let connectDeadline, connectDeadline <= now { return fail(.timedOut(.connect)) }
        if let firstByteDeadline, firstByteDeadline <= now { return fail(.timedOut(.firstByte)) }
        if let wholeDeadline, wholeDeadline <= now { return fail(.timedOut(.whole)) }
        if wire.transport.pending > 0, wire.transport.progress + sendTime <= now {
            return fail(.timedOut(.whole))
        }
        guard isActive else { return arm() }
        wire.machine.tick(now: now)
        pump()
    }
}

/// Exchanges.
extension ClientConnection {
    /// Sends a request and waits for the response's head, and for its body if that is short.
    /// `began` is when the whole of it began, which a connection may have been waited for since.
    func perform(
        _ request: ClientRequest, began: Instant, upgrade: Bool = false
    ) async throws(ClientError) -> ClientResponse {
        guard phase == .idle else { throw .closed }
        let answer = Answer()
        self.answer = answer
        begin(request, began: began, upgrade: upgrade)
        let exchange = exchange
        if !isAnswerReady {
            await withTaskCancellationHandler {
                if !isAnswerReady { await answerPlace.wait() }
            } onCancel: {
                loop.execute { self.onLoop { $0.abandon(exchange) } }
            }
        }
        if let failure = answer.failure { throw failure }
        guard let head = answer.head else { throw .closed }
        if let whole = answer.whole {
            return ClientResponse(head: head, whole: whole, rest: nil)
        }
        return ClientResponse(
            head: head, whole: nil, rest: ResponseBody(connection: self, exchange: exchange))
    }

    /// The same without a task: `done` is called once, on the loop, on which this is called too.
    nonisolated func start(
        _ request: ClientRequest, began: Instant, _ pending: PendingExchange,
        done: @escaping Done
    ) {
        onLoop { connection in
            guard connection.phase == .idle else { return done(.failure(.closed)) }
            connection.answer = nil
            connection.done = done
            pending.follow(self, connection.exchange + 1)
            connection.begin(request, began: began, upgrade: false)
        }
    }

    private func begin(_ request: ClientRequest, began: Instant, upgrade: Bool) {
        phase = .busy
        exchange += 1
        head = nil
        whole = nil
        isAnswerReady = false
        firstByte = request.deadlines.firstByte
        wholeDeadline = request.deadlines.whole.map { began + $0 }
        guard wire.machine.isIdle else { return fail(.closed) }
        let now = loop.now()
        do throws(SerializerError) {
            try wire.write { machine, output throws(SerializerError) in
                try machine.beginRequest(
                    method: request.method, target: request.target,
                    fields: request.completeFields, length: request.body.length,
                    upgrade: upgrade, now: now, into: &output)
            }
        } catch {
            return fail(.refusedField)
        }
        switch request.body {
        case .none: endRequest()
        case .bytes(let bytes):
            write(bytes)
            endRequest()
        case .stream(let source, _):
            let exchange = exchange
            let task = Task.immediate { await self.send(source, exchange) }
            if self.exchange == exchange, phase == .busy { sender = task }
        }
        pump()
    }

    private func write(_ bytes: [UInt8]) {
        let count = wire.write { $0.beginChunk(Int64(bytes.count), into: &$1) }
        wire.transport.write(shared: bytes[..<Int(count)])
        wire.write { $0.endChunk(into: &$1) }
    }

    private func endRequest() {
        let now = loop.now()
        guard wire.write({ $0.finishRequest(into: &$1, now: now) }) else {
            return fail(.requestBody)
        }
        if !isAnswerReady, head == nil { firstByteDeadline = now + firstByte }
    }

    private func send(_ source: any BodySource, _ exchange: UInt64) async {
        do throws(BodyError) {
            while let chunk = try await source.next() {
                guard phase == .busy, self.exchange == exchange else { return }
                write(chunk)
                settle()
                if phase == .busy, wire.transport.pending > Self.outputLimit {
                    await place(&outputPlace).wait()
                }
                guard phase == .busy, self.exchange == exchange else { return }
            }
            guard phase == .busy, self.exchange == exchange else { return }
            sender = nil
            endRequest()
            pump()
        } catch {
            if phase == .busy, self.exchange == exchange { fail(.requestBody) }
        }
    }

    /// Nobody wants the rest of this exchange.
    private func abandon(_ exchange: UInt64) {
        guard self.exchange == exchange, phase == .busy || phase == .upgraded else { return }
        fail(.cancelled)
    }

    /// The same, from any thread, such as where the last reference to a response was dropped.
    nonisolated func drop(_ exchange: UInt64) {
        loop.execute { self.onLoop { $0.abandon(exchange) } }
    }

    /// Closes what nobody took over.
    nonisolated func drop() {
        loop.execute { self.onLoop { $0.fail(.cancelled) } }
    }

    fileprivate func nextBody(_ exchange: UInt64) async throws(BodyError) -> [UInt8]? {
        while self.exchange == exchange, phase == .busy {
            switch wire.machine.takeBody(now: loop.now()) {
            case .bytes(let bytes): return bytes
            case .end:
                // The exchange is over, and the connection free for others.
                pump()
                return nil
            case .failed(let error):
                fail(.body(error))
                throw error
            case .wait:
                isBodyReady = false
                pump()
                if !isBodyReady, phase == .busy {
                    await place(&bodyPlace).wait()
                }
            }
        }
        throw .closed
    }

    /// The connection goes on as a WebSocket's client end.
    func become(
        webSocket limits: WebSocketLimits, random: any RandomSource,
        receiver: @Sendable (any WebSocketSink) -> any MessageReceiver
    ) throws(ClientError) {
        guard phase == .upgraded else { throw .closed }
        let leftover = retire()
        let socket = WebSocketConnection(
            wire.transport.take(), role: .client, limits: limits, random: random, shard: nil)
        socket.start(receiver(socket), leftover)
    }

    /// The connection goes on as one end of a tunnel.
    nonisolated func become(
        tunnel receiver: @Sendable (any TunnelSink) -> any TunnelReceiver
    ) -> Bool {
        onLoop { connection in
            guard connection.phase == .upgraded else { return false }
            let leftover = connection.retire()
            let tunnel = TunnelConnection(
                connection.wire.transport.take(), output: Self.outputLimit, shard: nil)
            tunnel.start(receiver(tunnel), leftover)
            return true
        }
    }

    private func retire() -> [UInt8] {
        phase = .over
        timer.disarm(on: loop)
        return wire.machine.takeLeftover()
    }
}

/// A response's body while it comes. Dropped before its end, it takes the connection with it.
private final class ResponseBody: BodySource {
    private let connection: ClientConnection
    private let exchange: UInt64

    init(connection: ClientConnection, exchange: UInt64) {
        self.connection = connection
        self.exchange = exchange
    }

    deinit { connection.drop(exchange) }

    func next() async throws(BodyError) -> [UInt8]? { try await connection.nextBody(exchange) }
}
