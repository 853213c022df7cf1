// How the language's own types that hold others are recognised.

protocol OptionalType {
    static var wrapped: any Any.Type { get }
    static var nothing: Self { get }
}
extension Optional: OptionalType {
    static var wrapped: any Any.Type { Wrapped.self }
    static var nothing: Wrapped? { nil }
}

private protocol ListType { static var item: any Any.Type { get } }
extension Array: ListType { static var item: any Any.Type { Element.self } }
extension Set: ListType { static var item: any Any.Type { Element.self } }

private protocol DictionaryType { static var member: any Any.Type { get } }
extension Dictionary: DictionaryType { static var member: any Any.Type { Value.self } }

private protocol NullableType { static var wrapped: any Any.Type { get } }
extension Patch: NullableType { static var wrapped: any Any.Type { Value.self } }
extension Omittable: NullableType { static var wrapped: any Any.Type { Value.self } }

/// A decoder without a value: it writes down what a type's `init(from:)` asks for, and answers
/// with placeholders. So it gives schemas, and placeholders for whole objects.
final class SchemaProbe: Decoder, SingleValueDecodingContainer {
    /// The types that are being described, so that one that holds itself comes to an end; nil when
    /// only a placeholder is wanted.
    private let within: [ObjectIdentifier]?
    private let depth: Int
    /// What a single value or a list was asked for.
    private var whole: JSONValue?
    private var asked: JSONObject?
    private var required: [JSONValue] = []
    private var nullable: Set<String> = []

    private init(within: [ObjectIdentifier]?, depth: Int) {
        self.within = within
        self.depth = depth
    }

    /// The schema of `type`, whatever it is.
    static func schema(_ type: any Any.Type, within: [ObjectIdentifier]) -> JSONValue {
        if let scalar = scalar(type) { return scalar.jsonSchema }
        switch type {
        case let described as any JSONDescribed.Type: return described.jsonSchema
        case let optional as any OptionalType.Type:
            return orNull(schema(optional.wrapped, within: within))
        case let optional as any NullableType.Type:
            return orNull(schema(optional.wrapped, within: within))
        case let list as any ListType.Type:
            return ["type": "array", "items": schema(list.item, within: within)]
        case let map as any DictionaryType.Type:
            return [
                "type": "object", "additionalProperties": schema(map.member, within: within),
            ]
        case _: break
        }
        if let cases = cases(type), let first = cases.first {
            return ["type": first.stringValue == nil ? "integer" : "string", "enum": .array(cases)]
        }
        guard let decodable = type as? any Decodable.Type,
            !within.contains(ObjectIdentifier(type))
        else { return [:] }
        let probe = SchemaProbe(within: within + [ObjectIdentifier(type)], depth: 0)
        // What throws on a placeholder has been described up to there.
        _ = try? decodable.init(from: probe)
        return probe.schema
    }

    /// The raw values of an enumeration of texts or whole numbers.
    static func cases(_ type: any Any.Type) -> [JSONValue]? {
        func all<T: CaseIterable>(_ type: T.Type) -> [JSONValue] {
            T.allCases.compactMap { item in
                switch (item as? any RawRepresentable)?.rawValue {
                case let text as String: .string(text)
                case let number as any BinaryInteger: .integer(Int64(clamping: number))
                case _: nil
                }
            }
        }
        return (type as? any CaseIterable.Type).map { all($0) }
    }

    /// A value of `type` that stands where a field is bad or missing.
    static func placeholder<T: Decodable>(_ type: T.Type, depth: Int = 0) -> T? {
        func first<U: CaseIterable>(_ type: U.Type) -> T? { U.allCases.first as? T }
        if let scalar = scalar(type) { return scalar.blank as? T }
        if let described = type as? any JSONDescribed.Type { return described.sample as? T }
        if let enumeration = type as? any CaseIterable.Type { return first(enumeration) }
        return depth < 32 ? try? T(from: SchemaProbe(within: nil, depth: depth + 1)) : nil
    }

    private static func orNull(_ schema: JSONValue) -> JSONValue {
        guard var object = schema.objectValue, let type = object["type"], type.stringValue != nil
        else { return ["anyOf": [schema, ["type": "null"]]] }
        object["type"] = [type, "null"]
        if let cases = object["enum"]?.arrayValue { object["enum"] = .array(cases + [.null]) }
        return .object(object)
    }

    private var schema: JSONValue {
        guard let asked else { return whole ?? [:] }
        var object: JSONObject = ["type": "object", "properties": .object(asked)]
        if !required.isEmpty { object["required"] = .array(required) }
        return .object(object)
    }

    fileprivate func ask(_ name: String, _ type: any Any.Type, optional: Bool) {
        guard let within else { return }
        var schema = Self.schema(type, within: within)
        let mayBeNull = optional || nullable.contains(name)
        if mayBeNull { schema = Self.orNull(schema) }
        if asked?[name] == nil, !mayBeNull, !(type is any OptionalType.Type) {
            required.append(.string(name))
        }
        asked?[name] = schema
    }

    fileprivate func allowNull(_ name: String) { nullable.insert(name) }

    fileprivate func give<T: Decodable>(_ type: T.Type) throws -> T {
        guard let blank = Self.placeholder(type, depth: depth) else {
            throw Refusal(message: "has no placeholder")
        }
        return blank
    }

    fileprivate func unrecorded() -> SchemaProbe { SchemaProbe(within: nil, depth: depth) }

    fileprivate func item(_ type: any Any.Type) {
        guard let within, whole?["items"] == nil else { return }
        whole = ["type": "array", "items": Self.schema(type, within: within)]
    }

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedDecodingContainer<Key> {
        asked = asked ?? JSONObject()
        return KeyedDecodingContainer(KeyedProbe(probe: self))
    }

    func unkeyedContainer() -> any UnkeyedDecodingContainer {
        whole = whole ?? ["type": "array"]
        return UnkeyedProbe(probe: self)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { self }

    func decodeNil() -> Bool { within == nil }

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        if let within { whole = Self.schema(type, within: within) }
        return try give(type)
    }
}

private struct KeyedProbe<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let probe: SchemaProbe

    var codingPath: [any CodingKey] { [] }
    var allKeys: [Key] { [] }

    func contains(_ key: Key) -> Bool { true }

    func decodeNil(forKey key: Key) throws -> Bool {
        probe.allowNull(key.stringValue)
        return false
    }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        probe.ask(key.stringValue, type, optional: false)
        return try probe.give(type)
    }

    func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? {
        probe.ask(key.stringValue, type, optional: true)
        return nil
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> {
        probe.ask(key.stringValue, JSONObject.self, optional: false)
        return probe.unrecorded().container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        probe.ask(key.stringValue, [JSONValue].self, optional: false)
        return probe.unrecorded().unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { probe }

    func superDecoder(forKey key: Key) throws -> any Decoder { probe.unrecorded() }
}

private struct UnkeyedProbe: UnkeyedDecodingContainer {
    let probe: SchemaProbe
    var currentIndex: Int { 0 }

    var codingPath: [any CodingKey] { [] }
    var count: Int? { 0 }
    var isAtEnd: Bool { true }

    func decodeNil() throws -> Bool { false }

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        probe.item(type)
        return try probe.give(type)
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type
    ) throws -> KeyedDecodingContainer<NestedKey> {
        probe.unrecorded().container(keyedBy: type)
    }

    func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        probe.unrecorded().unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { probe.unrecorded() }
}
