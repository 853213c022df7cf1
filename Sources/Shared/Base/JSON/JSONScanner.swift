/// Finds where the members of a JSON object stand without reading their values: for messages of
/// which most is passed on as it came.
///
/// What it takes the parser takes too, so that nothing is passed on which a strict reader refuses;
/// only whether numbers fit is for who reads them. The bytes must be UTF-8.
public struct JSONScanner {
    /// Where a member stands.
    public struct Member: Sendable, Equatable {
        /// The key, without its quotes and as it is written.
        public let key: Range<Int>
        /// The value, without white space around it.
        public let value: Range<Int>
    }

    /// An object whose members are known by where they stand; their keys differ.
    public struct Object: Sendable {
        private let bytes: [UInt8]
        /// All members in order.
        public let members: [Member]

        fileprivate init(_ bytes: [UInt8], _ members: [Member]) {
            self.bytes = bytes
            self.members = members
        }

        /// Where the value of `name` stands, in whatever way the key is written.
        public subscript(name: StaticString) -> Range<Int>? {
            members.first { JSONScanner.isKey(bytes, $0.key, name) }?.value
        }
    }

    private let bytes: [UInt8]
    private let end: Int
    private var offset: Int
    /// The keys of the objects that are open, those of the innermost last.
    private var keys: [Range<Int>] = []

    private init(_ bytes: [UInt8], _ range: Range<Int>) {
        self.bytes = bytes
        offset = range.lowerBound
        end = range.upperBound
        keys.reserveCapacity(16)
    }

    /// The one object that `range` of `bytes` holds.
    public static func object(
        _ bytes: [UInt8], in range: Range<Int>, depth: Int = 64
    ) throws(JSONError) -> Object {
        precondition((0...JSONParser.deepest).contains(depth), "depth \(depth)")
        var scanner = JSONScanner(bytes, range)
        guard try scanner.peek() == UInt8(ascii: "{") else { throw scanner.fault(.unexpectedByte) }
        var members: [Member] = []
        members.reserveCapacity(8)
        try scanner.object(depth) { key, value in members.append(Member(key: key, value: value)) }
        scanner.skipSpace()
        if scanner.offset < scanner.end { throw scanner.fault(.trailingBytes) }
        return Object(bytes, members)
    }

    /// The text of a string value, which `range` has with its quotes; nil for any other value.
    public static func text(_ bytes: [UInt8], _ range: Range<Int>) -> String? {
        guard range.count >= 2, bytes[range.lowerBound] == UInt8(ascii: "\"") else { return nil }
        return unescaped(bytes, range.lowerBound + 1..<range.upperBound - 1)
    }

    /// The text of a key, or of a string without its quotes.
    private static func unescaped(_ bytes: [UInt8], _ inner: Range<Int>) -> String? {
        if !isEscaped(bytes, inner) { return String(decoding: bytes[inner], as: UTF8.self) }
        let quoted = bytes[inner.lowerBound - 1..<inner.upperBound + 1]
        return (try? JSONParser.parse(quoted))?.stringValue
    }

    private static func isEscaped(_ bytes: [UInt8], _ inner: Range<Int>) -> Bool {
        bytes[inner].contains(UInt8(ascii: "\\"))
    }

    private static func isKey(_ bytes: [UInt8], _ key: Range<Int>, _ name: StaticString) -> Bool {
        if isEscaped(bytes, key) {
            return unescaped(bytes, key).map { $0.utf8.elementsEqual(name.description.utf8) }
                ?? false
        }
        guard key.count == name.utf8CodeUnitCount else { return false }
        return name.withUTF8Buffer { unsafe $0.elementsEqual(bytes[key]) }
    }

    /// The numbers of a list of just so many; nil for anything else, or one that no `Double` is.
    ///
    /// `range` is a value's that was found here, so that its grammar is right.
    public static func numbers(
        _ bytes: [UInt8], _ range: Range<Int>, count: Int
    ) -> [Double]? {
        guard bytes[range.lowerBound] == UInt8(ascii: "[") else { return nil }
        var numbers: [Double] = []
        numbers.reserveCapacity(count)
        var index = range.lowerBound + 1
        let end = range.upperBound - 1
        while index < end {
            switch bytes[index] {
            case 0x20, 0x0A, 0x0D, 0x09, UInt8(ascii: ","): index += 1
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
                let start = index
                while index < end, isOfNumber(bytes[index]) { index += 1 }
                guard numbers.count < count, let number = number(bytes, start..<index) else {
                    return nil
                }
                numbers.append(number)
            case _: return nil
            }
        }
        return numbers.count == count ? numbers : nil
    }

    private static func isOfNumber(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"),
            UInt8(ascii: "+"), UInt8(ascii: "e"), UInt8(ascii: "E"):
            true
        case _: false
        }
    }

    private static let powersOfTen: [Double] = [
        1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    ]

    /// Up to 15 digits without an exponent are two whole numbers that a `Double` holds, and their
    /// quotient is the nearest to it; nearly all that is sent is so.
    private static func number(_ bytes: [UInt8], _ range: Range<Int>) -> Double? {
        var mantissa: UInt64 = 0
        var digits = 0
        var scale = 0
        var isFraction = false
        for index in range {
            let byte = bytes[index]
            if byte == UInt8(ascii: "."), !isFraction {
                isFraction = true
            } else if byte &- UInt8(ascii: "0") < 10, digits < 15 {
                mantissa = mantissa * 10 + UInt64(byte - UInt8(ascii: "0"))
                digits += 1
                if isFraction { scale += 1 }
            } else if byte != UInt8(ascii: "-") || index > range.lowerBound {
                let value = (try? JSONParser.parse(bytes[range]))?.doubleValue
                return value.flatMap { $0.isFinite ? $0 : nil }
            }
        }
        let value = Double(mantissa) / powersOfTen[scale]
        return bytes[range.lowerBound] == UInt8(ascii: "-") ? -value : value
    }

    private func fault(_ reason: JSONError.Reason) -> JSONError {
        JSONError(offset: offset, reason: reason)
    }

    private mutating func skipSpace() {
        while offset < end {
            switch bytes[offset] {
            case 0x20, 0x0A, 0x0D, 0x09: offset += 1
            case _: return
            }
        }
    }

    /// The next byte behind white space, which stays.
    private mutating func peek() throws(JSONError) -> UInt8 {
        skipSpace()
        guard offset < end else { throw fault(.unexpectedEnd) }
        return bytes[offset]
    }

    private mutating func object(
        _ depth: Int, _ found: (Range<Int>, Range<Int>) -> Void
    ) throws(JSONError) {
        guard depth > 0 else { throw fault(.tooDeep) }
        offset += 1
        if try peek() == UInt8(ascii: "}") {
            offset += 1
            return
        }
        let first = keys.count
        while true {
            guard try peek() == UInt8(ascii: "\"") else { throw fault(.unexpectedByte) }
            let key = offset + 1
            try string()
            let keyEnd = offset - 1
            keys.append(key..<keyEnd)
            guard try peek() == UInt8(ascii: ":") else { throw fault(.unexpectedByte) }
            offset += 1
            skipSpace()
            let start = offset
            try value(depth - 1)
            found(key..<keyEnd, start..<offset)
            switch try peek() {
            case UInt8(ascii: ","): offset += 1
            case UInt8(ascii: "}"):
                try checkThatKeysDiffer(from: first)
                keys.removeSubrange(first...)
                offset += 1
                return
            case _: throw fault(.unexpectedByte)
            }
        }
    }

    /// Compares the keys from the `first` on: each with each where they are few and plain.
    private func checkThatKeysDiffer(from first: Int) throws(JSONError) {
        let own = keys[first...]
        if own.count <= 16, !own.contains(where: { Self.isEscaped(bytes, $0) }) {
            for (index, key) in own.enumerated() {
                let isKnown = own.prefix(index).contains {
                    $0.count == key.count && bytes[$0].elementsEqual(bytes[key])
                }
                if isKnown { throw JSONError(offset: key.lowerBound - 1, reason: .duplicateKey) }
            }
            return
        }
        var known: Set<JSONKey> = []
        for key in own {
            guard let text = Self.unescaped(bytes, key), known.insert(JSONKey(text)).inserted else {
                throw JSONError(offset: key.lowerBound - 1, reason: .duplicateKey)
            }
        }
    }

    private mutating func value(_ depth: Int) throws(JSONError) {
        switch try peek() {
        case UInt8(ascii: "\""): try string()
        case UInt8(ascii: "{"): try object(depth) { _, _ in }
        case UInt8(ascii: "["): try array(depth)
        case UInt8(ascii: "t"): try word("true")
        case UInt8(ascii: "f"): try word("false")
        case UInt8(ascii: "n"): try word("null")
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): try number()
        case _: throw fault(.unexpectedByte)
        }
    }

    private mutating func array(_ depth: Int) throws(JSONError) {
        guard depth > 0 else { throw fault(.tooDeep) }
        offset += 1
        if try peek() == UInt8(ascii: "]") {
            offset += 1
            return
        }
        while true {
            try value(depth - 1)
            switch try peek() {
            case UInt8(ascii: ","): offset += 1
            case UInt8(ascii: "]"):
                offset += 1
                return
            case _: throw fault(.unexpectedByte)
            }
        }
    }

    private mutating func word(_ text: String) throws(JSONError) {
        for byte in text.utf8 {
            guard offset < end else { throw fault(.unexpectedEnd) }
            guard bytes[offset] == byte else { throw fault(.unexpectedByte) }
            offset += 1
        }
    }

    private mutating func string() throws(JSONError) {
        offset += 1
        while offset < end {
            switch bytes[offset] {
            case UInt8(ascii: "\""):
                offset += 1
                return
            case UInt8(ascii: "\\"): try escape()
            case 0..<0x20: throw fault(.controlCharacter)
            default: offset += 1
            }
        }
        throw fault(.unexpectedEnd)
    }

    private mutating func escape() throws(JSONError) {
        guard offset + 1 < end else { throw fault(.unexpectedEnd) }
        switch bytes[offset + 1] {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"),
            UInt8(ascii: "f"), UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            offset += 2
        case UInt8(ascii: "u"):
            let unit = try unit()
            if (0xDC00...0xDFFF).contains(unit) { throw fault(.badEscape) }
            guard (0xD800...0xDBFF).contains(unit) else { return }
            // The second half of the pair has to follow at once.
            guard offset + 1 < end, bytes[offset] == UInt8(ascii: "\\"),
                bytes[offset + 1] == UInt8(ascii: "u"), try (0xDC00...0xDFFF).contains(self.unit())
            else { throw fault(.badEscape) }
        case _: throw fault(.badEscape)
        }
    }

    /// What `\uXXXX` stands for.
    private mutating func unit() throws(JSONError) -> UInt16 {
        guard offset + 6 <= end else { throw fault(.unexpectedEnd) }
        var unit: UInt16 = 0
        for place in offset + 2..<offset + 6 {
            guard let digit = Hex.value(bytes[place]) else { throw fault(.badEscape) }
            unit = unit << 4 | UInt16(digit)
        }
        offset += 6
        return unit
    }

    private mutating func number() throws(JSONError) {
        if bytes[offset] == UInt8(ascii: "-") { offset += 1 }
        let first = offset
        try digits()
        if bytes[first] == UInt8(ascii: "0"), offset > first + 1 { throw fault(.badNumber) }
        if offset < end, bytes[offset] == UInt8(ascii: ".") {
            offset += 1
            try digits()
        }
        if offset < end, bytes[offset] | 0x20 == UInt8(ascii: "e") {
            offset += 1
            if offset < end,
                bytes[offset] == UInt8(ascii: "+") || bytes[offset] == UInt8(ascii: "-")
            {
                offset += 1
            }
            try digits()
        }
    }

    private mutating func digits() throws(JSONError) {
        let first = offset
        while offset < end, bytes[offset] &- UInt8(ascii: "0") < 10 { offset += 1 }
        if offset == first { throw fault(offset < end ? .badNumber : .unexpectedEnd) }
    }
}
