import Base

/// What a server's shell has to do next.
public enum ServerEffect: Sendable {
    /// A head is complete: start the responder. Its body, if `head.bodyLength` is not 0, is got by
    /// `takeBody`. No further request comes before this one is answered.
    case request(RequestHead)
    /// What came is no request: answer it (`Responder.response(to:)`) as any other; the machine
    /// adds `Connection: close` and closes behind it.
    case reject(RequestRejection)
    /// Somebody waits for the body of a client that waits for this: write
    /// `ServerMachine.continueLine` to the peer.
    case sendContinue
    /// `takeBody` would no longer say `.wait`.
    case bodyReady
    /// The response with 101 is finished: the machine is done. What the peer has already sent
    /// behind its request is `takeLeftover()`; feed it to the machine that takes over.
    case upgrade
    /// Once all output is written, shut down the writing side and keep reading (`wantsBytes`), so
    /// that what the peer still sends does not reset the connection under our answer.
    case shutdownWrite
    /// Once all output is written, close the connection. The last effect.
    case close
    /// Close the connection at once, unwritten output or not. The last effect.
    case abort
}

/// The server's half of one connection, RFC 9112: bytes and time in, effects out.
///
/// A shell drives it so:
/// - Whatever the socket gives: `receive(span, now:)`, which takes all of it. Read from the socket
///   only while `wantsBytes`; the machine then holds at most `limits.readAhead` and one read.
///   The peer's end of stream: `receiveEnd(now:)`. A reset: drop the machine, fail the body.
/// - After each of these, after `tick`, `takeBody` and `finishResponse`: `while let effect =
///   machine.next(now:)`, performed one by one. `next` may be called from within the performing of
///   an effect (a responder that answers at once), but not twice at the same time.
/// - Timer: at `deadline`, if there is one, `tick(now:)`. It changes with each call; a shell may
///   leave an earlier timer running and look again when it fires: an early `tick` does nothing.
/// - The request's body: `takeBody(now:)`. On `.wait` perform the effects (one may be
///   `.sendContinue`), and ask again when `.bodyReady` comes.
/// - The answer: `beginResponse` once, then for each piece of the body `beginChunk(count)`, as many
///   bytes as it allows (through the same output or by `sendfile`), `endChunk`; then
///   `finishResponse`. `write` does the three for bytes at hand. A source that fails in the middle:
///   `abortResponse`. An answer may come before the request's body was read.
public struct ServerMachine: ~Copyable {
    /// What `.sendContinue` asks to be written.
    public static let continueLine: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"

    private enum State {
        /// No byte of a request has come.
        case idle
        /// Some bytes of one have.
        case head
        /// A request or a rejection was handed out, its answer is not finished.
        case exchange
        /// Answered; the rest of its body is thrown away so that the connection can be kept.
        case discarding
        /// We have shut down our side and wait for the peer to do so.
        case lingering
        /// Handed over to another protocol.
        case upgraded
        /// Nothing happens any more.
        case closed
    }

    /// What `next` gives out before anything else.
    private enum Pending {
        case nothing
        case request(RequestHead)
        case rejection(RequestRejection)
        case upgrade
        case shutdown
        case close
        case abort
    }

    private let limits: HTTPLimits
    private var state = State.idle
    private var pending = Pending.nothing
    private var input = InputBuffer()
    private var parser = RequestParser()
    private var body: BodyReader
    private var answer = BodyWriter()

    // The exchange at hand.
    private var isHead = false
    private var keepsAlive = true
    private var minorVersion: UInt8 = 1
    private var mayUpgrade = false
    private var isUpgrading = false
    private var owesContinue = false
    /// The final answer's head is written: nothing of another may follow.
    private var isAnswering = false
    private var sendsContinue = false
    private var waits = false

    // The connection.
    private var peerEnded = false
    private var isDraining = false
    /// When this state's waiting began: idleness, the head, the wait for a body, the lingering.
    private var since: Instant
    /// What a body has brought in its window, and how long it was waited for in it.
    private var windowBytes = 0
    private var windowWaited = Duration.zero
    /// Bytes that were thrown away.
    private var discarded: Int64 = 0

    /// A connection just accepted.
    public init(limits: HTTPLimits = HTTPLimits(), now: Instant) {
        precondition(limits.head <= 0xFFFF, "a head of \(limits.head) bytes")
        self.limits = limits
        body = BodyReader(RequestFraming.none, limits: limits)
        since = now
    }

    /// Whether to read from the socket.
    public var wantsBytes: Bool {
        switch state {
        case .idle, .head, .discarding, .lingering: !peerEnded
        case .exchange: !peerEnded && input.count < limits.readAhead
        case .upgraded, .closed: false
        }
    }

    /// Whether no request is being read or answered: a server that stops may close it.
    public var isIdle: Bool {
        if case .idle = state { input.isEmpty } else { false }
    }

    /// Bytes held that were received and not yet taken.
    public var heldBytes: Int { input.count }

    /// When to call `tick`, if nothing else happens before.
    public var deadline: Instant? {
        switch state {
        case .idle: since + limits.idleTime
        case .head: since + limits.headTime
        case .exchange: waits ? since + (limits.bodyWindow - windowWaited) : nil
        case .discarding: since + (limits.bodyWindow - windowWaited)
        case .lingering: since + limits.lingerTime
        case .upgraded, .closed: nil
        }
    }

    /// Takes what the peer sent, all of it.
    public mutating func receive(_ bytes: Span<UInt8>, now: Instant) {
        guard !bytes.isEmpty else { return }
        switch state {
        case .idle, .head:
            if input.isEmpty {
                let used = take(parser.parse(bytes, limits: limits), now)
                if used < bytes.count { input.append(bytes.extracting(used..<bytes.count)) }
                noteEagerBody()
            } else {
                input.append(bytes)
                parseInput(now)
            }
        case .exchange:
            input.append(bytes)
            if !body.isComplete { count(bytes.count, now) }
        case .discarding:
            input.append(bytes)
            count(bytes.count, now)
            discard(now)
        case .lingering:
            discarded += Int64(bytes.count)
            if discarded > limits.lingerBytes { finish(.close) }
        case .upgraded:
            input.append(bytes)
        case .closed:
            break
        }
    }

    /// The peer sends no more.
    public mutating func receiveEnd(now: Instant) {
        peerEnded = true
        switch state {
        case .idle, .head, .discarding, .lingering: finish(.close)
        case .exchange, .upgraded, .closed: break
        }
    }

    /// Time has passed.
    public mutating func tick(now: Instant) {
        guard let deadline, deadline <= now else { return }
        switch state {
        case .idle, .discarding, .lingering: finish(.close)
        // Empty lines alone are no request that could be late.
        case .head: if hasOnlyLineEnds { finish(.close) } else { reject(.timeout) }
        case .exchange: body.fail(.tooSlow)
        case .upgraded, .closed: break
        }
    }

    /// The next thing to do.
    public mutating func next(now: Instant) -> ServerEffect? {
        switch pending {
        case .nothing: break
        case .request(let head):
            pending = .nothing
            return .request(head)
        case .rejection(let rejection):
            pending = .nothing
            return .reject(rejection)
        case .upgrade:
            pending = .nothing
            return .upgrade
        case .shutdown:
            pending = .nothing
            return .shutdownWrite
        case .close:
            pending = .nothing
            return .close
        case .abort:
            pending = .nothing
            return .abort
        }
        if sendsContinue {
            sendsContinue = false
            return .sendContinue
        }
        if waits, !input.isEmpty || peerEnded || body.error != nil {
            waits = false
            windowWaited += max(.zero, now - since)
            return .bodyReady
        }
        return nil
    }

    /// The next bytes of the request's body.
    public mutating func takeBody(now: Instant) -> BodyChunk {
        guard case .exchange = state else { return .failed(.closed) }
        let chunk = body.take(from: &input, ended: peerEnded)
        if chunk == .wait {
            if !waits {
                waits = true
                since = now
            }
            if owesContinue, !isAnswering {
                owesContinue = false
                sendsContinue = true
            }
        }
        return chunk
    }

    /// Begins the answer to the request or rejection at hand: writes its head, with Date (29 bytes,
    /// as `HTTPDate` makes them), the length or the coding, and Connection where it must be said.
    /// `length` nil: not known. Says whether the body is to be written: not for HEAD, 204, 304.
    ///
    /// Fields that were refused throw; nothing is written then, and another answer may be begun.
    public mutating func beginResponse(
        status: Status, fields: Fields, common: Fields = Fields(), length: Int64?, date: [UInt8],
        into output: inout ByteWriter
    ) throws(SerializerError) -> Bool {
        guard case .exchange = state else { preconditionFailure("an answer to no request") }
        if fields.isRefused || common.isRefused { throw .refusedField }
        isAnswering = true
        sendsContinue = false
        output.reserve(fields.block.count + common.block.count + 192)
        Serializer.statusLine(status, into: &output)
        output.append(fields.block)
        output.append(common.block)
        Serializer.text("Date: ", into: &output)
        output.append(date)
        Serializer.lineEnd(&output)
        if status == .switchingProtocols {
            precondition(mayUpgrade, "an upgrade that nobody asked for")
            isUpgrading = true
            answer = BodyWriter(.none)
            Serializer.lineEnd(&output)
            return false
        }
        var framing = framing(status, length)
        if framing == .untilClose { keepsAlive = false }
        if isDraining || bodyForbidsKeeping { keepsAlive = false }
        if !keepsAlive {
            Serializer.text("Connection: close\r\n", into: &output)
        } else if minorVersion == 0 {
            Serializer.text("Connection: keep-alive\r\n", into: &output)
        }
        Serializer.framing(framing, into: &output)
        Serializer.lineEnd(&output)
        if isHead || status == .notModified { framing = .none }
        answer = BodyWriter(framing)
        return framing != .none
    }

    private func framing(_ status: Status, _ length: Int64?) -> Serializer.Framing {
        if status.isInformational || status == .noContent { return .none }
        if let length { return status == .notModified && length == 0 ? .none : .length(length) }
        return minorVersion == 1 ? .chunked : .untilClose
    }

    /// Whether what is left of the request's body is too much, or not certain enough, to wait for.
    private var bodyForbidsKeeping: Bool {
        if body.isComplete { return false }
        // The client may send the body, or not, having seen the final answer: nobody can tell.
        if owesContinue || body.error != nil { return true }
        return (body.remaining ?? 0) > limits.discard
    }

    /// Announces `count` bytes of the body; says how many of them to write now (fewer, when the
    /// length that was told would be exceeded; the response then ends by closing).
    public mutating func beginChunk(_ count: Int64, into output: inout ByteWriter) -> Int64 {
        let allowed = answer.beginChunk(count, into: &output)
        if allowed < count { keepsAlive = false }
        return allowed
    }

    /// Ends what `beginChunk` began.
    public mutating func endChunk(into output: inout ByteWriter) { answer.endChunk(into: &output) }

    /// Writes bytes of the body that are at hand.
    public mutating func write(_ bytes: ArraySlice<UInt8>, into output: inout ByteWriter) {
        let allowed = beginChunk(Int64(bytes.count), into: &output)
        output.append(bytes.prefix(Int(allowed)))
        endChunk(into: &output)
    }

    /// Ends the answer; effects may follow: the next request, an upgrade, a close.
    public mutating func finishResponse(into output: inout ByteWriter, now: Instant) {
        guard case .exchange = state else { return }
        guard answer.finish(into: &output) else { return abortResponse() }
        waits = false
        sendsContinue = false
        since = now
        if isUpgrading {
            state = .upgraded
            pending = .upgrade
        } else if !keepsAlive || bodyForbidsKeeping {
            linger()
        } else {
            state = .discarding
            windowBytes = 0
            windowWaited = .zero
            discarded = 0
            discard(now)
        }
    }

    /// Gives an answer up whose head was sent: the peer must not take it for whole, so the
    /// connection is closed at once.
    public mutating func abortResponse() { finish(.abort) }

    /// The server stops: the current request's answer says `Connection: close`; idle, it closes.
    public mutating func drain() {
        isDraining = true
        if isIdle { finish(.close) }
    }

    /// What came behind the request that was upgraded; once.
    public mutating func takeLeftover() -> [UInt8] { input.take(input.count) }

    private var hasOnlyLineEnds: Bool {
        input.withSpan { span in
            span.indices.allSatisfy { span[$0] == Octet.cr || span[$0] == Octet.lf }
        }
    }

    private mutating func finish(_ last: Pending) {
        state = .closed
        pending = last
        waits = false
        input.removeAll()
    }

    private mutating func linger() {
        if peerEnded { return finish(.close) }
        state = .lingering
        pending = .shutdown
        discarded = Int64(input.count)
        input.removeAll()
    }

    private mutating func reject(_ rejection: RequestRejection) {
        state = .exchange
        pending = .rejection(rejection)
        input.removeAll()
        begin(minorVersion: 1, isHead: false, keepsAlive: false)
        body = BodyReader(RequestFraming.none, limits: limits)
    }

    private mutating func begin(minorVersion: UInt8, isHead: Bool, keepsAlive: Bool) {
        self.minorVersion = minorVersion
        self.isHead = isHead
        self.keepsAlive = keepsAlive
        mayUpgrade = false
        owesContinue = false
        isAnswering = false
        sendsContinue = false
        waits = false
        windowBytes = 0
        windowWaited = .zero
    }

    /// Acts on what the parser found; says how many bytes are done with.
    private mutating func take(_ outcome: RequestParser.Outcome, _ now: Instant) -> Int {
        switch outcome {
        case .incomplete:
            if case .idle = state {
                state = .head
                since = now
            }
            return 0
        case .rejected(let rejection):
            reject(rejection)
            return 0
        case .complete(let head, let consumed):
            state = .exchange
            begin(
                minorVersion: head.minorVersion, isHead: head.method == .head,
                keepsAlive: head.keepsAlive)
            mayUpgrade = head.asksUpgrade
            owesContinue = head.expectsContinue
            body = BodyReader(head.framing, limits: limits)
            parser = RequestParser()
            pending = .request(head)
            return consumed
        }
    }

    private mutating func parseInput(_ now: Instant) {
        let used = take(Self.parse(&parser, input, limits), now)
        // A rejection has emptied the buffer.
        if used > 0 { input.removeFirst(used) }
        noteEagerBody()
    }

    /// A client that sends the body with the head waits for no `100 Continue`.
    private mutating func noteEagerBody() {
        if case .exchange = state, !input.isEmpty { owesContinue = false }
    }

    private static func parse(
        _ parser: inout RequestParser, _ input: borrowing InputBuffer, _ limits: HTTPLimits
    ) -> RequestParser.Outcome {
        input.withSpan { span in parser.parse(span, limits: limits) }
    }

    /// Counts what a body brings; enough of it opens a new window.
    private mutating func count(_ bytes: Int, _ now: Instant) {
        owesContinue = false
        windowBytes += bytes
        if windowBytes >= limits.bodyWindowBytes {
            windowBytes = 0
            windowWaited = .zero
            since = now
        }
    }

    /// Throws away what is left of the body; at its end the next request may come.
    private mutating func discard(_ now: Instant) {
        while true {
            switch body.take(from: &input, ended: peerEnded) {
            case .bytes(let bytes):
                discarded += Int64(bytes.count)
                if discarded > limits.discard { return linger() }
            case .wait: return
            case .failed: return linger()
            case .end:
                state = .idle
                since = now
                if isDraining { return linger() }
                if !input.isEmpty { parseInput(now) }
                if peerEnded, case .nothing = pending { finish(.close) }
                return
            }
        }
    }
}
