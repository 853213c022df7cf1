import Base

/// A checked value with one spelling: what it was made from was valid, so it is.
///
/// On the wire it is a JSON string; a bad one is refused with `expectation` in the details.
public protocol TextScalar: LosslessStringConvertible, JSONDescribed, Codable, Hashable, Sendable {
    /// The checked value, or nil when `text` is none.
    init?(_ text: String)
    /// Its one spelling.
    var text: String { get }
    /// What a valid text looks like.
    static var shape: TextShape { get }
}

/// What a valid text looks like: for the check, the schema, the error and the tests alike.
public struct TextShape: Sendable {
    /// What kinds of characters a text may hold.
    public enum Characters: Sendable {
        /// One line of what people write: no control characters, nothing that turns the direction
        /// of what stands beside it, and something to see.
        case line
        /// The same on any number of lines; it may be blank or empty.
        case lines
        /// Only these, and the first one of the second set.
        case ascii(any: ASCIISet, first: ASCIISet)
        /// Whatever the type's own initialiser says.
        case own
    }

    /// How many characters (Unicode scalars, as JSON Schema counts) are allowed.
    public let length: ClosedRange<Int>
    /// Which ones.
    public let characters: Characters
    /// The same as a regular expression, where there is one.
    public let pattern: String?
    /// What to call a valid one.
    public let expectation: String
    /// A valid one.
    public let sample: String

    /// A shape; `expectation` is made from the length where none is given.
    public init(
        _ length: ClosedRange<Int>, _ characters: Characters = .line, pattern: String? = nil,
        expectation: String? = nil, sample: String
    ) {
        self.length = length
        self.characters = characters
        self.pattern = pattern
        self.expectation =
            expectation ?? Self.expectation(length, characters)
        self.sample = sample
    }

    private static func expectation(
        _ length: ClosedRange<Int>, _ characters: Characters
    ) -> String {
        let count =
            length.lowerBound == 0
            ? "at most \(length.upperBound)" : "\(length.lowerBound) to \(length.upperBound)"
        return switch characters {
        case .line:
            "a line of \(count) characters, some of them visible, none of them of control or"
                + " direction"
        case .lines:
            "a text of \(count) characters, none of them of control or direction but line ends and"
                + " tabs"
        case .ascii, .own: "a text of \(count) characters"
        }
    }

    /// Whether `text` has this length and these characters.
    public func accepts(_ text: String) -> Bool {
        // A character has at most four bytes: what is far too long need not be walked through.
        guard text.utf8.count <= 4 * length.upperBound,
            length.contains(text.unicodeScalars.count)
        else { return false }
        switch characters {
        case .own: return true
        case .line:
            return text.unicodeScalars.allSatisfy {
                !$0.isControl && !$0.turnsDirection && !$0.marksDirection
            } && text.unicodeScalars.contains(where: \.isVisible)
        case .lines:
            return text.unicodeScalars.allSatisfy {
                (!$0.isControl && !$0.turnsDirection) || $0 == "\n" || $0 == "\r" || $0 == "\t"
            }
        case .ascii(let any, let first):
            return text.utf8.first.map(first.contains) ?? true
                && text.utf8.allSatisfy(any.contains)
        }
    }

    /// The schema of a string of this shape.
    public var schema: JSONValue {
        var schema: JSONObject = ["type": "string"]
        if case .own = characters {
        } else {
            schema["minLength"] = .integer(Int64(length.lowerBound))
            schema["maxLength"] = .integer(Int64(length.upperBound))
        }
        if let pattern { schema["pattern"] = .string(pattern) }
        schema["description"] = .string(expectation)
        return .object(schema)
    }
}

/// A set of ASCII characters, as two words of bits.
public struct ASCIISet: Sendable {
    private var low: UInt64 = 0
    private var high: UInt64 = 0

    /// The characters of `text`, which must be ASCII.
    public init(_ text: StaticString) {
        for byte in String(describing: text).utf8 {
            precondition(byte < 128, "not ASCII: \(text)")
            if byte < 64 { low |= 1 << UInt64(byte) } else { high |= 1 << UInt64(byte - 64) }
        }
    }

    /// Whether the character is one of them.
    public func contains(_ byte: UInt8) -> Bool {
        byte < 64 ? low >> UInt64(byte) & 1 == 1 : byte < 128 && high >> UInt64(byte - 64) & 1 == 1
    }

    /// What is in either.
    public static func + (a: ASCIISet, b: ASCIISet) -> ASCIISet {
        var sum = a
        sum.low |= b.low
        sum.high |= b.high
        return sum
    }

    /// `a` to `z`.
    public static let lower = ASCIISet("abcdefghijklmnopqrstuvwxyz")
    /// `A` to `Z`.
    public static let upper = ASCIISet("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    /// `0` to `9`.
    public static let digits = ASCIISet("0123456789")
    /// `A` to `Z` and `a` to `z`.
    public static let letters = lower + upper
}

extension TextScalar {
    /// Its one spelling.
    public var description: String { text }

    /// Schema of its shape.
    public static var jsonSchema: JSONValue { shape.schema }
    /// What its shape says.
    public static var expectation: String { shape.expectation }
    /// What its shape has for one.
    public static var sample: Self { known(Self(shape.sample), shape.sample) }

    /// Reads a string and checks it.
    public init(from decoder: any Decoder) throws {
        self = try decoder.checked { (raw: String) in Self(raw) }
    }

    /// Writes its one spelling.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}

extension Decoder {
    /// Reads a single value and makes what is checked of it.
    func checked<Raw: Decodable, Value: JSONDescribed>(_ make: (Raw) -> Value?) throws -> Value {
        let container = try singleValueContainer()
        guard let value = make(try container.decode(Raw.self)) else {
            throw DecodingError.dataCorruptedError(
                in: container, debugDescription: "must be \(Value.expectation)")
        }
        return value
    }
}

/// The value of what the code itself wrote down, and so must be valid.
func known<Value>(_ value: Value?, _ text: String) -> Value {
    guard let value else { preconditionFailure("a constant is not valid: \(text)") }
    return value
}

extension Unicode.Scalar {
    /// C0, DEL, C1, and the two separators that end a line.
    fileprivate var isControl: Bool {
        value < 0x20 || (0x7F...0x9F).contains(value) || value == 0x2028 || value == 0x2029
    }

    /// Embeddings, overrides and isolates: they turn the text around them, and so fake names.
    fileprivate var turnsDirection: Bool {
        (0x202A...0x202E).contains(value) || (0x2066...0x2069).contains(value)
    }

    /// The marks that give a line its direction: a whole line of somebody else's, when they stand
    /// in a name at its start.
    fileprivate var marksDirection: Bool {
        value == 0x200E || value == 0x200F || value == 0x061C
    }

    /// Whether there is something to see by itself: no blank, no filler, no accent alone.
    fileprivate var isVisible: Bool {
        if properties.isWhitespace || properties.isDefaultIgnorableCodePoint { return false }
        // The empty pattern of Braille is a blank to everybody but Unicode.
        if value == 0x2800 { return false }
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .unassigned, .privateUse: return false
        case _: return true
        }
    }
}
