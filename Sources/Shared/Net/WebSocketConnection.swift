import Base
import HTTP

/// A connection that has become a WebSocket: socket ↔ TLS ↔ `WebSocketMachine` ↔ receiver, all of
/// it synchronous on the loop. What is sent in a turn of the loop leaves at its end in one write.
actor WebSocketConnection: LoopPinned, ReadinessReceiver, ServedConnection, WebSocketSink {
    private static let readsPerTurn = 16
    /// A peer may read nothing of what waits for it for so long.
    private static let sendTime = HTTPLimits().sendTime

    private let eventLoop: EventLoop
    private let shard: ServerShard?
    private let limits: WebSocketLimits
    private var wire: Wire<WebSocketMachine>
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

    nonisolated var pinnedTo: EventLoop { eventLoop }

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
        let machine = WebSocketMachine(
            role: role, limits: limits, random: random, now: transport.loop.now())
        wire = Wire(transport, machine)
    }

    /// Begins with what came behind the handshake already.
    nonisolated func start(_ receiver: any MessageReceiver, _ leftover: [UInt8]) {
        onLoop { connection in
            connection.receiver = receiver
            connection.shard?.figures.webSockets.add(1)
            do throws(SystemError) {
                try connection.wire.transport.watch(connection)
            } catch {
                return connection.lose()
            }
            if !leftover.isEmpty {
                connection.wire.machine.receive(leftover.span, now: connection.eventLoop.now())
            }
            connection.pump()
        }
    }

    nonisolated func ready(_ readiness: Readiness) {
        onLoop { connection in
            guard !connection.isOver else { return }
            guard connection.wire.transport.note(readiness) else { return connection.lose() }
            connection.pump()
            if readiness.contains(.gone), !connection.isOver, connection.wire.transport.mayHaveBytes
            {
                connection.lose()
            }
        }
    }

    nonisolated func turnEnded() {
        onLoop { connection in
            connection.isFlushQueued = false
            connection.settle()
        }
    }

    nonisolated func drain() { close(.goingAway, reason: "") }

    nonisolated func closeNow() { onLoop { $0.lose() } }

    /// Bytes accepted and not yet given to the kernel.
    nonisolated var pending: Int { onLoop { $0.wire.transport.pending } }

    /// Sends a text message.
    nonisolated func send(text: [UInt8]) {
        onLoop { connection in
            guard !connection.isOver else { return }
            connection.wire.write { $0.send(text: text, into: &$1) }
            connection.queueFlush()
        }
    }

    /// Sends a binary message.
    nonisolated func send(binary: [UInt8]) {
        onLoop { connection in
            guard !connection.isOver else { return }
            connection.wire.write { $0.send(binary: binary, into: &$1) }
            connection.queueFlush()
        }
    }

    /// Sends frames that are made already and shared with other sockets.
    nonisolated func send(framed: [ArraySlice<UInt8>]) {
        onLoop { connection in
            guard !connection.isOver, connection.wire.machine.isOpen else { return }
            connection.wire.transport.write(shared: framed)
            connection.queueFlush()
        }
    }

    /// Begins the closing handshake.
    nonisolated func close(_ code: CloseCode, reason: String) {
        onLoop { connection in
            guard !connection.isOver else { return }
            let now = connection.eventLoop.now()
            connection.wire.write { $0.close(code, reason: reason, now: now, into: &$1) }
            connection.pump()
        }
    }

    private func queueFlush() {
        if wire.transport.pending > limits.pending { wasFull = true }
        guard !isPumping, !isFlushQueued else { return }
        isFlushQueued = true
        eventLoop.callAtEndOfTurn(self)
    }

    private func pump() {
        guard !isPumping, !isOver else { return }
        isPumping = true
        perform()
        var reads = 0
        reading: while !isOver, wire.transport.pending <= limits.pending {
            if reads == Self.readsPerTurn {
                eventLoop.execute { [self] in onLoop { $0.pump() } }
                break
            }
            reads += 1
            let now = eventLoop.now()
            switch wire.receive(now: now) {
            case .bytes: perform()
            case .nothing: break reading
            case .ended:
                wire.machine.receiveEnd(now: now)
                perform()
                break reading
            case .failed:
                isPumping = false
                return lose()
            }
        }
        isPumping = false
        // Not only what we sent of ourselves stops the reading: so do many answers to pings.
        if wire.transport.pending > limits.pending { wasFull = true }
        settle()
    }

    private func perform() {
        while !isOver {
            let now = eventLoop.now()
            guard let effect = wire.write({ $0.next(now: now, into: &$1) }) else {
                return
            }
            switch effect {
            case .text(let bytes): receiver?.received(text: bytes)
            case .binary(let bytes): receiver?.received(binary: bytes)
            case .closed(let code, _): tell(code)
            case .shutdownWrite: wire.transport.shutdownAfterFlush()
            case .disconnect: wire.transport.closeAfterFlush()
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
        switch wire.transport.flush() {
        case .done, .blocked: break
        case .close: return finish()
        case .failed: return lose()
        }
        if wire.transport.pending > limits.pending { wasFull = true }
        if wasFull, wire.transport.pending == 0 {
            wasFull = false
            receiver?.writable()
            // Reading had stopped.
            eventLoop.execute { [self] in onLoop { $0.pump() } }
        }
        var deadline = wire.machine.deadline
        if wire.transport.pending > 0 {
            deadline = earlier(deadline, wire.transport.progress + Self.sendTime)
        }
        if timer.isLate(for: deadline) {
            timer.arm(deadline, on: eventLoop) { [self] in onLoop { $0.timeHasCome() } }
        }
    }

    private func timeHasCome() {
        timer.fired()
        guard !isOver else { return }
        let now = eventLoop.now()
        if wire.transport.pending > 0, wire.transport.progress + Self.sendTime <= now {
            return lose()
        }
        wire.write { $0.tick(now: now, into: &$1) }
        pump()
    }

    /// The connection broke: the machine says so in its own words.
    private func lose() {
        guard !isOver else { return }
        wire.machine.receiveEnd(now: eventLoop.now())
        isPumping = true
        perform()
        isPumping = false
        finish()
    }

    private func finish() {
        guard !isOver else { return }
        isOver = true
        wire.transport.close()
        timer.disarm(on: eventLoop)
        shard?.figures.webSockets.add(-1)
        shard?.remove(self, peer: wire.transport.peer)
        tell(.abnormal)
    }
}
