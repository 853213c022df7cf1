import Base
import HTTP

/// A connection that has become a WebSocket: socket ↔ TLS ↔ `WebSocketMachine` ↔ receiver, all of
/// it synchronous on the loop. What is sent in a turn of the loop leaves at its end in one write.
actor WebSocketConnection: ReadinessReceiver, ServedConnection, WebSocketSink {
    private static let readsPerTurn = 16
    /// A peer may read nothing of what waits for it for so long.
    private static let sendTime = HTTPLimits().sendTime

    private let eventLoop: EventLoop
    private let shard: ServerShard?
    private let limits: WebSocketLimits
    private var transport: Transport
    private var machine: WebSocketMachine
    private var receiver: (any MessageReceiver)?
    private var timer = LazyTimer()
    private var isOver = false
    private var isPumping = false
    private var isFlushQueued = false
    /// More waited than the limits like; the receiver is told when it is gone.
    private var wasFull = false
    /// The loop that owns the connection.
    nonisolated var loop: any LoopExecutor { eventLoop }
    /// The peer's address.
    nonisolated let client: IPAddress

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe eventLoop.asUnownedSerialExecutor()
    }

    /// Takes over a connection whose handshake is done; `start` must follow. A server's has a
    /// shard, a client's has none.
    init(
        _ transport: consuming Transport, role: WebSocketMachine.Role, limits: WebSocketLimits,
        random: any RandomSource, shard: ServerShard?
    ) {
        eventLoop = transport.loop
        client = transport.peer.ip.unmapped
        self.shard = shard
        self.limits = limits
        machine = WebSocketMachine(
            role: role, limits: limits, random: random, now: transport.loop.now())
        self.transport = transport
    }

    /// Begins with what came behind the handshake already.
    nonisolated func start(_ receiver: any MessageReceiver, _ leftover: [UInt8]) {
        assumeIsolated { connection in
            connection.receiver = receiver
            connection.shard?.figures.webSockets.add(1)
            do throws(SystemError) {
                try connection.transport.watch(connection)
            } catch {
                return connection.lose()
            }
            if !leftover.isEmpty {
                connection.machine.receive(leftover.span, now: connection.eventLoop.now())
            }
            connection.pump()
        }
    }

    nonisolated func ready(_ readiness: Readiness) {
        assumeIsolated { connection in
            guard !connection.isOver else { return }
            guard connection.transport.note(readiness) else { return connection.lose() }
            connection.pump()
            if readiness.contains(.gone), !connection.isOver, connection.transport.mayHaveBytes {
                connection.lose()
            }
        }
    }

    nonisolated func turnEnded() {
        assumeIsolated { connection in
            connection.isFlushQueued = false
            connection.settle()
        }
    }

    nonisolated func drain() { close(.goingAway, reason: "") }

    nonisolated func closeNow() { assumeIsolated { $0.lose() } }

    /// Bytes accepted and not yet given to the kernel.
    nonisolated var pending: Int { assumeIsolated { $0.transport.pending } }

    /// Sends a text message.
    nonisolated func send(text: [UInt8]) {
        assumeIsolated { connection in
            guard !connection.isOver else { return }
            connection.transport.write { connection.machine.send(text: text, into: &$0) }
            connection.queueFlush()
        }
    }

    /// Sends a binary message.
    nonisolated func send(binary: [UInt8]) {
        assumeIsolated { connection in
            guard !connection.isOver else { return }
            connection.transport.write { connection.machine.send(binary: binary, into: &$0) }
            connection.queueFlush()
        }
    }

    /// Sends frames that are made already and shared with other sockets.
    nonisolated func send(framed: [ArraySlice<UInt8>]) {
        assumeIsolated { connection in
            guard !connection.isOver, connection.machine.isOpen else { return }
            connection.transport.write(shared: framed)
            connection.queueFlush()
        }
    }

    /// Begins the closing handshake.
    nonisolated func close(_ code: CloseCode, reason: String) {
        assumeIsolated { connection in
            guard !connection.isOver else { return }
            let now = connection.eventLoop.now()
            connection.transport.write {
                connection.machine.close(code, reason: reason, now: now, into: &$0)
            }
            connection.pump()
        }
    }

    private func queueFlush() {
        if transport.pending > limits.pending { wasFull = true }
        guard !isPumping, !isFlushQueued else { return }
        isFlushQueued = true
        eventLoop.callAtEndOfTurn(self)
    }

    private func pump() {
        guard !isPumping, !isOver else { return }
        isPumping = true
        perform()
        var reads = 0
        reading: while !isOver, transport.pending <= limits.pending {
            if reads == Self.readsPerTurn {
                eventLoop.execute { [self] in assumeIsolated { $0.pump() } }
                break
            }
            reads += 1
            let now = eventLoop.now()
            switch transport.receive({ machine.receive($0, now: now) }) {
            case .bytes: perform()
            case .nothing: break reading
            case .ended:
                machine.receiveEnd(now: now)
                perform()
                break reading
            case .failed:
                isPumping = false
                return lose()
            }
        }
        isPumping = false
        settle()
    }

    private func perform() {
        while !isOver {
            let now = eventLoop.now()
            guard let effect = transport.write({ machine.next(now: now, into: &$0) }) else {
                return
            }
            switch effect {
            case .text(let bytes): receiver?.received(text: bytes)
            case .binary(let bytes): receiver?.received(binary: bytes)
            case .closed(let code, _): tell(code)
            case .shutdownWrite: transport.shutdownAfterFlush()
            case .disconnect: transport.closeAfterFlush()
            }
        }
    }

    private func tell(_ code: CloseCode) {
        let told = receiver
        receiver = nil
        told?.closed(code)
    }

    private func settle() {
        guard !isOver else { return }
        switch transport.flush() {
        case .done, .blocked: break
        case .close: return finish()
        case .failed: return lose()
        }
        if transport.pending > limits.pending { wasFull = true }
        if wasFull, transport.pending == 0 {
            wasFull = false
            receiver?.writable()
            // Reading had stopped.
            eventLoop.execute { [self] in assumeIsolated { $0.pump() } }
        }
        var deadline = machine.deadline
        if transport.pending > 0 {
            deadline = earlier(deadline, transport.progress + Self.sendTime)
        }
        if timer.isLate(for: deadline) {
            timer.arm(deadline, on: eventLoop) { [self] in assumeIsolated { $0.timeHasCome() } }
        }
    }

    private func timeHasCome() {
        timer.fired()
        guard !isOver else { return }
        let now = eventLoop.now()
        if transport.pending > 0, transport.progress + Self.sendTime <= now { return lose() }
        transport.write { machine.tick(now: now, into: &$0) }
        pump()
    }

    /// The connection broke: the machine says so in its own words.
    private func lose() {
        guard !isOver else { return }
        machine.receiveEnd(now: eventLoop.now())
        isPumping = true
        perform()
        isPumping = false
        finish()
    }

    private func finish() {
        guard !isOver else { return }
        isOver = true
        transport.close()
        timer.disarm(on: eventLoop)
        shard?.figures.webSockets.add(-1)
        shard?.remove(self, peer: transport.peer)
        tell(.abnormal)
    }
}
