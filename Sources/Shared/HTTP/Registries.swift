/// A request's method, RFC 9110 §9.3 and RFC 5789.
public enum Method: UInt8, Sendable, CaseIterable {
    /// GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, TRACE, CONNECT.
    case get, head, post, put, delete, options, patch, trace, connect
    /// A token that is none of these; `RequestHead.methodBytes` has it.
    case other

    /// The name on the wire; empty for `other`.
    public var name: StaticString {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .patch: "PATCH"
        case .trace: "TRACE"
        case .connect: "CONNECT"
        case .other: ""
        }
    }
}

/// A response's status, RFC 9110 §15.
public struct Status: Sendable, Hashable {
    /// Three digits, 100 to 999.
    public let code: UInt16

    /// The status with that number, or nil when it has not three digits.
    public init?(_ code: Int) {
        guard (100...999).contains(code) else { return nil }
        self.code = UInt16(code)
    }

    init(known code: UInt16) { self.code = code }

    /// 100
    public static let `continue` = Status(known: 100)
    /// 101
    public static let switchingProtocols = Status(known: 101)
    /// 200
    public static let ok = Status(known: 200)
    /// 201
    public static let created = Status(known: 201)
    /// 204
    public static let noContent = Status(known: 204)
    /// 206
    public static let partialContent = Status(known: 206)
    /// 302
    public static let found = Status(known: 302)
    /// 304
    public static let notModified = Status(known: 304)
    /// 307
    public static let temporaryRedirect = Status(known: 307)
    /// 400
    public static let badRequest = Status(known: 400)
    /// 401
    public static let unauthorized = Status(known: 401)
    /// 403
    public static let forbidden = Status(known: 403)
    /// 404
    public static let notFound = Status(known: 404)
    /// 405
    public static let methodNotAllowed = Status(known: 405)
    /// 408
    public static let requestTimeout = Status(known: 408)
    /// 409
    public static let conflict = Status(known: 409)
    /// 412
    public static let preconditionFailed = Status(known: 412)
    /// 413
    public static let contentTooLarge = Status(known: 413)
    /// 415
    public static let unsupportedMediaType = Status(known: 415)
    /// 416
    public static let rangeNotSatisfiable = Status(known: 416)
    /// 417
    public static let expectationFailed = Status(known: 417)
    /// 426
    public static let upgradeRequired = Status(known: 426)
    /// 429
    public static let tooManyRequests = Status(known: 429)
    /// 431
    public static let requestHeaderFieldsTooLarge = Status(known: 431)
    /// 500
    public static let internalServerError = Status(known: 500)
    /// 501
    public static let notImplemented = Status(known: 501)
    /// 502
    public static let badGateway = Status(known: 502)
    /// 503
    public static let serviceUnavailable = Status(known: 503)
    /// 504
    public static let gatewayTimeout = Status(known: 504)
    /// 505
    public static let versionNotSupported = Status(known: 505)
    /// 507
    public static let insufficientStorage = Status(known: 507)

    /// 1xx: another head follows.
    public var isInformational: Bool { code < 200 }

    /// The phrase for people behind the number; empty where there is none to know.
    public var reason: StaticString {
        switch code {
        case 100: "Continue"
        case 101: "Switching Protocols"
        case 200: "OK"
        case 201: "Created"
        case 204: "No Content"
        case 206: "Partial Content"
        case 302: "Found"
        case 304: "Not Modified"
        case 307: "Temporary Redirect"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 412: "Precondition Failed"
        case 413: "Content Too Large"
        case 415: "Unsupported Media Type"
        case 416: "Range Not Satisfiable"
        case 417: "Expectation Failed"
        case 426: "Upgrade Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 502: "Bad Gateway"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        case 507: "Insufficient Storage"
        case _: ""
        }
    }
}

/// A field's name: compared without regard to case, written as it was spelled here.
public struct FieldName: Sendable, Hashable, CustomStringConvertible {
    /// As it goes onto the wire.
    public let bytes: [UInt8]
    let lowercase: [UInt8]

    /// The name spelled so, or nil when it is no token (RFC 9110 §5.6.2).
    public init?(_ text: some StringProtocol) {
        bytes = Array(text.utf8)
        guard !bytes.isEmpty, bytes.allSatisfy(Octet.isToken) else { return nil }
        lowercase = bytes.map(Octet.lowercased)
    }

    init(known text: StaticString) {
        bytes = Array(text.description.utf8)
        lowercase = bytes.map(Octet.lowercased)
    }

    /// Whether both are one name, whatever their spelling.
    public static func == (a: FieldName, b: FieldName) -> Bool { a.lowercase == b.lowercase }

    /// Hashes what `==` compares.
    public func hash(into hasher: inout Hasher) { hasher.combine(lowercase) }

    /// As it goes onto the wire.
    public var description: String { String(decoding: bytes, as: UTF8.self) }

    /// Whether these bytes spell this name in any case.
    public func matches(_ other: ArraySlice<UInt8>) -> Bool {
        guard other.count == lowercase.count else { return false }
        var index = other.startIndex
        for byte in lowercase {
            if Octet.lowercased(other[index]) != byte { return false }
            index += 1
        }
        return true
    }

    /// Accept
    public static let accept = FieldName(known: "Accept")
    /// Accept-Ranges
    public static let acceptRanges = FieldName(known: "Accept-Ranges")
    /// Access-Control-Allow-Headers
    public static let accessControlAllowHeaders = FieldName(known: "Access-Control-Allow-Headers")
    /// Access-Control-Allow-Methods
    public static let accessControlAllowMethods = FieldName(known: "Access-Control-Allow-Methods")
    /// Access-Control-Allow-Origin
    public static let accessControlAllowOrigin = FieldName(known: "Access-Control-Allow-Origin")
    /// Access-Control-Expose-Headers
    public static let accessControlExposeHeaders = FieldName(known: "Access-Control-Expose-Headers")
    /// Allow
    public static let allow = FieldName(known: "Allow")
    /// Authorization
    public static let authorization = FieldName(known: "Authorization")
    /// AVR-Accept-File: this Reil can open files of Eta itself
    public static let avrAcceptFile = FieldName(known: "AVR-Accept-File")
    /// AVR-Client: the client's own address, as Reil tells Eta
    public static let avrClient = FieldName(known: "AVR-Client")
    /// AVR-File: the path of the file that Reil is to send in place of the empty body
    public static let avrFile = FieldName(known: "AVR-File")
    /// AVR-File-Public: that file is of a public world, and may be kept open until the world changes
    public static let avrFilePublic = FieldName(known: "AVR-File-Public")
    /// AVR-Forwarded-For: the client's own address, as Reil tells a service
    public static let avrForwardedFor = FieldName(known: "AVR-Forwarded-For")
    /// AVR-Gateway, docs/client
    public static let avrGateway = FieldName(known: "AVR-Gateway")
    /// AVR-Reil-Run: which run of a Reil calls Eta
    public static let avrReilRun = FieldName(known: "AVR-Reil-Run")
    /// AVR-Request-Id: one request's id through all processes
    public static let avrRequestID = FieldName(known: "AVR-Request-Id")
    /// AVR-Signature: what proves to a service that the node speaks
    public static let avrSignature = FieldName(known: "AVR-Signature")
    /// AVR-Statement: who calls, as Reil vouches to Eta
    public static let avrStatement = FieldName(known: "AVR-Statement")
    /// AVR-Time: when Reil told a service, Unix milliseconds
    public static let avrTime = FieldName(known: "AVR-Time")
    /// AVR-User: who calls a service
    public static let avrUser = FieldName(known: "AVR-User")
    /// AVR-World: the world on another node that Reil is to read for the caller
    public static let avrWorld = FieldName(known: "AVR-World")
    /// AVR-World-Read: what Reil has read of a world that was chosen
    public static let avrWorldRead = FieldName(known: "AVR-World-Read")
    /// Cache-Control
    public static let cacheControl = FieldName(known: "Cache-Control")
    /// Connection
    public static let connection = FieldName(known: "Connection")
    /// Content-Digest, RFC 9530
    public static let contentDigest = FieldName(known: "Content-Digest")
    /// Content-Disposition
    public static let contentDisposition = FieldName(known: "Content-Disposition")
    /// Content-Length
    public static let contentLength = FieldName(known: "Content-Length")
    /// Content-Range
    public static let contentRange = FieldName(known: "Content-Range")
    /// Content-Type
    public static let contentType = FieldName(known: "Content-Type")
    /// Date
    public static let date = FieldName(known: "Date")
    /// Deprecation
    public static let deprecation = FieldName(known: "Deprecation")
    /// ETag
    public static let eTag = FieldName(known: "ETag")
    /// Expect
    public static let expect = FieldName(known: "Expect")
    /// Host
    public static let host = FieldName(known: "Host")
    /// If-Match
    public static let ifMatch = FieldName(known: "If-Match")
    /// If-None-Match
    public static let ifNoneMatch = FieldName(known: "If-None-Match")
    /// If-Range
    public static let ifRange = FieldName(known: "If-Range")
    /// Location
    public static let location = FieldName(known: "Location")
    /// Origin
    public static let origin = FieldName(known: "Origin")
    /// Range
    public static let range = FieldName(known: "Range")
    /// Referrer-Policy
    public static let referrerPolicy = FieldName(known: "Referrer-Policy")
    /// Retry-After
    public static let retryAfter = FieldName(known: "Retry-After")
    /// Sec-WebSocket-Accept
    public static let secWebSocketAccept = FieldName(known: "Sec-WebSocket-Accept")
    /// Sec-WebSocket-Key
    public static let secWebSocketKey = FieldName(known: "Sec-WebSocket-Key")
    /// Sec-WebSocket-Protocol
    public static let secWebSocketProtocol = FieldName(known: "Sec-WebSocket-Protocol")
    /// Sec-WebSocket-Version
    public static let secWebSocketVersion = FieldName(known: "Sec-WebSocket-Version")
    /// Signature, RFC 9421
    public static let signature = FieldName(known: "Signature")
    /// Signature-Input, RFC 9421
    public static let signatureInput = FieldName(known: "Signature-Input")
    /// Strict-Transport-Security
    public static let strictTransportSecurity = FieldName(known: "Strict-Transport-Security")
    /// Trailer
    public static let trailer = FieldName(known: "Trailer")
    /// Transfer-Encoding
    public static let transferEncoding = FieldName(known: "Transfer-Encoding")
    /// Upgrade
    public static let upgrade = FieldName(known: "Upgrade")
    /// User-Agent
    public static let userAgent = FieldName(known: "User-Agent")
    /// Vary
    public static let vary = FieldName(known: "Vary")
    /// X-Content-Type-Options
    public static let xContentTypeOptions = FieldName(known: "X-Content-Type-Options")
    /// X-Forwarded-For
    public static let xForwardedFor = FieldName(known: "X-Forwarded-For")
}

/// Classes of bytes that the grammar of RFC 9110 §5.6 speaks of.
enum Octet {
    static let cr: UInt8 = 13
    static let lf: UInt8 = 10
    static let space: UInt8 = 32
    static let tab: UInt8 = 9

    // One bit for each of the 128 ASCII characters that may stand in a token.
    private static let tokenLow: UInt64 = 0x03FF_6CFA_0000_0000
    private static let tokenHigh: UInt64 = 0x57FF_FFFF_C7FF_FFFE

    /// tchar, RFC 9110 §5.6.2.
    @inline(__always) static func isToken(_ byte: UInt8) -> Bool {
        let mask = byte < 64 ? tokenLow : tokenHigh
        return byte < 128 && (mask >> UInt64(byte & 63)) & 1 != 0
    }

    /// What a field's value may hold: tab, space, visible characters, and bytes above ASCII.
    @inline(__always) static func isValue(_ byte: UInt8) -> Bool {
        byte >= 32 && byte != 127 || byte == tab
    }

    @inline(__always) static func isDigit(_ byte: UInt8) -> Bool { byte &- 48 < 10 }

    @inline(__always) static func isBlank(_ byte: UInt8) -> Bool { byte == space || byte == tab }

    @inline(__always) static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- 65 < 26 ? byte | 32 : byte
    }

    /// Without the blanks at both ends.
    static func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        var bytes = bytes
        while let first = bytes.first, isBlank(first) { bytes.removeFirst() }
        while let last = bytes.last, isBlank(last) { bytes.removeLast() }
        return bytes
    }

    /// Whether these bytes spell `text` (itself in lower case) in any case.
    static func equal(_ bytes: ArraySlice<UInt8>, ignoringCase text: StaticString) -> Bool {
        guard bytes.count == text.utf8CodeUnitCount else { return false }
        return zip(bytes, text.description.utf8).allSatisfy { lowercased($0) == $1 }
    }

    /// The elements of a comma-separated list, trimmed, empty ones left out (RFC 9110 §5.6.1);
    /// commas inside quoted strings do not separate.
    static func list(_ bytes: ArraySlice<UInt8>) -> [ArraySlice<UInt8>] {
        var elements: [ArraySlice<UInt8>] = []
        var start = bytes.startIndex
        var quoted = false
        var escaped = false
        for index in bytes.indices {
            let byte = bytes[index]
            if escaped {
                escaped = false
            } else if quoted {
                if byte == UInt8(ascii: "\\") { escaped = true }
                if byte == UInt8(ascii: "\"") { quoted = false }
            } else if byte == UInt8(ascii: "\"") {
                quoted = true
            } else if byte == UInt8(ascii: ",") {
                elements.append(trimmed(bytes[start..<index]))
                start = index + 1
            }
        }
        elements.append(trimmed(bytes[start...]))
        return elements.filter { !$0.isEmpty }
    }
}
