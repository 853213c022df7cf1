import Base

/// What a WebSocket's shell has to do next.
public enum WebSocketEffect: Sendable, Equatable {
    /// A whole text message, checked to be UTF-8.
    case text([UInt8])
    /// A whole binary message.
    case binary([UInt8])
    /// The socket is over: tell the receiver. No message follows.
    case closed(CloseCode, reason: String)
    /// Once all output is written, shut down the writing side and keep reading: the peer broke the
    /// protocol, and what it still sends must not reset the connection under our close frame.
    case shutdownWrite
    /// Once all output is written, close the connection. The last effect.
    case disconnect
}

/// One end of a WebSocket, RFC 6455: bytes and time in, messages out.
///
/// A shell drives it so:
/// - What the socket gives: `receive(span, now:)`, which takes all of it; end of stream:
///   `receiveEnd`. Then, and after `tick` and `close`: `while let effect = machine.next(now:into:)`.
///   Pongs and close frames are appended to the output on the way: write it afterwards. A shell
///   may stop reading while too much of its output waits.
/// - `send(text:into:)`, `send(binary:into:)` append a frame; shared frames that were made by
///   `FrameSerializer` go beside it while `isOpen`, in order with the output.
/// - At `deadline`: `tick(now:into:)`, which pings, or gives up on a silent peer.
/// - `.closed` comes exactly once, before `.disconnect`; a connection reset is `receiveEnd`.
public struct WebSocketMachine: ~Copyable {
    /// Which end this is.
    public enum Role: Sendable {
        /// Sends unmasked, takes masked frames alone.
        case server
        /// Sends masked, takes unmasked frames alone.
        case client
    }

    private enum State {
        /// Messages go both ways.
        case open
        /// We have sent a close and wait for the peer's; its messages are dropped.
        case closing
        /// Closes were exchanged, or the peer broke the protocol: it is the peer's to hang up.
        case ending
        /// Nothing happens any more.
        case closed
    }

    private let role: Role
    private let limits: WebSocketLimits
    private let random: any RandomSource
    private var state = State.open
    private var input = InputBuffer()

    // The frame whose payload is being read, and the message it belongs to.
    private var frame: FrameHeader?
    private var received = 0
    private var message: [UInt8] = []
    private var messageKind: Opcode?
    private var fragments = 0
    private var validator = UTF8Validator()

    // What `next` gives out before anything else.
    private var closedEffect: (CloseCode, String)?
    private var owesShutdown = false
    private var owesDisconnect = false

    private var ownCode = CloseCode.noStatus
    private var peerEnded = false
    /// When the peer was last heard, or the close begun.
    private var since: Instant
    /// Pings sent since the peer was last heard.
    private var unanswered = 0
    private var masks: [UInt8] = []

    /// An end whose handshake is done. `random` makes a client's masks.
    public init(
        role: Role, limits: WebSocketLimits = WebSocketLimits(),
        random: any RandomSource = SystemRandom(), now: Instant
    ) {
        self.role = role
        self.limits = limits
        self.random = random
        since = now
    }

    /// Whether messages may be sent: no close was sent or received.
    public var isOpen: Bool {
        if case .open = state { true } else { false }
    }

    /// Bytes held: not yet looked at, and of a message that is not whole.
    public var heldBytes: Int { input.count + message.count }

    /// When to call `tick`, if nothing else happens before.
    public var deadline: Instant? {
        switch state {
        case .open:
            limits.pingInterval > .zero
                ? since + limits.pingInterval * (unanswered + 1) : nil
        case .closing, .ending: since + limits.closeTime
        case .closed: nil
        }
    }

    /// Takes what the peer sent, all of it.
    public mutating func receive(_ bytes: Span<UInt8>, now: Instant) {
        switch state {
        case .open:
            since = now
            unanswered = 0
            input.append(bytes)
        case .closing: input.append(bytes)
        case .ending, .closed: break
        }
    }

    /// The peer sends no more, or is gone.
    public mutating func receiveEnd(now: Instant) { peerEnded = true }

    /// Time has passed.
    public mutating func tick(now: Instant, into output: inout ByteWriter) {
        guard let deadline, deadline <= now else { return }
        switch state {
        case .open:
            if unanswered < 2 {
                ping(into: &output)
                unanswered += 1
            } else {
                hangUp(.abnormal)
            }
        case .closing: hangUp(.abnormal)
        case .ending: hangUp(nil)
        case .closed: break
        }
    }

    /// The next thing to do.
    public mutating func next(now: Instant, into output: inout ByteWriter) -> WebSocketEffect? {
        while true {
            if let (code, reason) = closedEffect {
                closedEffect = nil
                return .closed(code, reason: reason)
            }
            if owesShutdown {
                owesShutdown = false
                return .shutdownWrite
            }
            if owesDisconnect {
                owesDisconnect = false
                return .disconnect
            }
            switch state {
            case .open, .closing:
                if let message = read(now, &output) { return message }
                switch state {
                case .open, .closing:
                    guard closedEffect == nil, peerEnded else { return nil }
                    hangUp(.abnormal)
                case .ending, .closed: break
                }
            case .ending:
                guard peerEnded else { return nil }
                hangUp(nil)
            case .closed: return nil
            }
        }
    }

    /// Appends a text message, which must be UTF-8; nothing unless `isOpen`.
    public mutating func send(text: [UInt8], into output: inout ByteWriter) {
        if isOpen { write(.text, text, &output) }
    }

    /// Appends a binary message; nothing unless `isOpen`.
    public mutating func send(binary: [UInt8], into output: inout ByteWriter) {
        if isOpen { write(.binary, binary, &output) }
    }

    /// Appends a ping of its own; nothing unless `isOpen`.
    public mutating func ping(_ payload: [UInt8] = [], into output: inout ByteWriter) {
        if isOpen { write(.ping, payload, &output) }
    }

    /// Begins the closing handshake; nothing unless `isOpen`. The reason is cut to 123 bytes.
    public mutating func close(
        _ code: CloseCode, reason: String = "", now: Instant, into output: inout ByteWriter
    ) {
        guard isOpen else { return }
        write(.close, Self.closePayload(code, reason), &output)
        ownCode = code
        state = .closing
        since = now
        forgetMessage()
    }

    /// Reads frames until a message is whole, the bytes are used up, or the socket is over.
    private mutating func read(_ now: Instant, _ output: inout ByteWriter) -> WebSocketEffect? {
        while true {
            guard let header = frame else {
                let outcome = input.withSpan { span in
                    FrameParser.parse(span, masked: role == .server)
                }
                switch outcome {
                case .incomplete: return nil
                case .failed(let code):
                    fail(code, now, &output)
                    return nil
                case .header(let header, let consumed):
                    input.removeFirst(consumed)
                    if let code = refusal(of: header) {
                        fail(code, now, &output)
                        return nil
                    }
                    frame = header
                    received = 0
                }
                continue
            }
            if header.opcode.isControl {
                guard input.count >= header.length else { return nil }
                var payload = input.take(header.length)
                if let mask = header.mask { payload.mask(0..<payload.count, with: mask) }
                frame = nil
                control(header.opcode, payload, now, &output)
                switch state {
                case .open, .closing: continue
                case .ending, .closed: return nil
                }
            }
            guard takePayload(header) else {
                fail(.badData, now, &output)
                return nil
            }
            guard received == header.length else { return nil }
            frame = nil
            if header.isFinal, case .open = state {
                if messageKind == .text, !validator.isWhole {
                    fail(.badData, now, &output)
                    return nil
                }
                let whole = message
                let effect: WebSocketEffect = messageKind == .text ? .text(whole) : .binary(whole)
                forgetMessage()
                return effect
            }
            if header.isFinal { forgetMessage() }
        }
    }

    /// RFC 6455 §5.4, and the limits: a header that may not come now.
    private mutating func refusal(of header: FrameHeader) -> CloseCode? {
        // What comes behind our close is dropped, whatever it belongs to.
        if header.opcode.isControl || !isOpen { return nil }
        if header.opcode == .continuation {
            guard messageKind != nil else { return .protocolError }
        } else {
            guard messageKind == nil else { return .protocolError }
            messageKind = header.opcode
        }
        fragments += 1
        if fragments > limits.fragments { return .tooBig }
        if header.length > limits.message - message.count { return .tooBig }
        return nil
    }

    /// Moves what has come of a payload into the message; false when it is not UTF-8.
    private mutating func takePayload(_ header: FrameHeader) -> Bool {
        let length = min(input.count, header.length - received)
        guard length > 0 else { return true }
        guard case .open = state else {
            input.removeFirst(length)
            received += length
            return true
        }
        let start = message.count
        Self.move(length, from: &input, to: &message)
        if let mask = header.mask {
            message.mask(start..<message.count, with: mask, phase: received)
        }
        received += length
        guard messageKind == .text else { return true }
        return Self.validate(&validator, message, from: start)
    }

    private static func validate(
        _ validator: inout UTF8Validator, _ message: [UInt8], from start: Int
    ) -> Bool {
        validator.accept(message.span.extracting(start..<message.count))
    }

    private static func move(
        _ length: Int, from input: inout InputBuffer, to message: inout [UInt8]
    ) {
        if message.isEmpty { message.reserveCapacity(length) }
        input.withSpan { span in message.append(span.extracting(0..<length)) }
        input.removeFirst(length)
    }

    private mutating func control(
        _ opcode: Opcode, _ payload: [UInt8], _ now: Instant, _ output: inout ByteWriter
    ) {
        switch opcode {
        case .ping:
            if isOpen { write(.pong, payload, &output) }
        case .close: peerClosed(payload, now, &output)
        case .pong, .continuation, .text, .binary: break
        }
    }

    /// RFC 6455 §5.5.1: answers a close with a close; ours was the answer if we were first.
    private mutating func peerClosed(
        _ payload: [UInt8], _ now: Instant, _ output: inout ByteWriter
    ) {
        var code = CloseCode.noStatus
        if !payload.isEmpty {
            guard payload.count >= 2,
                let told = CloseCode(UInt16(payload[0]) << 8 | UInt16(payload[1]))
            else { return fail(.protocolError, now, &output) }
            code = told
        }
        let reason = Array(payload.dropFirst(2))
        guard UTF8Validator.isValid(reason) else { return fail(.badData, now, &output) }
        if isOpen {
            write(.close, Array(payload.prefix(2)), &output)
            closedEffect = (code, String(decoding: reason, as: UTF8.self))
        } else {
            closedEffect = (ownCode, "")
        }
        forgetMessage()
        input.removeAll()
        // RFC 6455 §7.1.1: the server hangs up first, so that it is the client that lingers.
        if role == .server {
            state = .closed
            owesDisconnect = true
        } else {
            state = .ending
            since = now
        }
    }

    /// RFC 6455 §7.1.7: says why, and takes nothing more.
    private mutating func fail(_ code: CloseCode, _ now: Instant, _ output: inout ByteWriter) {
        if isOpen { write(.close, Self.closePayload(code, ""), &output) }
        closedEffect = (code, "")
        owesShutdown = true
        state = .ending
        since = now
        forgetMessage()
        frame = nil
        input.removeAll()
    }

    private mutating func hangUp(_ code: CloseCode?) {
        if let code { closedEffect = (code, "") }
        owesDisconnect = true
        state = .closed
        forgetMessage()
        frame = nil
        input.removeAll()
    }

    private mutating func forgetMessage() {
        message = []
        messageKind = nil
        fragments = 0
        validator = UTF8Validator()
    }

    private mutating func write(
        _ opcode: Opcode, _ payload: [UInt8], _ output: inout ByteWriter
    ) {
        switch role {
        case .server:
            FrameSerializer.header(opcode, length: payload.count, into: &output)
            output.append(payload)
        case .client:
            let mask = nextMask()
            FrameSerializer.header(opcode, length: payload.count, mask: mask, into: &output)
            var masked = payload
            masked.mask(0..<masked.count, with: mask)
            output.append(masked)
        }
    }

    /// Four bytes that nobody can foresee (RFC 6455 §5.3), fetched many at a time.
    private mutating func nextMask() -> UInt32 {
        if masks.count < 4 { masks = random.bytes(256) }
        let mask = masks.suffix(4).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        masks.removeLast(4)
        return mask
    }

    private static func closePayload(_ code: CloseCode, _ reason: String) -> [UInt8] {
        guard code.isSendable else { return [] }
        var payload = [UInt8(code.rawValue >> 8), UInt8(code.rawValue & 0xFF)]
        for character in reason {
            if payload.count + character.utf8.count > 125 { break }
            payload += Array(character.utf8)
        }
        return payload
    }
}
