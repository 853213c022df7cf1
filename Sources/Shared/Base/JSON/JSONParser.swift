/// Reads JSON as RFC 8259 has it and no other: UTF-8 without a byte order mark, unique keys,
/// whole surrogate pairs, numbers that fit.
public enum JSONParser {
    /// The deepest nesting that may be asked for: each level is a call of the parser.
    public static let deepest = 512

    /// Reads the one value that `bytes` hold, with at most `depth` levels of lists and objects.
    public static func parse(
        _ bytes: [UInt8], depth: Int = 64
    ) throws(JSONError) -> JSONValue {
        try parse(bytes.span, depth: depth)
    }

    /// Reads the one value that `bytes` hold, with at most `depth` levels of lists and objects.
    public static func parse(
        _ bytes: ArraySlice<UInt8>, depth: Int = 64
    ) throws(JSONError) -> JSONValue {
        try parse(bytes.span, depth: depth)
    }

    /// Reads the one value that `span` shows, with at most `depth` levels of lists and objects.
    public static func parse(
        _ span: Span<UInt8>, depth: Int = 64
    ) throws(JSONError) -> JSONValue {
        precondition((0...deepest).contains(depth), "depth \(depth), at most \(deepest)")
        var cursor = JSONCursor()
        let value = try cursor.value(span, depth)
        cursor.skipSpace(span)
        if cursor.offset < span.count {
            throw JSONError(offset: cursor.offset, reason: .trailingBytes)
        }
        return value
    }
}

/// A position in the text; the text itself is passed to each call.
private struct JSONCursor {
    var offset = 0

    mutating func value(_ span: Span<UInt8>, _ depth: Int) throws(JSONError) -> JSONValue {
        skipSpace(span)
        guard offset < span.count else { throw fault(.unexpectedEnd) }
        switch span[offset] {
        case UInt8(ascii: "\""): return .string(try string(span))
        case UInt8(ascii: "{"): return .object(try object(span, depth))
        case UInt8(ascii: "["): return .array(try array(span, depth))
        case UInt8(ascii: "t"): return try word("true", .boolean(true), span)
        case UInt8(ascii: "f"): return try word("false", .boolean(false), span)
        case UInt8(ascii: "n"): return try word("null", .null, span)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number(span)
        case _: throw fault(.unexpectedByte)
        }
    }

    mutating func skipSpace(_ span: Span<UInt8>) {
        while offset < span.count {
            switch span[offset] {
            case 0x20, 0x0A, 0x0D, 0x09: offset += 1
            case _: return
            }
        }
    }

    private func fault(_ reason: JSONError.Reason) -> JSONError {
        JSONError(offset: offset, reason: reason)
    }

    /// The next byte behind white space, which stays.
    private mutating func peek(_ span: Span<UInt8>) throws(JSONError) -> UInt8 {
        skipSpace(span)
        guard offset < span.count else { throw fault(.unexpectedEnd) }
        return span[offset]
    }

    private mutating func word(
        _ text: StaticString, _ value: JSONValue, _ span: Span<UInt8>
    ) throws(JSONError) -> JSONValue {
        for place in 0..<text.utf8CodeUnitCount {
            guard offset < span.count else { throw fault(.unexpectedEnd) }
            // SAFETY: the constants of `value` are ASCII of that length.
            guard unsafe span[offset] == text.utf8Start[place] else { throw fault(.unexpectedByte) }
            offset += 1
        }
        return value
    }

    private mutating func array(
        _ span: Span<UInt8>, _ depth: Int
    ) throws(JSONError) -> [JSONValue] {
        guard depth > 0 else { throw fault(.tooDeep) }
        offset += 1
        var items: [JSONValue] = []
        if try peek(span) == UInt8(ascii: "]") {
            offset += 1
            return items
        }
        while true {
            items.append(try value(span, depth - 1))
            switch try peek(span) {
            case UInt8(ascii: ","): offset += 1
            case UInt8(ascii: "]"):
                offset += 1
                return items
            case _: throw fault(.unexpectedByte)
            }
        }
    }

    private mutating func object(
        _ span: Span<UInt8>, _ depth: Int
    ) throws(JSONError) -> JSONObject {
        guard depth > 0 else { throw fault(.tooDeep) }
        offset += 1
        var members: [JSONObject.Member] = []
        // Comparing each with each is fastest for a few; beyond, it would be an attack.
        var seen: Set<JSONKey> = []
        if try peek(span) == UInt8(ascii: "}") {
            offset += 1
            return JSONObject(unique: members)
        }
        while true {
            guard try peek(span) == UInt8(ascii: "\"") else { throw fault(.unexpectedByte) }
            let start = offset
            let key = try string(span)
            let known: Bool
            if members.count < 16 {
                known = members.contains { JSONKey($0.key) == JSONKey(key) }
            } else {
                if seen.isEmpty { seen = Set(members.map { JSONKey($0.key) }) }
                known = !seen.insert(JSONKey(key)).inserted
            }
            if known { throw JSONError(offset: start, reason: .duplicateKey) }
            guard try peek(span) == UInt8(ascii: ":") else { throw fault(.unexpectedByte) }
            offset += 1
            members.append(JSONObject.Member(key: key, value: try value(span, depth - 1)))
            switch try peek(span) {
            case UInt8(ascii: ","): offset += 1
            case UInt8(ascii: "}"):
                offset += 1
                return JSONObject(unique: members)
            case _: throw fault(.unexpectedByte)
            }
        }
    }

    /// A string from its opening quote on.
    private mutating func string(_ span: Span<UInt8>) throws(JSONError) -> String {
        offset += 1
        var start = offset
        // The one array that is appended to: a second reference would have it copied at each escape.
        var all: [UInt8] = []
        var isEscaped = false
        while true {
            guard offset < span.count else { throw fault(.unexpectedEnd) }
            switch span[offset] {
            case UInt8(ascii: "\""):
                let end = offset
                offset += 1
                guard isEscaped else { return try text(span, start, end) }
                append(span, start, end, to: &all)
                // What was unescaped is sound, so that any fault is in what stood there plainly;
                // where in it, nobody needs to know.
                guard let text = String(validating: all, as: UTF8.self) else {
                    throw JSONError(offset: end, reason: .badUTF8)
                }
                return text
            case UInt8(ascii: "\\"):
                isEscaped = true
                append(span, start, offset, to: &all)
                try escape(span, into: &all)
                start = offset
            case 0..<0x20: throw fault(.controlCharacter)
            default: offset += 1
            }
        }
    }

    private func append(_ span: Span<UInt8>, _ start: Int, _ end: Int, to all: inout [UInt8]) {
        for index in start..<end { all.append(span[index]) }
    }

    private func text(_ span: Span<UInt8>, _ start: Int, _ end: Int) throws(JSONError) -> String {
        do throws(UTF8.ValidationError) {
            return String(copying: try UTF8Span(validating: span.extracting(start..<end)))
        } catch {
            throw JSONError(offset: start + error.byteOffsets.lowerBound, reason: .badUTF8)
        }
    }

    /// One escape from its backslash on.
    private mutating func escape(
        _ span: Span<UInt8>, into all: inout [UInt8]
    ) throws(JSONError) {
        let start = offset
        guard offset + 1 < span.count else { throw fault(.unexpectedEnd) }
        offset += 2
        switch span[start + 1] {
        case UInt8(ascii: "\""): all.append(0x22)
        case UInt8(ascii: "\\"): all.append(0x5C)
        case UInt8(ascii: "/"): all.append(0x2F)
        case UInt8(ascii: "b"): all.append(0x08)
        case UInt8(ascii: "f"): all.append(0x0C)
        case UInt8(ascii: "n"): all.append(0x0A)
        case UInt8(ascii: "r"): all.append(0x0D)
        case UInt8(ascii: "t"): all.append(0x09)
        case UInt8(ascii: "u"):
            var code = UInt32(try unit(span))
            if (0xD800...0xDBFF).contains(code) {
                // The second half of the pair has to follow at once.
                for byte in [UInt8(ascii: "\\"), UInt8(ascii: "u")] {
                    guard offset < span.count else { throw fault(.unexpectedEnd) }
                    guard span[offset] == byte else {
                        throw JSONError(offset: start, reason: .badEscape)
                    }
                    offset += 1
                }
                let low = UInt32(try unit(span))
                guard (0xDC00...0xDFFF).contains(low) else {
                    throw JSONError(offset: start, reason: .badEscape)
                }
                code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
            }
            guard let scalar = Unicode.Scalar(code) else {
                throw JSONError(offset: start, reason: .badEscape)
            }
            all.append(contentsOf: scalar.utf8)
        case _: throw JSONError(offset: start, reason: .badEscape)
        }
    }

    private mutating func unit(_ span: Span<UInt8>) throws(JSONError) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard offset < span.count else { throw fault(.unexpectedEnd) }
            guard let digit = Hex.value(span[offset]) else { throw fault(.badEscape) }
            unit = unit << 4 | UInt16(digit)
            offset += 1
        }
        return unit
    }

    private mutating func number(_ span: Span<UInt8>) throws(JSONError) -> JSONValue {
        let start = offset
        let negative = span[offset] == UInt8(ascii: "-")
        if negative { offset += 1 }
        let first = offset
        // Counted down from zero, since the least number has no positive twin.
        var whole: Int64 = 0
        var fits = true
        while let digit = digit(span) {
            let (shifted, far) = whole.multipliedReportingOverflow(by: 10)
            let (sum, further) = shifted.subtractingReportingOverflow(Int64(digit))
            if far || further { fits = false }
            whole = sum
            offset += 1
        }
        if offset == first { throw fault(offset < span.count ? .badNumber : .unexpectedEnd) }
        if span[first] == UInt8(ascii: "0"), offset > first + 1 {
            throw JSONError(offset: first, reason: .badNumber)
        }
        var plain = true
        if offset < span.count, span[offset] == UInt8(ascii: ".") {
            plain = false
            offset += 1
            try digits(span)
        }
        if offset < span.count, span[offset] | 0x20 == UInt8(ascii: "e") {
            plain = false
            offset += 1
            if offset < span.count,
                span[offset] == UInt8(ascii: "+") || span[offset] == UInt8(ascii: "-")
            {
                offset += 1
            }
            try digits(span)
        }
        if plain, fits, negative || whole != .min {
            return .integer(negative ? whole : -whole)
        }
        guard let number = Double(try text(span, start, offset)), number.isFinite else {
            throw JSONError(offset: start, reason: .numberOutOfRange)
        }
        return .double(number)
    }

    private func digit(_ span: Span<UInt8>) -> UInt8? {
        guard offset < span.count else { return nil }
        let digit = span[offset] &- UInt8(ascii: "0")
        return digit < 10 ? digit : nil
    }

    private mutating func digits(_ span: Span<UInt8>) throws(JSONError) {
        let first = offset
        while digit(span) != nil { offset += 1 }
        if offset == first { throw fault(offset < span.count ? .badNumber : .unexpectedEnd) }
    }
}

/// A key compared by its bytes: Swift's own equality takes different spellings of one character,
/// such as `K` and the Kelvin sign, for the same.
struct JSONKey: Hashable {
    let text: String

    init(_ text: String) { self.text = text }

    static func == (a: JSONKey, b: JSONKey) -> Bool {
        a.text == b.text && a.text.utf8.elementsEqual(b.text.utf8)
    }

    func hash(into hasher: inout Hasher) {
        for byte in text.utf8 { hasher.combine(byte) }
        hasher.combine(0xFF as UInt8)
    }
}
