import Base

/// Why a response did not come, or not whole.
public enum ClientFailure: Error, Sendable, Equatable {
    /// The server closed before a byte of the response: on a kept connection the request may be
    /// repeated on a new one if its method allows that.
    case closedBeforeResponse
    /// The server closed in the middle of the head.
    case closedInHead
    /// What came is no response as RFC 9112 has it.
    case malformed
    /// Its head is larger than the limits.
    case headTooLarge
    /// Its head did not come in time.
    case timeout
}

/// What a client's shell has to do next.
public enum ClientEffect: Sendable {
    /// The final response's head (1xx before it are skipped). The body, if `head.bodyLength` is not
    /// 0, is got by `takeBody`; also an empty one must be taken to its `.end`.
    case response(ResponseHead)
    /// 101: the machine is done; `takeLeftover()` is the other protocol's first bytes.
    case upgraded(ResponseHead)
    /// `takeBody` would no longer say `.wait`.
    case bodyReady
    /// The server has said 100, or the time to wait for it is over: send the body now. Comes only
    /// for requests begun with `expectContinue`.
    case sendBody
    /// The exchange is over. `true`: the connection may carry another request. `false`: close it.
    case done(reusable: Bool)
    /// No response: close the connection. The last effect.
    case failed(ClientFailure)
}

/// The client's half of one connection, RFC 9112: one request at a time.
///
/// A shell drives it so:
/// - `beginRequest` writes the head; then for each piece of the body `beginChunk(count)`, the
///   bytes, `endChunk`; then `finishRequest` (also when there is no body). `write` does three at
///   once. A body that fails in the middle: close the connection and drop the machine.
/// - What the socket gives: `receive(span, now:)`, which takes all of it; read only while
///   `wantsBytes`. End of stream: `receiveEnd`. Then, and after `tick` and `takeBody`: `while let
///   effect = machine.next(now:)`.
/// - At `deadline`: `tick(now:)`. Deadlines of the whole exchange are the shell's.
/// - The response may come before the request's body was sent; `.done` comes when the response's
///   body was taken to its end, not reusable if the request was not finished by then.
/// - After `.done(reusable: true)` the next `beginRequest` may follow. A byte or an end of stream
///   that comes while no request is under way gives `.done(reusable: false)`: take the connection
///   out of the pool and close it.
public struct ClientMachine: ~Copyable {
    private enum State {
        /// No request is under way.
        case idle
        /// The response's head is awaited.
        case head
        /// The response's body is being taken.
        case body
        /// Handed over to another protocol.
        case upgraded
        /// Nothing happens any more.
        case closed
    }

    private let limits: HTTPLimits
    private var state = State.idle
    private var input = InputBuffer()
    private var parser = ResponseParser()
    private var body: BodyReader
    private var request = BodyWriter()

    private var requestIsFinished = true
    private var isHead = false
    private var asksUpgrade = false
    private var awaitsContinue = false
    private var waits = false
    private var keepsAlive = true
    private var peerEnded = false

    // What `next` gives out before anything else.
    private var newHead: ResponseHead?
    private var failure: ClientFailure?
    private var sendsBody = false
    private var isOver = false

    /// When this state's waiting began.
    private var since = Instant(nanoseconds: 0)
    private var windowBytes = 0
    private var windowWaited = Duration.zero

    /// How long to wait for a `100 Continue` before the body is sent without.
    private static let continueTime = Duration.seconds(1)

    /// A connection just made.
    public init(limits: HTTPLimits = HTTPLimits()) {
        precondition(limits.head <= 0xFFFF, "a head of \(limits.head) bytes")
        self.limits = limits
        body = BodyReader(RequestFraming.none, limits: limits)
    }

    /// Whether to read from the socket.
    public var wantsBytes: Bool {
        switch state {
        case .idle, .head: !peerEnded
        case .body: !peerEnded && input.count < limits.readAhead
        case .upgraded, .closed: false
        }
    }

    /// Whether a request may be begun.
    public var isIdle: Bool {
        if case .idle = state { !isOver } else { false }
    }

    /// Whether a request is under way of whose answer nothing has come.
    public var awaitsFirstByte: Bool {
        if case .head = state { input.isEmpty } else { false }
    }

    /// Bytes held that were received and not yet taken.
    public var heldBytes: Int { input.count }

    /// When to call `tick`, if nothing else happens before.
    public var deadline: Instant? {
        switch state {
        case .head where awaitsContinue: since + Self.continueTime
        case .head: requestIsFinished ? since + limits.responseTime : nil
        case .body: waits ? since + (limits.bodyWindow - windowWaited) : nil
        case .idle, .upgraded, .closed: nil
        }
    }

    /// Writes a request's head. `fields` has Host and whatever else is said, without the framing;
    /// `length` is the body's: 0 for none, nil for not known (chunked). With `upgrade` the fields
    /// have Connection and Upgrade, and 101 is an answer.
    public mutating func beginRequest(
        method: Method, target: [UInt8], fields: Fields, length: Int64?,
        expectContinue: Bool = false, upgrade: Bool = false, now: Instant,
        into output: inout ByteWriter
    ) throws(SerializerError) {
        guard isIdle else { preconditionFailure("a request while another is under way") }
        if fields.isRefused { throw .refusedField }
        try Serializer.requestLine(method, target, into: &output)
        output.append(fields.block)
        var framing = length.map { Serializer.Framing.length($0) } ?? .chunked
        // RFC 9110 §8.6: methods that give a body no meaning say nothing of one they have not.
        if length == 0, method != .post, method != .put, method != .patch { framing = .none }
        awaitsContinue = expectContinue && length != 0
        if awaitsContinue { Serializer.text("Expect: 100-continue\r\n", into: &output) }
        Serializer.framing(framing, into: &output)
        Serializer.lineEnd(&output)
        request = BodyWriter(framing)
        requestIsFinished = false
        isHead = method == .head
        asksUpgrade = upgrade
        keepsAlive = true
        waits = false
        windowBytes = 0
        windowWaited = .zero
        state = .head
        since = now
    }

    /// Announces `count` bytes of the request's body; says how many of them to write now.
    public mutating func beginChunk(_ count: Int64, into output: inout ByteWriter) -> Int64 {
        request.beginChunk(count, into: &output)
    }

    /// Ends what `beginChunk` began.
    public mutating func endChunk(into output: inout ByteWriter) { request.endChunk(into: &output) }

    /// Writes bytes of the request's body that are at hand.
    public mutating func write(_ bytes: ArraySlice<UInt8>, into output: inout ByteWriter) {
        let allowed = beginChunk(Int64(bytes.count), into: &output)
        output.append(bytes.prefix(Int(allowed)))
        endChunk(into: &output)
    }

    /// Ends the request. False when the body was shorter than told: close the connection.
    public mutating func finishRequest(into output: inout ByteWriter, now: Instant) -> Bool {
        guard !requestIsFinished else { return true }
        requestIsFinished = true
        awaitsContinue = false
        if case .head = state { since = now }
        return request.finish(into: &output)
    }

    /// Takes what the server sent, all of it.
    public mutating func receive(_ bytes: Span<UInt8>, now: Instant) {
        guard !bytes.isEmpty else { return }
        switch state {
        case .idle:
            // Nobody asked: an answer to nothing, or a timeout's 408.
            isOver = true
            keepsAlive = false
        case .head:
            input.append(bytes)
            parseInput(now)
        case .body:
            input.append(bytes)
            windowBytes += bytes.count
            if windowBytes >= limits.bodyWindowBytes {
                windowBytes = 0
                windowWaited = .zero
                since = now
            }
        case .upgraded:
            input.append(bytes)
        case .closed:
            break
        }
    }

    /// The server sends no more.
    public mutating func receiveEnd(now: Instant) {
        peerEnded = true
        switch state {
        case .idle:
            isOver = true
            keepsAlive = false
        case .head: fail(input.isEmpty ? .closedBeforeResponse : .closedInHead)
        case .body, .upgraded, .closed: break
        }
    }

    /// Time has passed.
    public mutating func tick(now: Instant) {
        guard let deadline, deadline <= now else { return }
        switch state {
        case .head where awaitsContinue:
            awaitsContinue = false
            sendsBody = true
        case .head: fail(.timeout)
        case .body: body.fail(.tooSlow)
        case .idle, .upgraded, .closed: break
        }
    }

    /// The next thing to do.
    public mutating func next(now: Instant) -> ClientEffect? {
        if let failure {
            self.failure = nil
            return .failed(failure)
        }
        if sendsBody {
            sendsBody = false
            return .sendBody
        }
        if let head = newHead {
            newHead = nil
            if case .upgraded = state { return .upgraded(head) }
            return .response(head)
        }
        if waits, !input.isEmpty || peerEnded || body.error != nil {
            waits = false
            windowWaited += max(.zero, now - since)
            return .bodyReady
        }
        if isOver {
            isOver = false
            if !keepsAlive { state = .closed }
            return .done(reusable: keepsAlive)
        }
        return nil
    }

    /// The next bytes of the response's body.
    public mutating func takeBody(now: Instant) -> BodyChunk {
        guard case .body = state else { return body.error.map { .failed($0) } ?? .end }
        let chunk = body.take(from: &input, ended: peerEnded)
        switch chunk {
        case .bytes: break
        case .wait:
            if !waits {
                waits = true
                since = now
            }
        case .end:
            // What follows the end of the only answer belongs to nobody.
            if !input.isEmpty || peerEnded || !requestIsFinished || body.endsWithConnection {
                keepsAlive = false
            }
            over()
        case .failed:
            keepsAlive = false
            over()
        }
        return chunk
    }

    /// What came behind a 101; once.
    public mutating func takeLeftover() -> [UInt8] { input.take(input.count) }

    private mutating func over() {
        state = keepsAlive ? .idle : .closed
        isOver = true
        waits = false
        requestIsFinished = true
        input.removeAll()
    }

    private mutating func fail(_ failure: ClientFailure) {
        state = .closed
        self.failure = failure
        input.removeAll()
    }

    private mutating func parseInput(_ now: Instant) {
        while true {
            switch Self.parse(&parser, input, isHead, limits) {
            case .incomplete: return
            case .rejected(let failure): return fail(failure)
            case .complete(let head, let consumed):
                input.removeFirst(consumed)
                parser = ResponseParser()
                if head.status == .switchingProtocols {
                    guard asksUpgrade else { return fail(.malformed) }
                    state = .upgraded
                    newHead = head
                    return
                }
                if head.status.isInformational {
                    if head.status == .continue, awaitsContinue {
                        awaitsContinue = false
                        sendsBody = true
                    }
                    if input.isEmpty { return }
                    continue
                }
                awaitsContinue = false
                keepsAlive = head.keepsAlive
                body = BodyReader(head.framing, limits: limits)
                newHead = head
                state = .body
                return
            }
        }
    }

    private static func parse(
        _ parser: inout ResponseParser, _ input: borrowing InputBuffer, _ toHead: Bool,
        _ limits: HTTPLimits
    ) -> ResponseParser.Outcome {
        input.withSpan { span in parser.parse(span, toHead: toHead, limits: limits) }
    }
}
