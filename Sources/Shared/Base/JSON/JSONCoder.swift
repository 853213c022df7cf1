/// Reads and writes the `Codable` types of the contract, and tells what they look like.
///
/// Reading reports every bad field, not the first; writing goes straight into a buffer. Keys are
/// those of the types; coders of superclasses are not supported.
public enum JSONCoder {
    /// Reads `value` as a `type`. Unknown members are ignored, `null` counts as absent for an
    /// optional; all that is wrong is reported, each with its path.
    public static func decode<T: Decodable>(
        _ type: T.Type, from value: JSONValue
    ) throws(InvalidFields) -> T {
        let problems = DecodingProblems()
        let result = try? TreeDecoder.read(type, value, nil, .root, problems)
        guard let result, problems.all.isEmpty else { throw InvalidFields(problems: problems.all) }
        return result
    }

    /// Writes `value` behind what is in `writer`. A nil optional becomes `null`.
    ///
    /// A value that cannot be written is a mistake in its type, and traps.
    public static func encode(_ value: some Encodable, into writer: inout ByteWriter) {
        let state = EncodingState()
        swap(&state.out, &writer)
        do {
            try state.write(value)
        } catch {
            preconditionFailure("\(type(of: value)) cannot be written: \(error)")
        }
        swap(&state.out, &writer)
    }

    /// Writes `value`.
    public static func encode(_ value: some Encodable) -> [UInt8] {
        var writer = ByteWriter(capacity: 512)
        encode(value, into: &writer)
        return writer.array()
    }

    /// Turns `value` into what its text would be read as.
    public static func value(_ value: some Encodable) -> JSONValue {
        do throws(JSONError) {
            return try JSONParser.parse(encode(value), depth: JSONParser.deepest)
        } catch {
            preconditionFailure("\(type(of: value)) writes no JSON: \(error)")
        }
    }

    /// What `type` reads, as JSON Schema 2020-12, found by letting its `init(from:)` ask.
    ///
    /// Enumerations of texts have to be `CaseIterable`, checked texts `JSONDescribed`.
    public static func schema(_ type: any Decodable.Type) -> JSONValue {
        SchemaProbe.schema(type, within: [])
    }
}

/// JSON that is written already, put into other values as it is. Hot objects are kept as this.
public struct EncodedJSON: Encodable, Sendable, Equatable {
    /// One JSON value; nobody checks it again.
    public let bytes: [UInt8]

    /// Takes bytes that hold one JSON value.
    public init(bytes: [UInt8]) { self.bytes = bytes }

    /// The bytes of `value`.
    public init(_ value: some Encodable) { bytes = JSONCoder.encode(value) }

    /// Copies the bytes into the output of `JSONCoder`.
    public func encode(to encoder: any Encoder) throws {
        try EncodingState.of(encoder).out.append(bytes)
    }
}

extension JSONValue: Codable, JSONDescribed {
    /// Takes the value as it stands; by `JSONCoder` alone.
    public init(from decoder: any Decoder) throws { self = try TreeDecoder.value(of: decoder) }

    /// Writes the value as it stands; by `JSONCoder` alone.
    public func encode(to encoder: any Encoder) throws {
        try EncodingState.of(encoder).out.append(json: self)
    }

    /// Anything.
    public static var jsonSchema: JSONValue { [:] }
    /// `null`.
    public static var sample: JSONValue { .null }
    /// Anything.
    public static var expectation: String { "a JSON value" }
}

extension JSONObject: Codable, JSONDescribed {
    /// Takes the object as it stands; by `JSONCoder` alone.
    public init(from decoder: any Decoder) throws {
        guard let object = try TreeDecoder.value(of: decoder).objectValue else {
            throw Refusal(message: "must be an object")
        }
        self = object
    }

    /// Writes the object as it stands; by `JSONCoder` alone.
    public func encode(to encoder: any Encoder) throws {
        try EncodingState.of(encoder).out.append(json: .object(self))
    }

    /// Any object.
    public static var jsonSchema: JSONValue { ["type": "object"] }
    /// No members.
    public static var sample: JSONObject { JSONObject() }
    /// Any object.
    public static var expectation: String { "an object" }
}

extension Timestamp: JSONDescribed {
    /// A whole number.
    public static var jsonSchema: JSONValue {
        ["type": "integer", "description": "Unix time in milliseconds"]
    }
    /// The beginning of 1970.
    public static var sample: Timestamp { Timestamp(milliseconds: 0) }
    /// A whole number.
    public static var expectation: String { "a time as whole milliseconds since 1970" }
}

/// The types that a JSON value stands for by itself.
protocol JSONScalar: Sendable {
    static func read(_ value: JSONValue) -> Self?
    static var blank: Self { get }
    static var expectation: String { get }
    static var jsonSchema: JSONValue { get }
}

/// `type` as a scalar. By comparing, since a cast to a protocol costs ten times as much.
func scalar(_ type: any Any.Type) -> (any JSONScalar.Type)? {
    if type == String.self { return String.self }
    if type == Bool.self { return Bool.self }
    if type == Int.self { return Int.self }
    if type == Int64.self { return Int64.self }
    if type == Double.self { return Double.self }
    if type == UInt64.self { return UInt64.self }
    if type == UInt32.self { return UInt32.self }
    if type == UInt16.self { return UInt16.self }
    if type == UInt8.self { return UInt8.self }
    if type == UInt.self { return UInt.self }
    if type == Int32.self { return Int32.self }
    if type == Int16.self { return Int16.self }
    if type == Int8.self { return Int8.self }
    if type == Float.self { return Float.self }
    return nil
}

extension String: JSONScalar {
    static func read(_ value: JSONValue) -> String? { value.stringValue }
    static var blank: String { "" }
    static var expectation: String { "a text" }
    static var jsonSchema: JSONValue { ["type": "string"] }
}

extension Bool: JSONScalar {
    static func read(_ value: JSONValue) -> Bool? { value.boolValue }
    static var blank: Bool { false }
    static var expectation: String { "true or false" }
    static var jsonSchema: JSONValue { ["type": "boolean"] }
}

extension Double: JSONScalar {
    static func read(_ value: JSONValue) -> Double? { value.doubleValue }
    static var blank: Double { 0 }
    static var expectation: String { "a number" }
    static var jsonSchema: JSONValue { ["type": "number"] }
}

extension Float: JSONScalar {
    static func read(_ value: JSONValue) -> Float? {
        value.doubleValue.map { Float($0) }.flatMap { $0.isFinite ? $0 : nil }
    }
    static var blank: Float { 0 }
    static var expectation: String { "a number" }
    static var jsonSchema: JSONValue { ["type": "number"] }
}

extension JSONScalar where Self: FixedWidthInteger {
    static func read(_ value: JSONValue) -> Self? {
        value.integerValue.flatMap { Self(exactly: $0) }
    }
    static var blank: Self { 0 }
    static var expectation: String {
        if bitWidth < 64 { return "a whole number from \(min) to \(max)" }
        return isSigned ? "a whole number" : "a whole number, not negative"
    }
    static var jsonSchema: JSONValue {
        if bitWidth < 64 {
            return [
                "type": "integer", "minimum": .integer(Int64(min)), "maximum": .integer(Int64(max)),
            ]
        }
        return isSigned ? ["type": "integer"] : ["type": "integer", "minimum": 0]
    }
}

extension Int: JSONScalar {}
extension Int64: JSONScalar {}
extension Int32: JSONScalar {}
extension Int16: JSONScalar {}
extension Int8: JSONScalar {}
extension UInt: JSONScalar {}
extension UInt64: JSONScalar {}
extension UInt32: JSONScalar {}
extension UInt16: JSONScalar {}
extension UInt8: JSONScalar {}
