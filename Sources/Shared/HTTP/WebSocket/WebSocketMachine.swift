import Base

/// What a WebSocket's shell has to do next.
public enum WebSocketEffect: Sendable, Equatable {
    /// A whole text message, checked to be UTF-8.
    case text([UInt8])
    /// A whole binary message.
    case binary([UInt8])
    /// The socket is over: tell the receiver. No message follows.
    case closed(CloseCode, reason: String)
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

    /// An end whose handshake is done. `random` makes a client's masks.
    public init(
        role: Role, limits: WebSocketLimits = WebSocketLimits(),
        random: any RandomSource = SystemRandom(), now: Instant
    ) {}

    /// Whether messages may be sent: no close was sent or received.
    public var isOpen: Bool { true }

    /// When to call `tick`, if nothing else happens before.
    public var deadline: Instant? { nil }

    /// Takes what the peer sent, all of it.
    public mutating func receive(_ bytes: Span<UInt8>, now: Instant) {}

    /// The peer sends no more, or is gone.
    public mutating func receiveEnd(now: Instant) {}

    /// Time has passed.
    public mutating func tick(now: Instant, into output: inout ByteWriter) {}

    /// The next thing to do.
    public mutating func next(now: Instant, into output: inout ByteWriter) -> WebSocketEffect? {
        nil
    }

    /// Appends a text message, which must be UTF-8; nothing unless `isOpen`.
    public mutating func send(text: [UInt8], into output: inout ByteWriter) {}

    /// Appends a binary message; nothing unless `isOpen`.
    public mutating func send(binary: [UInt8], into output: inout ByteWriter) {}

    /// Appends a ping of its own; nothing unless `isOpen`.
    public mutating func ping(_ payload: [UInt8] = [], into output: inout ByteWriter) {}

    /// Begins the closing handshake; nothing unless `isOpen`. The reason is cut to 123 bytes.
    public mutating func close(
        _ code: CloseCode, reason: String = "", now: Instant, into output: inout ByteWriter
    ) {}
}
