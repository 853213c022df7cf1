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
    /// A connection just made.
    public init(limits: HTTPLimits = HTTPLimits()) {}

    /// Whether to read from the socket.
    public var wantsBytes: Bool { true }

    /// Whether a request may be begun.
    public var isIdle: Bool { true }

    /// When to call `tick`, if nothing else happens before.
    public var deadline: Instant? { nil }

    /// Writes a request's head. `fields` has Host and whatever else is said, without the framing;
    /// `length` is the body's: 0 for none, nil for not known (chunked). With `upgrade` the fields
    /// have Connection and Upgrade, and 101 is an answer.
    public mutating func beginRequest(
        method: Method, target: [UInt8], fields: Fields, length: Int64?,
        expectContinue: Bool = false, upgrade: Bool = false, now: Instant,
        into output: inout ByteWriter
    ) throws(SerializerError) {}

    /// Announces `count` bytes of the request's body; says how many of them to write now.
    public mutating func beginChunk(_ count: Int64, into output: inout ByteWriter) -> Int64 {
        count
    }

    /// Ends what `beginChunk` began.
    public mutating func endChunk(into output: inout ByteWriter) {}

    /// Ends the request. False when the body was shorter than told: close the connection.
    public mutating func finishRequest(into output: inout ByteWriter, now: Instant) -> Bool { true }

    /// Takes what the server sent, all of it.
    public mutating func receive(_ bytes: Span<UInt8>, now: Instant) {}

    /// The server sends no more.
    public mutating func receiveEnd(now: Instant) {}

    /// Time has passed.
    public mutating func tick(now: Instant) {}

    /// The next thing to do.
    public mutating func next(now: Instant) -> ClientEffect? { nil }

    /// The next bytes of the response's body.
    public mutating func takeBody(now: Instant) -> BodyChunk { .end }

    /// What came behind a 101; once.
    public mutating func takeLeftover() -> [UInt8] { [] }
}
