/// Any JSON value, RFC 8259. Whole numbers in the range of `Int64` stay exact.
public enum JSONValue: Sendable, Equatable {
    /// `null`.
    case null
    /// `true` or `false`.
    case boolean(Bool)
    /// A number written without fraction and exponent that fits.
    case integer(Int64)
    /// Any other number.
    case double(Double)
    /// A text.
    case string(String)
    /// A list.
    case array([JSONValue])
    /// An object, in the order of its text.
    case object(JSONObject)

    /// The text, if it is one.
    public var stringValue: String? { if case .string(let text) = self { text } else { nil } }

    /// The whole number, if it is one; `2.0` is one too.
    public var integerValue: Int64? {
        switch self {
        case .integer(let number): number
        case .double(let number): Int64(exactly: number)
        case .null, .boolean, .string, .array, .object: nil
        }
    }

    /// The number, if it is one.
    public var doubleValue: Double? {
        switch self {
        case .integer(let number): Double(number)
        case .double(let number): number
        case .null, .boolean, .string, .array, .object: nil
        }
    }

    /// The truth value, if it is one.
    public var boolValue: Bool? { if case .boolean(let flag) = self { flag } else { nil } }
    /// The list, if it is one.
    public var arrayValue: [JSONValue]? { if case .array(let items) = self { items } else { nil } }
    /// The object, if it is one.
    public var objectValue: JSONObject? { if case .object(let all) = self { all } else { nil } }
    /// Whether it is `null`.
    public var isNull: Bool { if case .null = self { true } else { false } }

    /// The member `key` of an object; nil for anything else.
    public subscript(key: String) -> JSONValue? {
        if case .object(let object) = self { object[key] } else { nil }
    }

    /// The item at `index` of a list; nil for anything else, and beyond its end.
    public subscript(index: Int) -> JSONValue? {
        if case .array(let items) = self, items.indices.contains(index) {
            items[index]
        } else {
            nil
        }
    }
}

/// The members of an object: unique keys, in order. Two are equal whatever their order.
public struct JSONObject: Sendable {
    /// One key with its value.
    public struct Member: Sendable, Equatable {
        /// The key.
        public let key: String
        /// The value.
        public var value: JSONValue
    }

    /// All members in order.
    public private(set) var members: [Member]

    /// No members.
    public init() { members = [] }

    /// Members whose keys are known to differ.
    init(unique members: [Member]) { self.members = members }

    /// How many members there are.
    public var count: Int { members.count }
    /// Whether there are none.
    public var isEmpty: Bool { members.isEmpty }
    /// The keys in order.
    public var keys: [String] { members.map(\.key) }

    /// The value of `key`; setting nil removes the member, a new key goes to the end.
    ///
    /// Looked up one by one, which is the fastest for the few members that objects have.
    public subscript(key: String) -> JSONValue? {
        get {
            members.first { JSONKey($0.key) == JSONKey(key) }?.value
        }
        set {
            let index = members.firstIndex { JSONKey($0.key) == JSONKey(key) }
            switch (index, newValue) {
            case (let index?, let value?): members[index].value = value
            case (let index?, nil): members.remove(at: index)
            case (nil, let value?): members.append(Member(key: key, value: value))
            case (nil, nil): break
            }
        }
    }
}

extension JSONObject: Equatable {
    /// Whether both have the same members, in any order.
    public static func == (a: JSONObject, b: JSONObject) -> Bool {
        guard a.count == b.count else { return false }
        if a.members == b.members { return true }
        let values = Dictionary(
            uniqueKeysWithValues: b.members.map { (JSONKey($0.key), $0.value) })
        return a.members.allSatisfy { values[JSONKey($0.key)] == $0.value }
    }
}

extension JSONObject: ExpressibleByDictionaryLiteral {
    /// The members of a literal; a key that stands twice has its last value.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        self.init()
        for (key, value) in elements { self[key] = value }
    }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral,
    ExpressibleByIntegerLiteral, ExpressibleByFloatLiteral, ExpressibleByStringLiteral,
    ExpressibleByStringInterpolation, ExpressibleByArrayLiteral, ExpressibleByDictionaryLiteral
{
    /// `null`.
    public init(nilLiteral: ()) { self = .null }
    /// A truth value.
    public init(booleanLiteral value: Bool) { self = .boolean(value) }
    /// A whole number.
    public init(integerLiteral value: Int64) { self = .integer(value) }
    /// A number with a fraction.
    public init(floatLiteral value: Double) { self = .double(value) }
    /// A text.
    public init(stringLiteral value: String) { self = .string(value) }
    /// A list.
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    /// An object.
    public init(dictionaryLiteral elements: (String, JSONValue)...) {
        var object = JSONObject()
        for (key, value) in elements { object[key] = value }
        self = .object(object)
    }
}
