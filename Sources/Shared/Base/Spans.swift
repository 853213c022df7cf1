extension Span where Element == UInt8 {
    // SAFETY: the pointer lives as long as the closure, in which the array copies all of it.
    /// A copy of what it shows.
    public func array() -> [UInt8] {
        unsafe withUnsafeBufferPointer { unsafe [UInt8]($0) }
    }

    // SAFETY: the check keeps the eight bytes inside the span; no alignment is asked for.
    /// Eight bytes from `offset` on as one number, in the machine's order: to look at them at once.
    @inlinable public func word(at offset: Int) -> UInt64 {
        precondition(offset >= 0 && count - offset >= 8, "a word at \(offset) of \(count) bytes")
        return unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
    }
}

extension [UInt8] {
    // SAFETY: the pointer lives as long as the closure, in which the array copies all of it.
    /// Appends what a span shows.
    public mutating func append(_ span: Span<UInt8>) {
        unsafe span.withUnsafeBufferPointer { unsafe self.append(contentsOf: $0) }
    }

    // SAFETY: all loads and stores are inside `range`, which is checked to be inside the array.
    /// XORs the bytes of `range` with a mask of four that begins with byte `phase` of it, eight at
    /// a time: RFC 6455 §5.3. The mask is in network order.
    public mutating func mask(_ range: Range<Int>, with mask: UInt32, phase: Int = 0) {
        precondition(
            range.lowerBound >= 0 && range.upperBound <= count, "\(range) of \(count) bytes")
        let shift = UInt32(phase & 3) * 8
        let turned = shift == 0 ? mask : mask << shift | mask >> (32 - shift)
        let word = UInt64(turned) << 32 | UInt64(turned)
        let wide = word.bigEndian
        unsafe withUnsafeMutableBytes { bytes in
            var index = range.lowerBound
            while index + 8 <= range.upperBound {
                let value = unsafe bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)
                unsafe bytes.storeBytes(of: value ^ wide, toByteOffset: index, as: UInt64.self)
                index += 8
            }
            var place = 24
            while index < range.upperBound {
                unsafe bytes[index] ^= UInt8(truncatingIfNeeded: turned >> UInt32(place))
                place = place == 0 ? 24 : place - 8
                index += 1
            }
        }
    }
}
