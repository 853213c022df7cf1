import Base

/// How an answer begins. What is at hand needs no task, and a task costs as much as all the rest.
public enum Beginning: Sendable {
    /// Here it is.
    case answered(Response)
    /// Somebody has to be waited for: to be run on the connection's loop.
    case waits(@Sendable () async -> Response)
    /// The same without a task: to be called once, on the connection's loop.
    case follows(AnswerStart<Response>)
}

/// Begins to find an answer, and gives it once, on the loop on which this is called; perhaps before it
/// returns.
public typealias AnswerStart<Answer> =
    @Sendable (_ give: @escaping @Sendable (Answer) -> Void) -> any PendingAnswer

/// An answer that is on its way.
public protocol PendingAnswer: Sendable {
    /// Nobody wants it any more. It may be given all the same.
    func cancel()
}

/// Answers requests; the shell calls it on the connection's loop and stays there.
public protocol Responder: Sendable {
    /// The answer, or how to get it. Never fails: what goes wrong is an answer too.
    func begin(_ request: Request) -> Beginning
    /// The answer to what was no request; the connection is closed behind it.
    func response(to rejection: RequestRejection) -> Response
}

extension Responder {
    /// The answer, however long it takes.
    public func respond(to request: Request) async -> Response {
        switch begin(request) {
        case .answered(let response): return response
        case .waits(let rest): return await rest()
        case .follows(let start):
            return await withCheckedContinuation { continuation in
                request.loop.execute {
                    _ = start { response in continuation.resume(returning: response) }
                }
            }
        }
    }

    /// The bare status.
    public func response(to rejection: RequestRejection) -> Response {
        Response(status: rejection.status)
    }
}

/// Why bytes are not accepted as a request.
public enum RequestRejection: Error, Sendable, Equatable, CaseIterable {
    /// The first line is not method, target, version.
    case badRequestLine
    /// The target is of a form that is not served, or malformed.
    case badTarget
    /// A field line breaks the grammar: blanks before the colon, folding, a control character.
    case badField
    /// A line ends otherwise than by CR LF.
    case badLineEnd
    /// Host is missing, there twice, or malformed.
    case badHost
    /// Content-Length is no number, or there are several.
    case badContentLength
    /// Content-Length and Transfer-Encoding, or a Transfer-Encoding in HTTP/1.0.
    case ambiguousLength
    /// A Transfer-Encoding other than exactly `chunked`.
    case unknownTransferCoding
    /// An Expect other than `100-continue`.
    case unknownExpectation
    /// The head has more bytes or fields than the limits.
    case headTooLarge
    /// Neither HTTP/1.1 nor HTTP/1.0.
    case version
    /// The head did not come in time.
    case timeout

    /// What the answer to it says.
    public var status: Status {
        switch self {
        case .badRequestLine, .badTarget, .badField, .badLineEnd, .badHost, .badContentLength,
            .ambiguousLength:
            .badRequest
        case .unknownTransferCoding: .notImplemented
        case .unknownExpectation: .expectationFailed
        case .headTooLarge: .requestHeaderFieldsTooLarge
        case .version: .versionNotSupported
        case .timeout: .requestTimeout
        }
    }
}

/// What makes a request's connection a WebSocket.
///
/// The shell calls `Handshake.answer(to:subprotocol:)` with the request's head, sends what that gives,
/// and only when the status is 101 makes the receiver and feeds a `WebSocketMachine`.
public struct WebSocketUpgrade: Sendable {
    /// The subprotocol that was chosen among those the client offers; nil for none.
    public let subprotocol: String?
    /// Sizes and times.
    public let limits: WebSocketLimits
    /// Makes the receiver, once, on the connection's loop, before the first message.
    public let receiver: @Sendable (any WebSocketSink) -> any MessageReceiver

    /// An upgrade of these parts.
    public init(
        subprotocol: String?, limits: WebSocketLimits = WebSocketLimits(),
        receiver: @escaping @Sendable (any WebSocketSink) -> any MessageReceiver
    ) {
        self.subprotocol = subprotocol
        self.limits = limits
        self.receiver = receiver
    }
}

/// Hears a WebSocket. Everything is called synchronously on the connection's loop; an actor
/// pinned to that loop implements it with `assumeIsolated`.
public protocol MessageReceiver: Sendable {
    /// A whole text message; it is UTF-8.
    func received(text: [UInt8])
    /// A whole binary message.
    func received(binary: [UInt8])
    /// All that waited has been written, after `pending` had grown beyond the limits.
    func writable()
    /// The socket is over; called exactly once, last.
    func closed(_ code: CloseCode)
}

/// Sends on a WebSocket. Call it on the connection's loop only; after `closed` it does nothing.
public protocol WebSocketSink: Sendable {
    /// The loop that owns the connection.
    var loop: any LoopExecutor { get }
    /// The peer's address.
    var client: IPAddress { get }
    /// Bytes accepted and not yet given to the kernel.
    var pending: Int { get }
    /// Sends a text message; it must be UTF-8.
    func send(text: [UInt8])
    /// Sends a binary message.
    func send(binary: [UInt8])
    /// Sends frames that `FrameSerializer` made without a mask; shared, written without a copy
    /// where possible. Only on the server's side.
    func send(framed: [ArraySlice<UInt8>])
    /// Begins the closing handshake.
    func close(_ code: CloseCode, reason: String)
}

/// What makes a request's connection a stream of bytes both ways, after a 101 with the
/// response's own fields: how an upgrade is passed through.
public struct Tunnel: Sendable {
    /// Makes the receiver, once, on the connection's loop, before the first byte.
    public let receiver: @Sendable (any TunnelSink) -> any TunnelReceiver

    /// A tunnel whose bytes go to what `receiver` makes.
    public init(receiver: @escaping @Sendable (any TunnelSink) -> any TunnelReceiver) {
        self.receiver = receiver
    }
}

/// Hears a tunnel, synchronously on the connection's loop.
public protocol TunnelReceiver: Sendable {
    /// Bytes from the peer, never none.
    func received(bytes: [UInt8])
    /// All that waited has been written.
    func writable()
    /// The connection is over; called exactly once, last.
    func closed()
}

/// Sends into a tunnel; call it on the connection's loop only.
public protocol TunnelSink: Sendable {
    /// The loop that owns the connection.
    var loop: any LoopExecutor { get }
    /// Bytes accepted and not yet given to the kernel.
    var pending: Int { get }
    /// Sends bytes.
    func send(_ bytes: [UInt8])
    /// Stops or resumes reading from the peer: back-pressure.
    func setReading(_ on: Bool)
    /// Closes once all is written.
    func close()
}
