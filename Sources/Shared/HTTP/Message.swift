import Base

/// A request's first line and fields: one copy of the bytes as they came, and where in it the
/// parts are. Nothing is turned into text before somebody asks. A class, since it passes through
/// many hands on the way to its handler, and two arrays would be counted at each.
public final class RequestHead: Sendable {
    /// Where a field's name and value are in `bytes`.
    struct Slot: Sendable, Equatable {
        var name: UInt16
        var nameEnd: UInt16
        var value: UInt16
        var valueEnd: UInt16
    }

    /// The head from its first byte to the last of its last field line.
    public let bytes: [UInt8]
    let slots: [Slot]
    /// The method.
    public let method: Method
    /// The minor version: HTTP/1.0 or HTTP/1.1.
    public let minorVersion: UInt8
    let methodEnd: UInt16
    let target: RequestTarget
    let framing: RequestFraming

    init(
        bytes: [UInt8], slots: [Slot], method: Method, minorVersion: UInt8, methodEnd: UInt16,
        target: RequestTarget, framing: RequestFraming, expects: Bool, keepsAlive: Bool,
        asksUpgrade: Bool
    ) {
        self.bytes = bytes
        self.slots = slots
        self.method = method
        self.minorVersion = minorVersion
        self.methodEnd = methodEnd
        self.target = target
        self.framing = framing
        self.expects = expects
        self.keepsAlive = keepsAlive
        self.asksUpgrade = asksUpgrade
    }

    /// The method's name as it came.
    public var methodBytes: ArraySlice<UInt8> { bytes[..<Int(methodEnd)] }

    /// The target as it came.
    public var targetBytes: ArraySlice<UInt8> { bytes[Int(target.start)..<Int(target.end)] }

    /// The target's path, still percent-encoded; it begins with a slash.
    public var path: ArraySlice<UInt8> {
        // An absolute target may have none, which means the root (RFC 9110 §4.2.3).
        target.path == target.pathEnd
            ? [UInt8(ascii: "/")] : bytes[Int(target.path)..<Int(target.pathEnd)]
    }

    /// What follows the question mark, still percent-encoded; nil without one.
    public var query: ArraySlice<UInt8>? {
        target.pathEnd < target.end ? bytes[Int(target.pathEnd) + 1..<Int(target.end)] : nil
    }

    /// The host that is asked: of an absolute target, else of the Host field; nil only in HTTP/1.0.
    public var authority: ArraySlice<UInt8>? {
        target.authorityEnd > target.authority
            ? bytes[Int(target.authority)..<Int(target.authorityEnd)] : field(.host)
    }

    /// How many fields there are.
    public var fieldCount: Int { slots.count }

    /// The value of the first field of that name.
    public func field(_ name: FieldName) -> ArraySlice<UInt8>? {
        for slot in slots where slot.nameEnd - slot.name == name.lowercase.count {
            if name.matches(bytes[Int(slot.name)..<Int(slot.nameEnd)]) {
                return bytes[Int(slot.value)..<Int(slot.valueEnd)]
            }
        }
        return nil
    }

    /// The value of the first field of that name as text; bytes that are not UTF-8 are repaired.
    public func text(_ name: FieldName) -> String? {
        field(name).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The values of all fields of that name.
    public func all(_ name: FieldName) -> [ArraySlice<UInt8>] {
        slots.compactMap { slot in
            name.matches(bytes[Int(slot.name)..<Int(slot.nameEnd)])
                ? bytes[Int(slot.value)..<Int(slot.valueEnd)] : nil
        }
    }

    /// The elements of the comma-separated lists under that name, RFC 9110 §5.6.1.
    public func list(_ name: FieldName) -> [ArraySlice<UInt8>] { all(name).flatMap(Octet.list) }

    /// Name and value of the field at `index`, in the order they came.
    public func field(at index: Int) -> (name: ArraySlice<UInt8>, value: ArraySlice<UInt8>) {
        let slot = slots[index]
        return (
            bytes[Int(slot.name)..<Int(slot.nameEnd)], bytes[Int(slot.value)..<Int(slot.valueEnd)]
        )
    }

    /// All fields as they came, for passing on; without those that concern this connection alone
    /// (RFC 9110 §7.6.1: Connection and what it names, Transfer-Encoding, Upgrade and so on), and
    /// without those of `others`. There is room for `extra` bytes behind them.
    public func endToEndFields(without others: [FieldName] = [], extra: Int = 0) -> Fields {
        let named = Hop.named(list(.connection))
        var fields = Fields()
        fields.block.reserveCapacity(bytes.count + extra)
        for slot in slots {
            let name = bytes[Int(slot.name)..<Int(slot.nameEnd)]
            if Hop.isEndToEnd(name, named), !others.contains(where: { $0.matches(name) }) {
                fields.append(parsed: name, bytes[Int(slot.value)..<Int(slot.valueEnd)])
            }
        }
        return fields
    }

    /// How long the body is: 0 for none, nil when its end shows only by its chunks.
    public var bodyLength: Int64? {
        switch framing {
        case .none: 0
        case .length(let length): length
        case .chunked: nil
        }
    }

    /// Whether the client waits for `100 Continue` before it sends the body.
    public var expectsContinue: Bool { expects }
    let expects: Bool
    /// Whether the client allows a further request on this connection.
    let keepsAlive: Bool
    /// Whether `Connection: upgrade` and an Upgrade field are there.
    public let asksUpgrade: Bool
}

/// Fields that concern one connection, not the message: a gateway never passes them on.
enum Hop {
    private static let names: [FieldName] = [
        .connection, .transferEncoding, .upgrade, .trailer, .expect, .contentLength,
        FieldName(known: "Keep-Alive"), FieldName(known: "Proxy-Connection"),
        FieldName(known: "Proxy-Authorization"), FieldName(known: "Proxy-Authenticate"),
        FieldName(known: "TE"),
    ]
    /// A bit for each length that one of them has, which most fields have not.
    private static let lengths: UInt32 = names.reduce(0) { $0 | 1 << UInt32($1.lowercase.count) }

    /// The fields that the elements of a Connection field name.
    static func named(_ elements: [ArraySlice<UInt8>]) -> [FieldName] {
        elements.compactMap { FieldName(String(decoding: $0, as: UTF8.self)) }
    }

    /// Whether a gateway passes a field on.
    static func isEndToEnd(_ name: ArraySlice<UInt8>, _ named: [FieldName]) -> Bool {
        if name.count < 32, lengths >> UInt32(name.count) & 1 != 0,
            names.contains(where: { $0.matches(name) })
        {
            return false
        }
        return named.isEmpty || !named.contains { $0.matches(name) }
    }
}

/// A response's first line and fields, as a client gets them.
public struct ResponseHead: Sendable {
    /// The status.
    public let status: Status
    /// The fields as they came.
    public let fields: Fields
    /// How long the body is: 0 for none, nil when only its end tells.
    public let bodyLength: Int64?
    /// What Content-Length says, also where there is no body: an answer to HEAD, 304.
    public let declaredLength: Int64?
    let minorVersion: UInt8
    let keepsAlive: Bool
    let framing: BodyReader.Framing

    /// The fields without those that concern this connection alone, for passing on; and without
    /// Date where the answer gets one of its own.
    public func endToEndFields(withDate: Bool = true) -> Fields {
        let named = Hop.named(fields.list(.connection))
        return fields.keeping { name in
            Hop.isEndToEnd(name, named) && (withDate || !FieldName.date.matches(name))
        }
    }
}

/// What a responder is given: a request whose body is read by asking for it.
public final class Request: Sendable {
    /// First line and fields.
    public let head: RequestHead
    /// The body; not read, it is thrown away or the connection closed.
    public let body: any BodySource
    /// The client's address, as the socket has it.
    public let client: IPAddress
    /// Whether it came through TLS.
    public let secure: Bool
    /// A number of its own among this process's requests.
    public let id: UInt64
    /// When its head was complete.
    public let received: Instant
    /// The loop on which it is answered.
    public let loop: any LoopExecutor

    /// A request of these parts.
    public init(
        head: RequestHead, body: any BodySource, client: IPAddress, secure: Bool, id: UInt64,
        received: Instant, loop: any LoopExecutor
    ) {
        self.head = head
        self.body = body
        self.client = client
        self.secure = secure
        self.id = id
        self.received = received
        self.loop = loop
    }

    /// The body's length: 0 for none, nil when its end shows only by its chunks.
    public var bodyLength: Int64? { head.bodyLength }

    /// The same request for who reads its body again, of which `bytes` were read.
    public func with(body bytes: [UInt8]) -> Request {
        Request(
            head: head, body: BytesBody(bytes), client: client, secure: secure, id: id,
            received: received, loop: loop)
    }
}

/// What a responder gives back.
public struct Response: Sendable {
    /// The status.
    public var status: Status
    /// The fields, without those of framing and Date: these are the machine's.
    public var fields: Fields
    /// Fields that every answer of the server has, as a block of its own that no answer copies.
    public var common = Fields()
    /// The body.
    public var body: ResponseBody
    /// What the access log may show of the target (credentials removed); nil: all of it.
    public var accessTarget: [UInt8]?
    /// The request's id, where another process gave it one.
    public var requestID: UInt64?
    /// Where the answer is counted; nil: among those without a route.
    public var route: RouteMetrics?

    /// A response of these parts.
    public init(
        status: Status, fields: Fields = Fields(), body: ResponseBody = .none,
        accessTarget: [UInt8]? = nil
    ) {
        self.status = status
        self.fields = fields
        self.body = body
        self.accessTarget = accessTarget
    }
}

/// Where a response's bytes come from.
public enum ResponseBody: Sendable {
    /// Nowhere: it has none.
    case none
    /// From memory.
    case bytes([UInt8])
    /// From an open file, by `sendfile` where there is no TLS.
    case file(FileSlice)
    /// From a source that is asked chunk by chunk; of a length that is not known, it is chunked.
    case stream(any BodySource, length: Int64?)
    /// None: the connection becomes a WebSocket (status 101, or the handshake's refusal).
    case webSocket(WebSocketUpgrade)
    /// None: with status 101 the connection becomes a stream of bytes both ways.
    case tunnel(Tunnel)

    /// How many bytes it has; nil when that is not known.
    public var length: Int64? {
        switch self {
        case .none, .webSocket, .tunnel: 0
        case .bytes(let bytes): Int64(bytes.count)
        case .file(let slice): slice.length
        case .stream(_, let length): length
        }
    }
}

/// Parts of an open file, with bytes between them (as multipart/byteranges has).
public struct FileSlice: Sendable {
    /// One part.
    public enum Piece: Sendable, Equatable {
        /// Bytes from memory.
        case bytes([UInt8])
        /// Bytes of the file.
        case range(Range<Int64>)
    }

    /// Keeps the file open as long as it is referred to.
    public let file: any OpenFile
    /// What is sent, in this order.
    public let pieces: [Piece]

    /// These parts of `file`.
    public init(file: any OpenFile, pieces: [Piece]) {
        self.file = file
        self.pieces = pieces
    }

    /// How many bytes it is in all.
    public var length: Int64 {
        pieces.reduce(0) { sum, piece in
            switch piece {
            case .bytes(let bytes): sum + Int64(bytes.count)
            case .range(let range): sum + (range.upperBound - range.lowerBound)
            }
        }
    }
}

/// Why a body ended before its end.
public enum BodyError: Error, Sendable, Equatable {
    /// The peer closed before the last byte.
    case closed
    /// It has more bytes than were allowed.
    case tooLarge
    /// It came slower than the limits allow.
    case tooSlow
    /// Its chunks are malformed.
    case malformed
    /// The place it is read from failed (a file, an upstream).
    case failed
}

/// Bytes that are pulled: nothing is read from the peer faster than somebody asks.
public protocol BodySource: Sendable {
    /// The next bytes, never empty; nil at the end. One call at a time.
    func next() async throws(BodyError) -> [UInt8]?
}

extension BodySource {
    /// All the bytes there are, if they are at most `limit`.
    public func collect(limit: Int) async throws(BodyError) -> [UInt8] {
        var all: [UInt8] = []
        while let chunk = try await next() {
            guard chunk.count <= limit - all.count else { throw BodyError.tooLarge }
            if all.isEmpty { all = chunk } else { all.append(contentsOf: chunk) }
        }
        return all
    }
}

/// A body that is at hand, in one piece.
public final class BytesBody: BodySource {
    private let bytes: Lock<[UInt8]>

    /// A body of these bytes.
    public init(_ bytes: [UInt8]) { self.bytes = Lock(bytes) }

    /// All of it, once.
    public func next() async throws(BodyError) -> [UInt8]? {
        bytes.withLock { bytes in
            defer { bytes = [] }
            return bytes.isEmpty ? nil : bytes
        }
    }
}

/// A body without a byte.
public struct EmptyBody: BodySource {
    /// A body without a byte.
    public init() {}

    /// Nil at once.
    public func next() async throws(BodyError) -> [UInt8]? { nil }
}

/// What a machine says when a body's next bytes are asked for.
public enum BodyChunk: Sendable, Equatable {
    /// The next bytes, at least one.
    case bytes([UInt8])
    /// There is none yet: read from the socket, and ask again after `.bodyReady`.
    case wait
    /// That was all.
    case end
    /// It will never be complete.
    case failed(BodyError)
}
