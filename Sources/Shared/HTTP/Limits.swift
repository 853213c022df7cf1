import Base

/// How much a peer may ask of a connection: sizes, and times to wait.
///
/// The contract fixes the head's (16 KiB, 100 fields); the others guard memory and sockets.
public struct HTTPLimits: Sendable, Equatable {
    /// Bytes of a head, its first line included; at most 65,535, as positions in it are 16 bit.
    public var head = 16 * 1_024
    /// Fields of a head.
    public var fields = 100
    /// Bytes kept beyond the request that is being answered: pipelined requests, unread body.
    public var readAhead = 64 * 1_024
    /// Bytes of an unread body that are thrown away to keep the connection; more closes it.
    public var discard: Int64 = 256 * 1_024
    /// Bytes of chunk extensions in all of a body; they are read and dropped.
    public var chunkExtensions = 16 * 1_024
    /// Bytes of the fields after the last chunk; they are read and dropped.
    public var trailers = 8 * 1_024
    /// From a head's first byte to its last.
    public var headTime = Duration.seconds(10)
    /// A body that is waited for must bring `bodyWindowBytes` in each such window.
    public var bodyWindow = Duration.seconds(10)
    /// What a body must bring in each window of `bodyWindow`.
    public var bodyWindowBytes = 2_560
    /// A kept connection may be silent between requests for so long.
    public var idleTime = Duration.seconds(75)
    /// How long a peer may take to see our close while it still sends.
    public var lingerTime = Duration.seconds(2)
    /// How much it may send meanwhile: what is not read makes the kernel reset the connection, and
    /// the peer may lose the answer that tells it why. Above the largest JSON body with some to spare.
    public var lingerBytes: Int64 = 4 * 1_024 * 1_024
    /// A peer may read nothing of what waits for it for so long; the shell's to watch.
    public var sendTime = Duration.seconds(30)
    /// ClientMachine: from the request's last byte to the response's head.
    public var responseTime = Duration.seconds(30)

    /// The limits above.
    public init() {}
}

/// How much a peer may ask of a WebSocket.
public struct WebSocketLimits: Sendable, Equatable {
    /// Bytes of a message, all its fragments together; more is close code 1009.
    public var message: Int
    /// Frames of one message; more is close code 1009, as each costs work however small it is.
    public var fragments = 1_024
    /// Silence after which a ping is sent; the second one unanswered closes. Zero: never.
    public var pingInterval = Duration.seconds(20)
    /// How long the peer may take to answer a close.
    public var closeTime = Duration.seconds(5)
    /// Bytes that may wait to be written before the sink's owner should hold back or give up.
    public var pending = 1_024 * 1_024

    /// Limits with that cap on messages, docs/client: 64 KiB for clients.
    public init(message: Int = 64 * 1_024) { self.message = message }
}
