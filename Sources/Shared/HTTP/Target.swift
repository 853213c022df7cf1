import Base

/// A request's target, RFC 9112 §3.2: origin-form, and absolute-form as every server must take it.
enum TargetParser {
    /// Finds the parts of the target in `span[range]`, or nil when it is of another form or
    /// malformed: a fragment, a character that is not ASCII, a broken escape, an escape of NUL or
    /// of what is not UTF-8 in the path.
    static func parse(_ span: Span<UInt8>, _ range: Range<Int>) -> RequestTarget? {
        var target = RequestTarget()
        target.start = UInt16(range.lowerBound)
        target.end = UInt16(range.upperBound)
        var index = range.lowerBound
        if span[index] != UInt8(ascii: "/") {
            guard let authority = authority(span, range) else { return nil }
            target.authority = UInt16(authority.lowerBound)
            target.authorityEnd = UInt16(authority.upperBound)
            index = authority.upperBound
        }
        target.path = UInt16(index)
        var escapes = false
        while index < range.upperBound, span[index] != UInt8(ascii: "?") {
            let byte = span[index]
            guard byte &- 33 < 94, byte != UInt8(ascii: "#") else { return nil }
            if byte == UInt8(ascii: "%") { escapes = true }
            index += 1
        }
        target.pathEnd = UInt16(index)
        if escapes, !pathEscapesAreSound(span, Int(target.path)..<index) { return nil }
        while index < range.upperBound {
            let byte = span[index]
            guard byte &- 33 < 94, byte != UInt8(ascii: "#") else { return nil }
            if byte == UInt8(ascii: "%") {
                guard index + 2 < range.upperBound, isHex(span[index + 1]), isHex(span[index + 2])
                else { return nil }
            }
            index += 1
        }
        return target
    }

    /// Whether it is `host` or `host:port` as RFC 3986 §3.2 has them, without user information.
    static func isAuthority(_ span: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard !range.isEmpty else { return false }
        var index = range.lowerBound
        if span[index] == UInt8(ascii: "[") {
            index += 1
            let start = index
            while index < range.upperBound, isAddress(span[index]) { index += 1 }
            guard index > start, index < range.upperBound, span[index] == UInt8(ascii: "]") else {
                return false
            }
            index += 1
        } else {
            while index < range.upperBound, isName(span[index]) { index += 1 }
            if index == range.lowerBound { return false }
        }
        if index == range.upperBound { return true }
        guard span[index] == UInt8(ascii: ":"), range.upperBound - index <= 6 else { return false }
        index += 1
        while index < range.upperBound, Octet.isDigit(span[index]) { index += 1 }
        return index == range.upperBound
    }

    /// The authority of an absolute-form of http or https.
    private static func authority(_ span: Span<UInt8>, _ range: Range<Int>) -> Range<Int>? {
        var index = range.lowerBound
        for scheme in ["https://", "http://"] as [StaticString] {
            let text = scheme.description.utf8
            guard range.count > text.count,
                zip(text, range).allSatisfy({ Octet.lowercased(span[$1]) == $0 })
            else { continue }
            index += text.count
            break
        }
        guard index > range.lowerBound else { return nil }
        let start = index
        while index < range.upperBound, span[index] != UInt8(ascii: "/"),
            span[index] != UInt8(ascii: "?")
        {
            index += 1
        }
        return isAuthority(span, start..<index) ? start..<index : nil
    }

    private static func pathEscapesAreSound(_ span: Span<UInt8>, _ range: Range<Int>) -> Bool {
        guard let text = Percent.decode(span.extracting(range).array()) else { return false }
        return !text.utf8.contains(0)
    }

    private static func isHex(_ byte: UInt8) -> Bool { Hex.value(byte) != nil }

    private static func isAddress(_ byte: UInt8) -> Bool {
        isHex(byte) || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".")
    }

    /// unreserved, sub-delims and the escapes of a reg-name.
    private static func isName(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"),
            UInt8(ascii: "%"), UInt8(ascii: "!"), UInt8(ascii: "$"), UInt8(ascii: "&"),
            UInt8(ascii: "'"), UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: "*"),
            UInt8(ascii: "+"), UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "="):
            true
        case _: false
        }
    }
}

/// A query's `name=value` pairs, decoded.
public struct Query: Sendable, Equatable {
    /// One pair; without an equals sign the value is empty.
    public struct Pair: Sendable, Equatable {
        /// The name.
        public let name: String
        /// The value.
        public let value: String
    }

    /// More than any endpoint has; as many as a head may have fields.
    public static let limit = 100

    /// The pairs in their order, at most `limit`; names may come more than once.
    public let pairs: [Pair]

    /// The pairs in the bytes after the question mark: `application/x-www-form-urlencoded`, where a
    /// plus is a space. Nil for a broken escape, for NUL, for what is not UTF-8, and for too many.
    public init?(_ bytes: ArraySlice<UInt8>) {
        var pairs: [Pair] = []
        for part in bytes.split(separator: UInt8(ascii: "&")) {
            guard pairs.count < Self.limit else { return nil }
            let equals = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            guard let name = Percent.decode(part[..<equals], plusIsSpace: true),
                let value = Percent.decode(part[equals...].dropFirst(), plusIsSpace: true),
                !name.utf8.contains(0), !value.utf8.contains(0)
            else { return nil }
            pairs.append(Pair(name: name, value: value))
        }
        self.pairs = pairs
    }

    /// The value of the first pair of that name.
    public subscript(_ name: String) -> String? { pairs.first { $0.name == name }?.value }
}
