import Base

/// Header fields in the order they were appended, kept as the very bytes that go onto the wire
/// (`Name: value`, CR, LF): made once, a constant set of them costs a copy of memory per response.
///
/// A name or value that would break out of its line is not taken: `isRefused` then says so, and
/// the serializer refuses the whole head rather than send it without the field.
public struct Fields: Sendable, Equatable {
    var block: [UInt8] = []
    /// Whether something was appended that may not stand in a head: CR, LF, NUL, a control.
    public private(set) var isRefused = false

    /// None.
    public init() {}

    /// These, in this order.
    public init(_ pairs: (FieldName, String)...) {
        for (name, value) in pairs { append(name, value) }
    }

    /// Whether there is none.
    public var isEmpty: Bool { block.isEmpty }

    /// How many there are.
    public var count: Int {
        var count = 0
        forEach { _, _ in count += 1 }
        return count
    }

    /// Appends one, whether or not the name is there already.
    public mutating func append(_ name: FieldName, _ value: String) {
        begin(name)
        var value = value
        value.withUTF8 { bytes in unsafe take(Span(_unsafeElements: bytes)) }
        end()
    }

    /// Appends one whose value is bytes.
    public mutating func append(_ name: FieldName, _ value: ArraySlice<UInt8>) {
        begin(name)
        take(value.span)
        end()
    }

    /// Appends one whose value is bytes.
    public mutating func append(_ name: FieldName, _ value: [UInt8]) { append(name, value[...]) }

    /// Appends one whose value is a number.
    public mutating func append(_ name: FieldName, decimal value: some BinaryInteger) {
        append(name, String(value))
    }

    /// Appends all of `other`.
    public mutating func append(_ other: Fields) {
        block.append(contentsOf: other.block)
        isRefused = isRefused || other.isRefused
    }

    /// Puts the value in place of all there were under that name.
    public mutating func set(_ name: FieldName, _ value: String) {
        remove(name)
        append(name, value)
    }

    /// Takes out all under that name.
    public mutating func remove(_ name: FieldName) {
        guard contains(name) else { return }
        self = keeping { !name.matches($0) }
    }

    /// Those whose name passes.
    public func keeping(_ isKept: (ArraySlice<UInt8>) -> Bool) -> Fields {
        var kept = Fields()
        kept.isRefused = isRefused
        kept.block.reserveCapacity(block.count)
        forEach { name, value in
            if isKept(name) { kept.append(parsed: name, value) }
        }
        return kept
    }

    /// Whether the name is there.
    public func contains(_ name: FieldName) -> Bool { bytes(name) != nil }

    /// The value of the first under that name, as text.
    public subscript(_ name: FieldName) -> String? {
        bytes(name).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The value of the first under that name.
    public func bytes(_ name: FieldName) -> ArraySlice<UInt8>? {
        var found: ArraySlice<UInt8>?
        forEach { other, value in
            if found == nil, name.matches(other) { found = value }
        }
        return found
    }

    /// The values of all under that name.
    public func all(_ name: FieldName) -> [ArraySlice<UInt8>] {
        var found: [ArraySlice<UInt8>] = []
        forEach { other, value in
            if name.matches(other) { found.append(value) }
        }
        return found
    }

    /// The elements of the comma-separated lists under that name, RFC 9110 §5.6.1.
    public func list(_ name: FieldName) -> [ArraySlice<UInt8>] { all(name).flatMap(Octet.list) }

    /// Calls `body` with each name and value in their order.
    public func forEach(_ body: (_ name: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) -> Void) {
        var index = 0
        while index < block.count {
            var colon = index
            while block[colon] != UInt8(ascii: ":") { colon += 1 }
            var end = colon + 2
            while block[end] != Octet.cr { end += 1 }
            body(block[index..<colon], block[colon + 2..<end])
            index = end + 2
        }
    }

    /// Appends a line that a parser has already found well-formed.
    mutating func append(parsed name: Span<UInt8>, _ value: Span<UInt8>) {
        block.append(name)
        block.append(UInt8(ascii: ":"))
        block.append(Octet.space)
        block.append(value)
        end()
    }

    /// Appends a line that a parser has already found well-formed.
    mutating func append(parsed name: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) {
        block.append(contentsOf: name)
        block.append(UInt8(ascii: ":"))
        block.append(Octet.space)
        block.append(contentsOf: value)
        end()
    }

    private mutating func begin(_ name: FieldName) {
        block.append(contentsOf: name.bytes)
        block.append(UInt8(ascii: ":"))
        block.append(Octet.space)
    }

    private mutating func take(_ value: Span<UInt8>) {
        for index in value.indices where !Octet.isValue(value[index]) {
            isRefused = true
            return
        }
        block.append(value)
    }

    private mutating func end() {
        block.append(Octet.cr)
        block.append(Octet.lf)
    }
}
