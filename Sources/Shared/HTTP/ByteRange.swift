/// What a Range field asks of a representation of a known size, RFC 9110 §14.
public enum ByteRange: Sendable, Equatable {
    /// Nothing that need be heeded: no field, another unit, not well-formed, or so many ranges
    /// that they are an attack: the whole is sent (200).
    case whole
    /// These parts, not empty, in the order they were asked (206).
    case parts([Range<Int64>])
    /// Well-formed, but no byte of it exists (416).
    case notSatisfiable

    /// The most parts that are sent in one answer.
    public static let mostParts = 32

    /// What the request asks of a representation of `size` bytes whose strong tag is `eTag`.
    /// RFC 9110 §13.1.5: with an If-Range that does not name it, the whole is meant.
    public static func asked(by head: RequestHead, size: Int64, eTag: ETag?) -> ByteRange {
        guard head.method == .get, let range = head.field(.range), head.all(.range).count == 1
        else { return .whole }
        if let condition = head.field(.ifRange) {
            guard let tag = ETag(condition), let eTag, tag.matchesStrongly(eTag) else {
                return .whole
            }
        }
        return parse(range, size: size)
    }

    /// What a Range field of that value asks of `size` bytes.
    public static func parse(_ value: ArraySlice<UInt8>, size: Int64) -> ByteRange {
        let unit = value.prefix { $0 != UInt8(ascii: "=") }
        guard unit.count < value.count, Octet.equal(unit, ignoringCase: "bytes") else {
            return .whole
        }
        let specs = Octet.list(value.dropFirst(unit.count + 1))
        guard !specs.isEmpty, specs.count <= mostParts else { return .whole }
        var parts: [Range<Int64>] = []
        for spec in specs {
            guard let dash = spec.firstIndex(of: UInt8(ascii: "-")) else { return .whole }
            let first = number(spec[..<dash])
            let last = number(spec[spec.index(after: dash)...])
            switch (first, last) {
            case (.some(let first), .some(let last)):
                guard let first, let last, first <= last else { return .whole }
                if first < size { parts.append(first..<min(last, size - 1) + 1) }
            case (.some(let first), .none):
                guard let first else { return .whole }
                if first < size { parts.append(first..<size) }
            case (.none, .some(let suffix)):
                guard let suffix else { return .whole }
                if suffix > 0, size > 0 { parts.append(max(0, size - suffix)..<size) }
            case (.none, .none): return .whole
            }
        }
        if parts.isEmpty { return .notSatisfiable }
        // RFC 9110 §14.2: overlapping ranges must not make the answer larger than the thing.
        let sum = parts.reduce(0) { $0 + ($1.upperBound - $1.lowerBound) }
        return sum > size ? .whole : .parts(parts)
    }

    /// Nil without a digit; nil inside when it is no number (or one beyond 18 digits).
    private static func number(_ digits: ArraySlice<UInt8>) -> Int64?? {
        if digits.isEmpty { return .none }
        guard digits.count <= 18, digits.allSatisfy(Octet.isDigit) else { return .some(nil) }
        return digits.reduce(Int64(0)) { $0 * 10 + Int64($1 - 48) }
    }
}

/// A Content-Range field in bytes, RFC 9110 §14.4.
public struct ContentRange: Sendable, Equatable {
    /// The bytes that are sent; nil (`*`) for none.
    public let range: Range<Int64>?
    /// The size of the whole; nil (`*`) when it is not known.
    public let size: Int64?

    /// These bytes of a whole of that size.
    public init(range: Range<Int64>?, size: Int64?) {
        self.range = range
        self.size = size
    }

    /// Reads `bytes a-b/size`, with a star for what is not there; nil for anything else.
    public init?(_ value: ArraySlice<UInt8>) {
        guard value.count > 6, Octet.equal(value.prefix(6), ignoringCase: "bytes ") else {
            return nil
        }
        let rest = value.dropFirst(6)
        guard let slash = rest.firstIndex(of: UInt8(ascii: "/")) else { return nil }
        let span = rest[..<slash]
        let total = rest[(slash + 1)...]
        guard let size = Self.number(total) ?? (total.elementsEqual("*".utf8) ? -1 : nil) else {
            return nil
        }
        self.size = size < 0 ? nil : size
        if span.elementsEqual("*".utf8) {
            if size < 0 { return nil }
            range = nil
            return
        }
        guard let dash = span.firstIndex(of: UInt8(ascii: "-")),
            let first = Self.number(span[..<dash]),
            let last = Self.number(span[(dash + 1)...]), first <= last, size < 0 || last < size
        else { return nil }
        range = first..<last + 1
    }

    /// As it stands in the field.
    public var text: String {
        let span = range.map { "\($0.lowerBound)-\($0.upperBound - 1)" } ?? "*"
        return "bytes \(span)/\(size.map { String($0) } ?? "*")"
    }

    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        guard !digits.isEmpty, digits.count <= 18, digits.allSatisfy(Octet.isDigit) else {
            return nil
        }
        return digits.reduce(Int64(0)) { $0 * 10 + Int64($1 - 48) }
    }
}
