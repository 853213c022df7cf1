import Base

/// Where in a head the parts of its target are.
struct RequestTarget: Sendable, Equatable {
    var start: UInt16 = 0
    var end: UInt16 = 0
    var path: UInt16 = 0
    var pathEnd: UInt16 = 0
    var authority: UInt16 = 0
    var authorityEnd: UInt16 = 0
}

/// Reads a request's head, RFC 9112, incrementally and with its limits first.
struct RequestParser {
    enum Outcome {
        /// More bytes are needed.
        case incomplete
        /// The head, and how many bytes it took.
        case complete(RequestHead, consumed: Int)
        case rejected(RequestRejection)
    }

    private var scanner = HeadScanner()
    /// Empty lines before the request, which RFC 9112 §2.2 has a server overlook.
    private var skipped = 0

    /// Reads on in `span`, which begins with the same byte on every call until it is complete.
    mutating func parse(_ span: Span<UInt8>, limits: borrowing HTTPLimits) -> Outcome {
        while skipped < 4, skipped + 1 < span.count, span[skipped] == Octet.cr,
            span[skipped + 1] == Octet.lf
        {
            skipped += 2
        }
        if skipped < span.count, !Octet.isToken(span[skipped]),
            skipped + 1 < span.count || span[skipped] != Octet.cr
        {
            return .rejected(.badRequestLine)
        }
        if span.count - skipped < 2 { return .incomplete }
        let head = skipped == 0 ? span : span.extracting(skipped..<span.count)
        switch scanner.scan(head, limits: limits) {
        case .incomplete: return .incomplete
        case .tooLarge: return .rejected(.headTooLarge)
        case .badFirstLine: return .rejected(.badRequestLine)
        case .badField: return .rejected(.badField)
        case .badLineEnd: return .rejected(.badLineEnd)
        case .complete(let end):
            do throws(RequestRejection) {
                return .complete(try request(head), consumed: skipped + end)
            } catch {
                return .rejected(error)
            }
        }
    }

    private func request(_ span: Span<UInt8>) throws(RequestRejection) -> RequestHead {
        let lineEnd = scanner.firstLineEnd
        var index = 0
        var key: UInt64 = 0
        while index < lineEnd, Octet.isToken(span[index]) {
            key = key << 8 | UInt64(span[index])
            index += 1
        }
        guard index > 0, index < lineEnd, span[index] == Octet.space else {
            throw .badRequestLine
        }
        let method = index <= 7 ? Self.method(key) : .other
        let methodEnd = index
        let start = index + 1
        index = start
        while index < lineEnd, span[index] != Octet.space { index += 1 }
        let minor = try Self.version(span, from: index, to: lineEnd)
        guard index > start, let target = TargetParser.parse(span, start..<index) else {
            throw .badTarget
        }
        let marks = scanner.marks
        try checkHost(span, marks, minor)
        let framing = try BodyFraming.request(span, scanner, minor: minor)
        var expects = false
        if let expect = marks.expect, minor == 1 {
            guard Self.isContinue(span, scanner.slots[expect]) else { throw .unknownExpectation }
            expects = framing != .none
        }
        return RequestHead(
            bytes: span.extracting(0..<scanner.fieldsEnd).array(), slots: scanner.slots,
            method: method, minorVersion: minor, methodEnd: UInt16(methodEnd), target: target,
            framing: framing, expects: expects,
            keepsAlive: !marks.close && (minor == 1 || marks.keepAlive),
            asksUpgrade: marks.upgrade && marks.hasUpgrade && minor == 1 && framing == .none)
    }

    private static func method(_ key: UInt64) -> Method {
        switch key {
        case 0x47_4554: .get
        case 0x4845_4144: .head
        case 0x504F_5354: .post
        case 0x50_5554: .put
        case 0x44_454C_4554_45: .delete
        case 0x4F_5054_494F_4E53: .options
        case 0x50_4154_4348: .patch
        case 0x54_5241_4345: .trace
        case 0x43_4F4E_4E45_4354: .connect
        default: .other
        }
    }

    /// The minor version in ` HTTP/1.x` from `start` on.
    private static func version(
        _ span: Span<UInt8>, from start: Int, to end: Int
    ) throws(RequestRejection) -> UInt8 {
        guard end - start == 9, span.word(at: start) == versionPrefix else {
            // Another version, or no version at all?
            guard end - start >= 9, span.word(at: start) & nameMask == versionPrefix & nameMask
            else { throw .badRequestLine }
            for index in start + 6..<end where !Octet.isDigit(span[index]) {
                if span[index] != UInt8(ascii: ".") { throw .badRequestLine }
            }
            throw .version
        }
        switch span[start + 8] {
        case UInt8(ascii: "1"): return 1
        case UInt8(ascii: "0"): return 0
        case let digit where Octet.isDigit(digit): throw .version
        case _: throw .badRequestLine
        }
    }

    /// ` HTTP/1.` and the part of it before the number.
    private static let versionPrefix = UInt64(bigEndian: 0x2048_5454_502F_312E)
    private static let nameMask = UInt64(bigEndian: 0xFFFF_FFFF_FFFF_0000)

    /// RFC 9112 §3.2: exactly one Host, and well-formed; HTTP/1.0 may leave it out.
    private func checkHost(
        _ span: Span<UInt8>, _ marks: HeadScanner.Marks, _ minor: UInt8
    ) throws(RequestRejection) {
        guard let host = marks.host else {
            if minor == 0 { return }
            throw .badHost
        }
        let slot = scanner.slots[host]
        guard marks.hosts == 1,
            TargetParser.isAuthority(span, Int(slot.value)..<Int(slot.valueEnd))
        else { throw .badHost }
    }

    private static func isContinue(_ span: Span<UInt8>, _ slot: RequestHead.Slot) -> Bool {
        let value = span.extracting(Int(slot.value)..<Int(slot.valueEnd)).array()
        return Octet.equal(value[...], ignoringCase: "100-continue")
    }
}
