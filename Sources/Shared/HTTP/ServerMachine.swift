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

    /// A connection just accepted.
    public init(limits: HTTPLimits = HTTPLimits(), now: Instant) {}

    /// Whether to read from the socket.
    public var wantsBytes: Bool { true }

    /// Whether no request is being read or answered: a server that stops may close it.
    public var isIdle: Bool { true }

    /// When to call `tick`, if nothing else happens before.
    public var deadline: Instant? { nil }

    /// Takes what the peer sent, all of it.
    public mutating func receive(_ bytes: Span<UInt8>, now: Instant) {}

    /// The peer sends no more.
    public mutating func receiveEnd(now: Instant) {}

    /// Time has passed.
    public mutating func tick(now: Instant) {}

    /// The next thing to do.
    public mutating func next(now: Instant) -> ServerEffect? { nil }

    /// The next bytes of the request's body.
    public mutating func takeBody(now: Instant) -> BodyChunk { .end }

    /// Begins the answer to the request or rejection at hand: writes its head, with Date (29 bytes,
    /// as `HTTPDate` makes them), the length or the coding, and Connection where it must be said.
    /// `length` nil: not known. Says whether the body is to be written: not for HEAD, 204, 304.
    ///
    /// Fields that were refused throw; nothing is written then, and another answer may be begun.
    public mutating func beginResponse(
        status: Status, fields: Fields, length: Int64?, date: [UInt8],
        into output: inout ByteWriter
    ) throws(SerializerError) -> Bool { true }

    /// Announces `count` bytes of the body; says how many of them to write now (fewer, when the
    /// length that was told would be exceeded; the response then ends by closing).
    public mutating func beginChunk(_ count: Int64, into output: inout ByteWriter) -> Int64 {
        count
    }

    /// Ends what `beginChunk` began.
    public mutating func endChunk(into output: inout ByteWriter) {}

    /// Ends the answer; effects may follow: the next request, an upgrade, a close.
    public mutating func finishResponse(into output: inout ByteWriter, now: Instant) {}

    /// Gives an answer up whose head was sent: the peer must not take it for whole, so the
    /// connection is closed at once.
    public mutating func abortResponse() {}

    /// The server stops: the current request's answer says `Connection: close`; idle, it closes.
    public mutating func drain() {}

    /// What came behind the request that was upgraded; once.
    public mutating func takeLeftover() -> [UInt8] { [] }
}
