/// The output of one `JSONCoder.encode`, shared by all its containers.
///
/// Written in one pass: whatever is written to a container closes those that were opened inside
/// it before. A comma is due unless an opening bracket was the last byte.
final class EncodingState {
    var out = ByteWriter()
    /// How many lists and objects are open.
    private(set) var depth = 0
    /// Which of them are lists, one bit each.
    private var lists: UInt64 = 0

    /// The state behind an encoder of ours.
    static func of(_ encoder: any Encoder) throws -> EncodingState {
        guard let stream = encoder as? StreamEncoder else {
            throw Refusal(message: "can be written by JSONCoder alone")
        }
        return stream.state
    }

    func open(list: Bool) {
        precondition(depth < 64, "a value nested deeper than 64")
        lists = lists & ~(1 << UInt64(depth)) | (list ? 1 : 0) << UInt64(depth)
        depth += 1
        out.append(list ? UInt8(ascii: "[") : UInt8(ascii: "{"))
    }

    func close(to target: Int) {
        while depth > target {
            depth -= 1
            out.append(lists >> UInt64(depth) & 1 == 1 ? UInt8(ascii: "]") : UInt8(ascii: "}"))
        }
    }

    /// Begins a member or item of the container that is open at `target`.
    func begin(_ key: String?, _ target: Int) {
        close(to: target)
        precondition(depth == target, "written to a container that is closed")
        out.beginJSON(key)
    }

    /// Writes any value. The comparisons are settled by the compiler where the type is known, and
    /// cost less than a container where it is not.
    @inline(__always) func write<T: Encodable>(_ value: T) throws {
        if T.self == String.self, let text = value as? String {
            out.append(jsonString: text)
        } else if T.self == Int.self, let number = value as? Int {
            out.append(decimal: number)
        } else if T.self == Bool.self, let flag = value as? Bool {
            out.append(json: flag)
        } else if T.self == Int64.self, let number = value as? Int64 {
            out.append(decimal: number)
        } else if T.self == Double.self, let number = value as? Double {
            out.append(json: number)
        } else if T.self == Float.self, let number = value as? Float {
            out.append(json: number)
        } else {
            try writeOther(value)
        }
    }

    // The types are compared first: a cast that fails costs ten times as much.
    private func writeOther<T: Encodable>(_ value: T) throws {
        if T.self == Timestamp.self, let time = value as? Timestamp {
            out.append(decimal: time.milliseconds)
        } else if T.self == UInt64.self, let number = value as? UInt64 {
            out.append(decimal: number)
        } else if T.self == UInt32.self, let number = value as? UInt32 {
            out.append(decimal: number)
        } else if T.self == UInt16.self, let number = value as? UInt16 {
            out.append(decimal: number)
        } else if T.self == UInt8.self, let number = value as? UInt8 {
            out.append(decimal: number)
        } else if T.self == UInt.self, let number = value as? UInt {
            out.append(decimal: number)
        } else if T.self == Int32.self, let number = value as? Int32 {
            out.append(decimal: number)
        } else if T.self == Int16.self, let number = value as? Int16 {
            out.append(decimal: number)
        } else if T.self == Int8.self, let number = value as? Int8 {
            out.append(decimal: number)
        } else {
            let (start, outer) = (out.count, depth)
            try value.encode(to: StreamEncoder(state: self, depth: outer))
            close(to: outer)
            if out.count == start { out.append("{}" as StaticString) }
        }
    }
}

/// What a value's `encode(to:)` sees: the state, and how deep the value itself stands.
struct StreamEncoder: Encoder, SingleValueEncodingContainer {
    let state: EncodingState
    let depth: Int

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(keyedBy type: Key.Type) -> KeyedEncodingContainer<Key> {
        if state.depth == depth { state.open(list: false) }
        return KeyedEncodingContainer(KeyedStream(state: state, depth: depth + 1))
    }

    func unkeyedContainer() -> any UnkeyedEncodingContainer {
        if state.depth == depth { state.open(list: true) }
        return UnkeyedStream(state: state, depth: depth + 1)
    }

    func singleValueContainer() -> any SingleValueEncodingContainer { self }

    func encodeNil() throws { state.out.append("null" as StaticString) }

    func encode<T: Encodable>(_ value: T) throws { try state.write(value) }
}

// One generic method stands for all the overloads that the protocols ask for.

private struct KeyedStream<Key: CodingKey>: KeyedEncodingContainerProtocol {
    let state: EncodingState
    let depth: Int

    var codingPath: [any CodingKey] { [] }

    func encodeNil(forKey key: Key) throws {
        state.begin(key.stringValue, depth)
        state.out.append("null" as StaticString)
    }

    func encode<T: Encodable>(_ value: T, forKey key: Key) throws {
        state.begin(key.stringValue, depth)
        try state.write(value)
    }

    /// A key whose value is nil is written too, so that an object's shape is always the same.
    @inline(__always) private func write<T: Encodable>(orNull value: T?, _ key: Key) throws {
        if let value { try encode(value, forKey: key) } else { try encodeNil(forKey: key) }
    }

    func encodeIfPresent<T: Encodable>(_ value: T?, forKey key: Key) throws {
        try write(orNull: value, key)
    }

    // These have default implementations that leave nil out, before which no generic one goes.
    func encodeIfPresent(_ value: String?, forKey key: Key) throws { try write(orNull: value, key) }
    func encodeIfPresent(_ value: Bool?, forKey key: Key) throws { try write(orNull: value, key) }
    func encodeIfPresent(_ value: Int?, forKey key: Key) throws { try write(orNull: value, key) }
    func encodeIfPresent(_ value: Int8?, forKey key: Key) throws { try write(orNull: value, key) }
    func encodeIfPresent(_ value: Int16?, forKey key: Key) throws { try write(orNull: value, key) }
    func encodeIfPresent(_ value: Int32?, forKey key: Key) throws { try write(orNull: value, key) }
    func encodeIfPresent(_ value: Int64?, forKey key: Key) throws { try write(orNull: value, key) }
    func encodeIfPresent(_ value: UInt?, forKey key: Key) throws { try write(orNull: value, key) }
    func encodeIfPresent(_ value: UInt8?, forKey key: Key) throws { try write(orNull: value, key) }
    func encodeIfPresent(_ value: UInt16?, forKey key: Key) throws { try write(orNull: value, key) }
    func encodeIfPresent(_ value: UInt32?, forKey key: Key) throws { try write(orNull: value, key) }
    func encodeIfPresent(_ value: UInt64?, forKey key: Key) throws { try write(orNull: value, key) }
    func encodeIfPresent(_ value: Float?, forKey key: Key) throws { try write(orNull: value, key) }
    func encodeIfPresent(_ value: Double?, forKey key: Key) throws { try write(orNull: value, key) }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy keyType: NestedKey.Type, forKey key: Key
    ) -> KeyedEncodingContainer<NestedKey> {
        state.begin(key.stringValue, depth)
        return StreamEncoder(state: state, depth: depth).container(keyedBy: keyType)
    }

    func nestedUnkeyedContainer(forKey key: Key) -> any UnkeyedEncodingContainer {
        state.begin(key.stringValue, depth)
        return StreamEncoder(state: state, depth: depth).unkeyedContainer()
    }

    func superEncoder() -> any Encoder {
        preconditionFailure("coders of superclasses are not supported")
    }

    func superEncoder(forKey key: Key) -> any Encoder { superEncoder() }
}

private struct UnkeyedStream: UnkeyedEncodingContainer {
    let state: EncodingState
    let depth: Int
    var count = 0

    var codingPath: [any CodingKey] { [] }

    private mutating func begin() {
        state.begin(nil, depth)
        count += 1
    }

    mutating func encodeNil() throws {
        begin()
        state.out.append("null" as StaticString)
    }

    mutating func encode<T: Encodable>(_ value: T) throws {
        begin()
        try state.write(value)
    }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy keyType: NestedKey.Type
    ) -> KeyedEncodingContainer<NestedKey> {
        begin()
        return StreamEncoder(state: state, depth: depth).container(keyedBy: keyType)
    }

    mutating func nestedUnkeyedContainer() -> any UnkeyedEncodingContainer {
        begin()
        return StreamEncoder(state: state, depth: depth).unkeyedContainer()
    }

    func superEncoder() -> any Encoder {
        preconditionFailure("coders of superclasses are not supported")
    }
}
