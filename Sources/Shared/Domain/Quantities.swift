import Base

/// A checked number: on the wire a JSON integer.
public protocol NumberScalar: JSONDescribed, Codable, Hashable, Comparable, Sendable {
    /// The checked value, or nil when `number` is out of range.
    init?(_ number: Int64)
    /// The number.
    var number: Int64 { get }
    /// What is in range.
    static var range: ClosedRange<Int64> { get }
}

extension NumberScalar {
    /// An integer in range.
    public static var jsonSchema: JSONValue {
        [
            "type": "integer", "minimum": .integer(range.lowerBound),
            "maximum": .integer(range.upperBound),
        ]
    }
    /// Its range in words.
    public static var expectation: String {
        "a whole number from \(range.lowerBound) to \(range.upperBound)"
    }
    /// The smallest.
    public static var sample: Self { known(Self(range.lowerBound), "\(range.lowerBound)") }

    /// By size.
    public static func < (a: Self, b: Self) -> Bool { a.number < b.number }

    /// Reads an integer and checks it.
    public init(from decoder: any Decoder) throws {
        self = try decoder.checked { (raw: Int64) in Self(raw) }
    }

    /// Writes the integer.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(number)
    }
}

/// How many players an instance holds.
public struct Capacity: NumberScalar {
    /// The number.
    public let number: Int64

    /// 1 to 1,024.
    public init?(_ number: Int64) {
        guard Self.range.contains(number) else { return nil }
        self.number = number
    }

    /// As an index type.
    public var count: Int { Int(number) }

    /// 1 to 1,024.
    public static let range: ClosedRange<Int64> = 1...1024
    /// What a world has that was given none.
    public static let standard = known(Capacity(32), "32")
}

/// How many bytes a file has.
public struct FileSize: NumberScalar {
    /// The number.
    public let number: Int64

    /// 0 to 2^53 - 1: what every JSON reader holds exactly (RFC 8259 §6).
    public init?(_ number: Int64) {
        guard Self.range.contains(number) else { return nil }
        self.number = number
    }

    /// 0 to 2^53 - 1.
    public static let range: ClosedRange<Int64> = 0...9_007_199_254_740_991
}
