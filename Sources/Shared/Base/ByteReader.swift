/// What a reader found missing.
public struct ByteReaderError: Error, Equatable {
    /// Where the value should have begun.
    public let offset: Int

    /// Missing at `offset`.
    public init(offset: Int) { self.offset = offset }
}

/// A position in bytes that are passed to each call; it holds none itself.
public struct ByteReader: Sendable {
    /// The next byte to read.
    public private(set) var offset: Int

    /// A reader that begins at `offset`.
    public init(at offset: Int = 0) { self.offset = offset }

    /// How many bytes are left.
    public func remaining(in span: Span<UInt8>) -> Int { span.count - offset }

    /// Reads one byte.
    public mutating func uint8(_ span: Span<UInt8>) throws(ByteReaderError) -> UInt8 {
        guard remaining(in: span) >= 1 else { throw ByteReaderError(offset: offset) }
        defer { offset += 1 }
        return span[offset]
    }

    /// Reads two bytes, high first.
    public mutating func uint16(_ span: Span<UInt8>) throws(ByteReaderError) -> UInt16 {
        UInt16(truncatingIfNeeded: try number(span, 2))
    }

    /// Reads four bytes, high first.
    public mutating func uint32(_ span: Span<UInt8>) throws(ByteReaderError) -> UInt32 {
        UInt32(truncatingIfNeeded: try number(span, 4))
    }

    /// Reads eight bytes, high first.
    public mutating func uint64(_ span: Span<UInt8>) throws(ByteReaderError) -> UInt64 {
        try number(span, 8)
    }

    /// Takes the next `length` bytes as a range.
    public mutating func range(
        _ span: Span<UInt8>, length: Int
    ) throws(ByteReaderError) -> Range<Int> {
        guard length >= 0, remaining(in: span) >= length else {
            throw ByteReaderError(offset: offset)
        }
        defer { offset += length }
        return offset..<offset + length
    }

    private mutating func number(
        _ span: Span<UInt8>, _ width: Int
    ) throws(ByteReaderError) -> UInt64 {
        guard remaining(in: span) >= width else { throw ByteReaderError(offset: offset) }
        var value: UInt64 = 0
        for index in offset..<offset + width { value = value << 8 | UInt64(span[index]) }
        offset += width
        return value
    }
}
