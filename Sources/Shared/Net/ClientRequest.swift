import Base
import Crypto
import HTTP

/// What is asked of another server.
public struct ClientRequest: Sendable {
    /// The method.
    public var method: Method
    /// Whether to speak TLS.
    public var secure: Bool
    /// A name, or an address (of version 6 with or without brackets).
    public var host: String
    /// The port.
    public var port: UInt16
    /// Path and query as they go on the wire.
    public var target: [UInt8]
    /// The fields, without those of framing; Host is added where it is missing.
    public var fields: Fields
    /// The body.
    public var body: ClientBody
    /// How long each part may take.
    public var deadlines = Deadlines()
    /// Where the connection may go; nil: anywhere, which is for addresses of our own configuration.
    public var outbound: OutboundGuard?

    /// A request of these parts.
    public init(
        _ method: Method, secure: Bool = false, host: String, port: UInt16, target: [UInt8],
        fields: Fields = Fields(), body: ClientBody = .none, deadlines: Deadlines = Deadlines(),
        outbound: OutboundGuard? = nil
    ) {
        self.method = method
        self.secure = secure
        self.host = host
        self.port = port
        self.target = target
        self.fields = fields
        self.body = body
        self.deadlines = deadlines
        self.outbound = outbound
    }

    /// RFC 9110 §9.2.2, and a body that can be sent again.
    var isRepeatable: Bool {
        if case .stream = body { return false }
        switch method {
        case .get, .head, .put, .delete, .options, .trace: return true
        case .post, .patch, .connect, .other: return false
        }
    }

    /// The fields with Host, RFC 9112 §3.2.
    var completeFields: Fields {
        if fields.contains(.host) { return fields }
        var complete = Fields()
        let name = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
        complete.append(.host, port == (secure ? 443 : 80) ? name : "\(name):\(port)")
        complete.append(fields)
        return complete
    }

    var peer: Peer { Peer(secure: secure, host: host, port: port, outbound: outbound) }
}

/// What is sent behind a request's head.
public enum ClientBody: Sendable {
    /// Nothing.
    case none
    /// From memory.
    case bytes([UInt8])
    /// From a source that is asked chunk by chunk; of a length that is not known, it is chunked.
    case stream(any BodySource, length: Int64?)

    var length: Int64? {
        switch self {
        case .none: 0
        case .bytes(let bytes): Int64(bytes.count)
        case .stream(_, let length): length
        }
    }
}

/// How long the parts of an exchange may take.
public struct Deadlines: Sendable, Hashable {
    /// Name, connection and TLS handshake together.
    public var connect: Duration
    /// From the request's last byte to the response's head.
    public var firstByte: Duration
    /// All of it, to the last byte of the response; nil for transfers of any size, which are watched
    /// for progress alone.
    public var whole: Duration?

    /// The contract's, unless told otherwise.
    public init(
        connect: Duration = .seconds(3), firstByte: Duration = .seconds(5),
        whole: Duration? = .seconds(15)
    ) {
        self.connect = connect
        self.firstByte = firstByte
        self.whole = whole
    }
}

/// What another server answered.
public struct ClientResponse: Sendable {
    /// First line and fields.
    public let head: ResponseHead
    /// The body, if it was short and came whole with the head.
    let whole: [UInt8]?
    /// The body, if it comes behind the head.
    let rest: (any BodySource)?

    /// The status.
    public var status: Status { head.status }
    /// The fields as they came.
    public var fields: Fields { head.fields }
    /// The body's length; nil when only its end tells.
    public var bodyLength: Int64? { head.bodyLength }

    /// The body; let go of unread, the connection is closed.
    public var body: any BodySource { rest ?? BytesBody(whole ?? []) }

    /// All of the body, if it is at most `limit` bytes.
    public func collect(limit: Int) async throws(ClientError) -> [UInt8] {
        if let whole {
            guard whole.count <= limit else { throw .body(.tooLarge) }
            return whole
        }
        if let length = bodyLength, length > Int64(limit) { throw .body(.tooLarge) }
        do throws(BodyError) {
            return try await body.collect(limit: limit)
        } catch {
            throw .body(error)
        }
    }
}

/// Why there is no response, or not all of it.
public enum ClientError: Error, Sendable, Equatable {
    /// What did not end within its deadline.
    public enum Phase: Sendable, Equatable {
        case connect, firstByte, whole
    }

    /// The name has no address.
    case unresolved(ResolveError)
    /// No address of the name may be connected to.
    case addressRefused
    /// Nobody accepts connections there.
    case unreachable(SystemError)
    /// The TLS handshake failed.
    case tls(TLSError)
    /// TLS was asked of a client that has no configuration for it.
    case tlsNotConfigured
    /// Too slow.
    case timedOut(Phase)
    /// The server closed before it answered.
    case closed
    /// What came is no HTTP.
    case malformed
    /// The response's head is larger than the limits.
    case headTooLarge
    /// Too many requests wait for that server already.
    case overloaded
    /// The request cannot be written: a field or the target would break its head.
    case refusedField
    /// The request's own body failed.
    case requestBody
    /// The response's body failed.
    case body(BodyError)
    /// The upgrade was answered by another status.
    case upgradeRefused(Status)
    /// A 101 whose fields do not fit what was asked.
    case badHandshake
    /// Whoever asked does not want to know any more.
    case cancelled

    init(_ failure: ClientFailure) {
        switch failure {
        case .closedBeforeResponse, .closedInHead: self = .closed
        case .malformed: self = .malformed
        case .headTooLarge: self = .headTooLarge
        case .timeout: self = .timedOut(.firstByte)
        }
    }
}

/// Whom connections are kept to.
struct Peer: Sendable, Hashable {
    let secure: Bool
    let host: String
    let port: UInt16
    /// A connection that was opened unguarded never serves a guarded request.
    let outbound: OutboundGuard?
}
