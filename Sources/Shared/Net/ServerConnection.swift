import Base
import HTTP

/// One accepted connection: socket ↔ TLS ↔ `ServerMachine`. Requests go to the responder on the loop,
/// by a task only where it has to wait; an idle connection holds no task and no buffer.
actor ServerConnection: LoopPinned, ReadinessReceiver, ServedConnection {
    /// Reads of one turn, so that a peer that sends without end leaves the others their turn.
    private static let readsPerTurn = 16
    /// Bytes from memory up to which a copy is cheaper than keeping the array.
    private static let copyLimit = 8_192

    private enum Upgrade {
        case webSocket(WebSocketUpgrade)
        case tunnel(Tunnel)
    }

    private let shard: ServerShard
    private let loop: EventLoop
    private var wire: Wire<ServerMachine>
    private var timer = LazyTimer()
    private let opened: Instant
    /// No more effects: closed, or handed over to another protocol.
    private var isOver = false
    private var isPumping = false
    private var isAnswering = false
    /// A request that waits until the answers before it are on their way: who sends many at once
    /// and reads nothing has no more made for it than the bound of the output.
    private var held: RequestHead?
    private var task: Task<Void, Never>?
    /// The answer that is found without a task.
    private var pending: (any PendingAnswer)?
    /// Counts the requests that are answered: who still reads the body of one is told that it is
    /// over, and does not meet who reads the next.
    private var exchange = 0
    /// A body's bytes came while nobody waited.
    private var isBodyReady = false
    private var bodyPlace: WaitingPlace?
    private var outputPlace: WaitingPlace?
    private var upgrade: Upgrade?
    private var clientText = ""

    nonisolated var pinnedTo: EventLoop { loop }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe loop.asUnownedSerialExecutor()
    }

    init(_ transport: consuming Transport, shard: ServerShard) {
        self.shard = shard
        loop = shard.loop
        opened = shard.loop.now()
        wire = Wire(
            transport, ServerMachine(limits: shard.limits.http, now: shard.loop.now()))
    }

    /// Enters the loop; on it only.
    nonisolated func start() {
        onLoop { connection in
            connection.shard.insert(connection)
            do throws(SystemError) {
                try connection.wire.transport.watch(connection)
                connection.settle()
            } catch {
                connection.finish()
            }
        }
    }

    nonisolated func ready(_ readiness: Readiness) {
        onLoop { connection in
            guard !connection.isOver else { return }
            guard connection.wire.transport.note(readiness) else { return connection.finish() }
            connection.pump()
            // Nobody reads, and the peer is gone: there will be no other word of it.
            if readiness.contains(.gone), !connection.isOver, connection.wire.transport.mayHaveBytes
            {
                connection.finish()
            }
        }
    }

    nonisolated func drain() {
        onLoop { connection in
            guard !connection.isOver else { return }
            connection.wire.machine.drain()
            connection.pump()
        }
    }

    nonisolated func closeNow() { onLoop { $0.finish() } }

    /// Reads what may be read, does what follows from it, and writes what that gave.
    private func pump() {
        guard !isPumping, !isOver else { return }
        isPumping = true
        var reads = 0
        repeat {
            if let head = held, hasOutputRoom {
                held = nil
                begin(head)
            }
            perform()
            read(&reads)
            write()
        } while held != nil && !isOver && hasOutputRoom
        isPumping = false
        if !isOver { arm() }
    }

    private var hasOutputRoom: Bool { wire.transport.pending <= shard.limits.output }

    private func read(_ reads: inout Int) {
        while !isOver, wire.machine.wantsBytes, hasOutputRoom {
            if reads == Self.readsPerTurn {
                loop.execute { [self] in onLoop { $0.pump() } }
                return
            }
            reads += 1
            let now = loop.now()
            switch wire.receive(now: now) {
            case .bytes: perform()
            case .nothing: return
            case .ended:
                wire.machine.receiveEnd(now: now)
                return perform()
            case .failed: return finish()
            }
        }
    }

    private func perform() {
        while !isOver, let effect = wire.machine.next(now: loop.now()) { perform(effect) }
    }

    private func perform(_ effect: ServerEffect) {
        switch effect {
        case .request(let head): if hasOutputRoom { begin(head) } else { held = head }
        case .reject(let rejection):
            let response = shard.responder.response(to: rejection)
            if case .bytes(let bytes) = response.body {
                answer(response, bytes)
            } else {
                answer(response, [])
            }
        case .sendContinue: wire.transport.write { $0.append(ServerMachine.continueLine) }
        case .bodyReady: wakeBody()
        case .upgrade: takeOver()
        case .shutdownWrite: wire.transport.shutdownAfterFlush()
        case .close: wire.transport.closeAfterFlush()
        case .abort: finish(reset: true)
        }
    }

    /// Writes what waits, wakes who waited for that, and sets the timer.
    private func settle() {
        write()
        if !isOver { arm() }
    }

    private func write() {
        guard !isOver else { return }
        switch wire.transport.flush() {
        case .done, .blocked: break
        case .close, .failed: return finish()
        }
        if wire.transport.pending <= shard.limits.output / 4 { outputPlace?.wake() }
    }

    private func arm() {
        var deadline = wire.machine.deadline
        if wire.transport.pending > 0 {
            deadline = earlier(deadline, wire.transport.progress + shard.limits.http.sendTime)
        }
        if !wire.transport.isReady {
            deadline = earlier(deadline, opened + shard.limits.handshakeTime)
        }
        if timer.isLate(for: deadline) {
            timer.arm(deadline, on: loop) { [self] in onLoop { $0.timeHasCome() } }
        }
    }

    private func timeHasCome() {
        timer.fired()
        guard !isOver else { return }
        let now = loop.now()
        let limits = shard.limits
        if wire.transport.pending > 0, wire.transport.progress + limits.http.sendTime <= now {
            return finish(reset: true)
        }
        if !wire.transport.isReady, opened + limits.handshakeTime <= now { return finish() }
        wire.machine.tick(now: now)
        pump()
    }

    /// Ends the connection and everything that waits for it.
    private func finish(reset: Bool = false) {
        guard !isOver else { return }
        isOver = true
        wire.transport.close(reset: reset)
        leave(to: nil)
    }

    private func leave(to successor: (any ServedConnection)?) {
        timer.disarm(on: loop)
        shard.remove(self, peer: wire.transport.peer, to: successor)
        task?.cancel()
        task = nil
        pending?.cancel()
        pending = nil
        wakeBody()
        outputPlace?.wake()
    }

    private func wakeBody() {
        isBodyReady = true
        bodyPlace?.wake()
    }

    private func place(_ place: inout WaitingPlace?) -> WaitingPlace {
        if let place { return place }
        let made = WaitingPlace(loop)
        place = made
        return made
    }
}

/// Requests and their answers.
extension ServerConnection {
    private func begin(_ head: RequestHead) {
        let request = Request(
            head: head,
            body: head.bodyLength == 0
                ? EmptyBody() : RequestBody(connection: self, exchange: exchange),
            client: wire.transport.peer.ip.unmapped, secure: wire.transport.isSecure,
            id: shard.nextRequest(),
            received: loop.now(), loop: loop)
        switch shard.responder.begin(request) {
        case .answered(let response):
            if giveAtOnce(response, request) { return record(response, request) }
            perform(request) { response }
        case .waits(let rest): perform(request, rest)
        case .follows(let start):
            isAnswering = true
            let pending = start { response in self.onLoop { $0.given(response, request) } }
            // It may be over by now.
            if isAnswering { self.pending = pending }
        }
    }

    /// An answer that followed without a task is here; only one that has to be streamed needs one.
    private func given(_ response: Response, _ request: Request) {
        isAnswering = false
        pending = nil
        guard !isOver else { return }
        guard giveAtOnce(response, request) else { return perform(request) { response } }
        record(response, request)
        pump()
    }

    /// Finds the answer in a task and gives it.
    private func perform(_ request: Request, _ answer: @escaping @Sendable () async -> Response) {
        isAnswering = true
        let task = Task.immediate { await self.give(answer, request) }
        // It may be over by now.
        if isAnswering { self.task = task }
    }

    private func give(_ answer: @Sendable () async -> Response, _ request: Request) async {
        let response = await answer()
        if !isOver {
            if !giveAtOnce(response, request) { await stream(response) }
            record(response, request)
        }
        isAnswering = false
        task = nil
        // Within `perform` this does nothing: whoever called that goes on.
        pump()
    }

    /// Gives an answer whose end has not to be waited for; false for what has to be streamed.
    private func giveAtOnce(_ response: Response, _ request: Request) -> Bool {
        switch response.body {
        case .none: answer(response, [])
        case .bytes(let bytes): answer(response, bytes)
        case .webSocket(let upgrade): accept(upgrade, request)
        case .tunnel(let tunnel):
            upgrade = .tunnel(tunnel)
            answer(response, [])
        case .file(let slice):
            guard slice.length <= shard.limits.output else { return false }
            answer(response, slice)
        case .stream: return false
        }
        return true
    }

    /// A short file at once.
    private func answer(_ response: Response, _ slice: FileSlice) {
        guard let hasBody = start(response, length: slice.length) else { return }
        for piece in hasBody ? slice.pieces : [] {
            switch piece {
            case .bytes(let bytes): write(bytes)
            case .range(let range):
                let count = range.upperBound - range.lowerBound
                _ = wire.write { $0.beginChunk(count, into: &$1) }
                guard wire.transport.isSecure else {
                    wire.transport.write(file: slice.file, range)
                    continue
                }
                var offset = range.lowerBound
                while offset < range.upperBound {
                    guard let count = encrypt(slice.file, offset..<range.upperBound) else {
                        return wire.machine.abortResponse()
                    }
                    offset += count
                }
            }
        }
        let now = loop.now()
        wire.write { $0.finishResponse(into: &$1, now: now) }
    }

    /// The beginning of a range of a file through TLS: how much of it; nil when it could not be
    /// read.
    private func encrypt(_ file: any OpenFile, _ range: Range<Int64>) -> Int64? {
        let left = Int(min(range.upperBound - range.lowerBound, Int64(EventLoop.scratchSize)))
        guard
            let count = wire.transport.encrypt(file: file, at: range.lowerBound, upTo: left),
            count > 0
        else { return nil }
        return Int64(count)
    }

    /// A whole answer at once. A field that would break the head makes it a bare 500.
    private func answer(_ response: Response, _ bytes: [UInt8]) {
        let date = shard.date()
        let now = loop.now()
        do throws(SerializerError) {
            let isWhole = try wire.write { machine, output throws(SerializerError) in
                let hasBody = try machine.beginResponse(
                    status: response.status, fields: response.fields, common: response.common,
                    length: Int64(bytes.count), date: date, into: &output)
                if hasBody, !bytes.isEmpty {
                    if bytes.count > Self.copyLimit { return false }
                    let count = machine.beginChunk(Int64(bytes.count), into: &output)
                    output.append(bytes[..<Int(count)])
                    machine.endChunk(into: &output)
                }
                machine.finishResponse(into: &output, now: now)
                return true
            }
            if isWhole { return }
        } catch {
            return refuse()
        }
        write(bytes)
        wire.write { $0.finishResponse(into: &$1, now: now) }
    }

    private func write(_ bytes: [UInt8]) {
        let count = wire.write { $0.beginChunk(Int64(bytes.count), into: &$1) }
        wire.transport.write(shared: bytes[..<Int(count)])
        wire.write { $0.endChunk(into: &$1) }
    }

    private func refuse() {
        shard.ambient.log.error("an answer's fields would break its head")
        upgrade = nil
        answer(Response(status: .internalServerError), [])
    }

    /// Writes the head; nil when a bare 500 was written in its place, whole.
    private func start(_ response: Response, length: Int64?) -> Bool? {
        let date = shard.date()
        do throws(SerializerError) {
            return try wire.write { machine, output throws(SerializerError) in
                try machine.beginResponse(
                    status: response.status, fields: response.fields, common: response.common,
                    length: length, date: date, into: &output)
            }
        } catch {
            refuse()
            return nil
        }
    }

    private func stream(_ response: Response) async {
        guard let hasBody = start(response, length: response.body.length) else { return }
        var isWhole = true
        if hasBody {
            switch response.body {
            case .file(let slice): isWhole = await send(slice)
            case .stream(let source, _): isWhole = await send(source)
            case .none, .bytes, .webSocket, .tunnel: break
            }
        }
        guard !isOver else { return }
        if isWhole {
            let now = loop.now()
            wire.write { $0.finishResponse(into: &$1, now: now) }
        } else {
            wire.machine.abortResponse()
        }
    }

    /// False when the source failed, or the peer is gone.
    private func send(_ source: any BodySource) async -> Bool {
        do throws(BodyError) {
            while let chunk = try await source.next() {
                guard !isOver else { return false }
                let count = wire.write { $0.beginChunk(Int64(chunk.count), into: &$1) }
                wire.transport.write(shared: chunk[..<Int(count)])
                wire.write { $0.endChunk(into: &$1) }
                guard await hasRoom(), count == Int64(chunk.count) else { return !isOver }
            }
            return true
        } catch {
            return false
        }
    }

    private func send(_ slice: FileSlice) async -> Bool {
        for piece in slice.pieces {
            switch piece {
            case .bytes(let bytes):
                write(bytes)
            case .range(let range):
                let count = range.upperBound - range.lowerBound
                _ = wire.write { $0.beginChunk(count, into: &$1) }
                if wire.transport.isSecure {
                    guard await encryptAll(slice.file, range) else { return false }
                } else {
                    wire.transport.write(file: slice.file, range)
                }
                wire.write { $0.endChunk(into: &$1) }
            }
            guard await hasRoom() else { return false }
        }
        return true
    }

    /// Through TLS a file is read in pieces, never more ahead than the peer takes.
    private func encryptAll(_ file: any OpenFile, _ range: Range<Int64>) async -> Bool {
        var offset = range.lowerBound
        while offset < range.upperBound {
            guard let count = encrypt(file, offset..<range.upperBound) else { return false }
            offset += count
            guard await hasRoom() else { return false }
        }
        return true
    }

    /// Writes, and waits while more than the bound is left. False when the connection is over.
    private func hasRoom() async -> Bool {
        settle()
        if !isOver, wire.transport.pending > shard.limits.output {
            await place(&outputPlace).wait()
        }
        return !isOver
    }

    /// The exchange is over.
    private func record(_ response: Response, _ request: Request) {
        exchange += 1
        wakeBody()
        let nanoseconds = loop.refreshedNow().nanoseconds - request.received.nanoseconds
        (response.route ?? shard.figures.other).observe(response.status, nanoseconds: nanoseconds)
        if clientText.isEmpty { clientText = request.client.description }
        shard.ambient.log.access(
            AccessEntry(
                time: shard.timestamp(), method: request.head.method.text,
                target: response.accessTarget ?? Array(request.head.targetBytes),
                status: response.status.code, bytes: response.body.length ?? -1,
                nanoseconds: nanoseconds, client: clientText,
                request: response.requestID ?? request.id))
    }

    /// The next bytes of the body of that exchange's request.
    fileprivate func nextBody(of exchange: Int) async throws(BodyError) -> [UInt8]? {
        while !isOver, self.exchange == exchange {
            switch wire.machine.takeBody(now: loop.now()) {
            case .bytes(let bytes): return bytes
            case .end: return nil
            case .failed(let error): throw error
            case .wait:
                // What the socket holds may be enough, or a 100 has to go out first. Within `perform`
                // whoever called that does it.
                isBodyReady = false
                pump()
                if !isBodyReady, !isOver, self.exchange == exchange {
                    await place(&bodyPlace).wait()
                }
            }
        }
        throw .closed
    }

    private func accept(_ upgrade: WebSocketUpgrade, _ request: Request) {
        let (status, fields) = Handshake.answer(to: request.head, subprotocol: upgrade.subprotocol)
        if status == .switchingProtocols { self.upgrade = .webSocket(upgrade) }
        answer(Response(status: status, fields: fields), [])
    }

    /// The connection goes on as what it was upgraded to.
    private func takeOver() {
        let leftover = wire.machine.takeLeftover()
        isOver = true
        switch upgrade {
        case .webSocket(let upgrade):
            let connection = WebSocketConnection(
                wire.transport.take(), role: .server, limits: upgrade.limits,
                random: shard.ambient.random, shard: shard)
            leave(to: connection)
            connection.start(upgrade.receiver(connection), leftover)
        case .tunnel(let tunnel):
            let connection = TunnelConnection(
                wire.transport.take(), output: shard.limits.output, shard: shard)
            leave(to: connection)
            connection.start(tunnel.receiver(connection), leftover)
        case nil:
            wire.transport.close()
            leave(to: nil)
        }
    }
}

/// A request's body, pulled from its connection.
private struct RequestBody: BodySource {
    let connection: ServerConnection
    let exchange: Int

    func next() async throws(BodyError) -> [UInt8]? { try await connection.nextBody(of: exchange) }
}

extension Method {
    /// The name as text, which is short enough to need no memory.
    var text: String {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .patch: "PATCH"
        case .trace: "TRACE"
        case .connect: "CONNECT"
        case .other: "OTHER"
        }
    }
}
