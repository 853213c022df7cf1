import Base
import HTTP

/// A connection that has become a stream of bytes both ways: how an upgrade is passed through.
actor TunnelConnection: LoopPinned, ReadinessReceiver, ServedConnection, TunnelSink {
    private static let readsPerTurn = 16
    private static let sendTime = HTTPLimits().sendTime

    private let eventLoop: EventLoop
    private let shard: ServerShard?
    private let limit: Int
    private var transport: Transport
    private var receiver: (any TunnelReceiver)?
    private var timer = LazyTimer()
    private var isOver = false
    private var isPumping = false
    private var isFlushQueued = false
    private var isReading = true
    private var wasFull = false
    /// The loop that owns the connection.
    nonisolated var loop: any LoopExecutor { eventLoop }

    nonisolated var pinnedTo: EventLoop { eventLoop }

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe eventLoop.asUnownedSerialExecutor()
    }

    /// Takes over a connection; `start` must follow. Beyond `output` waiting bytes the receiver
    /// is told when they are written.
    init(_ transport: consuming Transport, output: Int, shard: ServerShard?) {
        eventLoop = transport.loop
        limit = output
        self.shard = shard
        self.transport = transport
    }

    /// Begins with what came behind the upgrade already.
    nonisolated func start(_ receiver: any TunnelReceiver, _ leftover: [UInt8]) {
        onLoop { connection in
            // The receiver may have had enough while it was made.
            guard !connection.isOver else { return receiver.closed() }
            connection.receiver = receiver
            connection.transport.keepAlive()
            do throws(SystemError) {
                try connection.transport.watch(connection)
            } catch {
                return connection.finish()
            }
            if !leftover.isEmpty { receiver.received(bytes: leftover) }
            connection.pump()
        }
    }

    nonisolated func ready(_ readiness: Readiness) {
        onLoop { connection in
            guard !connection.isOver else { return }
            guard connection.transport.note(readiness) else { return connection.finish() }
            connection.pump()
            if readiness.contains(.gone), !connection.isOver, connection.transport.mayHaveBytes {
                connection.finish()
            }
        }
    }

    nonisolated func turnEnded() {
        onLoop { connection in
            connection.isFlushQueued = false
            connection.settle()
        }
    }

    nonisolated func drain() { close() }

    nonisolated func closeNow() { onLoop { $0.finish() } }

    /// Bytes accepted and not yet given to the kernel.
    nonisolated var pending: Int { onLoop { $0.transport.pending } }

    /// Sends bytes.
    nonisolated func send(_ bytes: [UInt8]) {
        onLoop { connection in
            guard !connection.isOver else { return }
            connection.transport.write(shared: bytes[...])
            if connection.transport.pending > connection.limit { connection.wasFull = true }
            guard !connection.isPumping, !connection.isFlushQueued else { return }
            connection.isFlushQueued = true
            connection.eventLoop.callAtEndOfTurn(connection)
        }
    }

    /// Stops or resumes reading from the peer.
    nonisolated func setReading(_ on: Bool) {
        onLoop { connection in
            connection.isReading = on
            guard on else { return }
            connection.eventLoop.execute { connection.onLoop { $0.pump() } }
        }
    }

    /// Closes once all is written.
    nonisolated func close() {
        onLoop { connection in
            guard !connection.isOver else { return }
            connection.transport.closeAfterFlush()
            connection.settle()
        }
    }

    private func pump() {
        guard !isPumping, !isOver else { return }
        isPumping = true
        var reads = 0
        reading: while !isOver, isReading {
            if reads == Self.readsPerTurn {
                eventLoop.execute { [self] in onLoop { $0.pump() } }
                break
            }
            reads += 1
            var bytes: [UInt8] = []
            let received = transport.receive(&bytes) { bytes, span in
                bytes = unsafe span.withUnsafeBytes { unsafe [UInt8]($0) }
            }
            switch received {
            case .bytes: if !bytes.isEmpty { receiver?.received(bytes: bytes) }
            case .nothing: break reading
            case .ended:
                tell()
                transport.closeAfterFlush()
                break reading
            case .failed: finish()
            }
        }
        isPumping = false
        settle()
    }

    private func tell() {
        let told = receiver
        receiver = nil
        told?.closed()
    }

    private func settle() {
        guard !isOver else { return }
        switch transport.flush() {
        case .done, .blocked: break
        case .close, .failed: return finish()
        }
        if wasFull, transport.pending == 0 {
            wasFull = false
            receiver?.writable()
        }
        let deadline = transport.pending > 0 ? transport.progress + Self.sendTime : nil
        if timer.isLate(for: deadline) {
            timer.arm(deadline, on: eventLoop) { [self] in onLoop { $0.timeHasCome() } }
        }
    }

    private func timeHasCome() {
        timer.fired()
        guard !isOver else { return }
        if transport.pending > 0, transport.progress + Self.sendTime <= eventLoop.now() {
            return finish()
        }
        settle()
    }

    private func finish() {
        guard !isOver else { return }
        isOver = true
        transport.close()
        timer.disarm(on: eventLoop)
        shard?.remove(self, peer: transport.peer)
        tell()
    }
}
