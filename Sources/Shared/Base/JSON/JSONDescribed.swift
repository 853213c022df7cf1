/// A type with one spelling in JSON, mostly a checked text, that can say what it looks like.
///
/// The decoder puts `sample` where a field is bad, so that it can go on and report the others too.
public protocol JSONDescribed {
    /// Its schema, JSON Schema 2020-12.
    static var jsonSchema: JSONValue { get }
    /// A valid value; never shown to anybody.
    static var sample: Self { get }
    /// What a valid one is, to follow "must be", such as `a text of 1 to 64 characters`.
    static var expectation: String { get }
}

/// A field of an update: left out, `null`, or a value.
public enum Patch<Value> {
    /// The key is not there: leave it as it is.
    case absent
    /// `null`: take the value away.
    case clear
    /// A new value.
    case set(Value)

    /// What the field becomes, given what it is.
    public func applied(to current: Value?) -> Value? {
        switch self {
        case .absent: current
        case .clear: nil
        case .set(let value): value
        }
    }

    /// Whether the key is not there.
    public var isAbsent: Bool { if case .absent = self { true } else { false } }
}

extension Patch: Sendable where Value: Sendable {}
extension Patch: Equatable where Value: Equatable {}

extension Patch: Decodable where Value: Decodable {
    /// Reads `null` or a value; `absent` is seen by the container of the key alone.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        self = container.decodeNil() ? .clear : .set(try container.decode(Value.self))
    }
}

extension Patch: Encodable where Value: Encodable {
    /// Writes the value, or `null`; `absent` is left out by the container of the key alone.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if case .set(let value) = self {
            try container.encode(value)
        } else {
            try container.encodeNil()
        }
    }
}

/// An optional field that is left out when it is nil, where others are written as `null`.
@propertyWrapper public struct Omittable<Value> {
    /// The value.
    public var wrappedValue: Value?

    /// A field with this value, left out when it is nil.
    public init(wrappedValue: Value?) { self.wrappedValue = wrappedValue }
}

extension Omittable: Sendable where Value: Sendable {}
extension Omittable: Equatable where Value: Equatable {}
extension Omittable: Hashable where Value: Hashable {}

extension Omittable: Decodable where Value: Decodable {
    /// Reads `null` or a value.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        wrappedValue = container.decodeNil() ? nil : try container.decode(Value.self)
    }
}

extension Omittable: Encodable where Value: Encodable {
    /// Writes the value, or `null` where there is no key that could be left out.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        if let wrappedValue {
            try container.encode(wrappedValue)
        } else {
            try container.encodeNil()
        }
    }
}

// The synthesised `init(from:)` and `encode(to:)` prefer these to the generic ones, as more special:
// which they are only while each half of Codable asks no more of `Value` than they do.

extension KeyedDecodingContainer {
    /// Tells a missing key from `null` from a value.
    public func decode<Value: Decodable>(
        _ type: Patch<Value>.Type, forKey key: Key
    ) throws -> Patch<Value> {
        guard contains(key) else { return .absent }
        return try decodeNil(forKey: key) ? .clear : .set(try decode(Value.self, forKey: key))
    }

    /// Takes a missing key and `null` for nil.
    public func decode<Value: Decodable>(
        _ type: Omittable<Value>.Type, forKey key: Key
    ) throws -> Omittable<Value> {
        Omittable(wrappedValue: try decodeIfPresent(Value.self, forKey: key))
    }
}

extension KeyedEncodingContainer {
    /// Leaves out what is absent.
    public mutating func encode<Value: Encodable>(_ patch: Patch<Value>, forKey key: Key) throws {
        switch patch {
        case .absent: break
        case .clear: try encodeNil(forKey: key)
        case .set(let value): try encode(value, forKey: key)
        }
    }

    /// Leaves out what is nil.
    public mutating func encode<Value: Encodable>(
        _ field: Omittable<Value>, forKey key: Key
    ) throws {
        if let value = field.wrappedValue { try encode(value, forKey: key) }
    }
}
