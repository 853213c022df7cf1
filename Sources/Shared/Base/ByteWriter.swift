/// A growing buffer that owns its memory; numbers go in in network order.
@safe public struct ByteWriter: ~Copyable, @unchecked Sendable {
    // SAFETY: `storage` is allocated and freed here, never handed out but for the length of a
    // closure, and `count` never exceeds its size; being unique, it may move between threads.
    @usableFromInline var storage: UnsafeMutableRawBufferPointer
    @usableFromInline var filled = 0
    /// Bytes written.
    @inlinable public var count: Int { filled }

    /// An empty buffer; nothing is allocated before the first byte unless `capacity` asks.
    public init(capacity: Int = 0) {
        unsafe storage =
            capacity == 0
            ? UnsafeMutableRawBufferPointer(start: nil, count: 0)
            : .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { unsafe storage.deallocate() }

    /// Whether nothing is in it.
    public var isEmpty: Bool { count == 0 }

    /// How many bytes fit before it grows.
    public var capacity: Int { unsafe storage.count }

    /// Makes room for `extra` more bytes.
    @inlinable public mutating func reserve(_ extra: Int) {
        if count + extra > (unsafe storage.count) { grow(to: count + extra) }
    }

    @usableFromInline mutating func grow(to needed: Int) {
        let size = unsafe max(needed, storage.count * 2, 64)
        let grown = UnsafeMutableRawBufferPointer.allocate(byteCount: size, alignment: 16)
        if count > 0, let from = unsafe storage.baseAddress, let to = grown.baseAddress {
            unsafe to.copyMemory(from: from, byteCount: count)
        }
        unsafe storage.deallocate()
        unsafe storage = grown
    }

    /// Appends one byte.
    @inlinable public mutating func append(_ byte: UInt8) {
        reserve(1)
        unsafe storage[count] = byte
        filled += 1
    }

    /// Appends the bytes of an array.
    public mutating func append(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { source in unsafe append(copying: source) }
    }

    /// Appends the bytes of a slice.
    public mutating func append(_ bytes: ArraySlice<UInt8>) {
        unsafe bytes.withUnsafeBytes { source in unsafe append(copying: source) }
    }

    /// Appends what a span shows.
    public mutating func append(_ span: Span<UInt8>) {
        unsafe span.withUnsafeBytes { source in unsafe append(copying: source) }
    }

    /// Appends a text's UTF-8.
    public mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { source in
            unsafe append(copying: UnsafeRawBufferPointer(source))
        }
    }

    /// Appends a constant's UTF-8.
    public mutating func append(_ text: StaticString) {
        if text.hasPointerRepresentation {
            let length = text.utf8CodeUnitCount
            unsafe append(copying: UnsafeRawBufferPointer(start: text.utf8Start, count: length))
        } else {
            append(String(text.unicodeScalar))
        }
    }

    /// Appends memory; for the modules that own pointers.
    @unsafe public mutating func append(copying source: UnsafeRawBufferPointer) {
        let length = source.count
        guard length > 0 else { return }
        reserve(length)
        if let from = source.baseAddress, let to = unsafe storage.baseAddress {
            unsafe (to + count).copyMemory(from: from, byteCount: length)
        }
        filled += length
    }

    /// Appends a number of at most 64 bits in decimal.
    @inlinable public mutating func append(decimal number: some FixedWidthInteger) {
        append(digitsOf: UInt64(number.magnitude), negative: number < 0)
    }

    @usableFromInline mutating func append(digitsOf magnitude: UInt64, negative: Bool) {
        if negative { append(UInt8(ascii: "-")) }
        var rest = magnitude
        var digits = InlineArray<20, UInt8>(repeating: 0)
        var start = 20
        repeat {
            start -= 1
            digits[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest > 0
        reserve(20 - start)
        for index in start..<20 {
            unsafe storage[count] = digits[index]
            filled += 1
        }
    }

    /// Appends two bytes, high first.
    public mutating func append(bigEndian number: UInt16) {
        reserve(2)
        unsafe storage.storeBytes(of: number.bigEndian, toByteOffset: count, as: UInt16.self)
        filled += 2
    }

    /// Appends four bytes, high first.
    public mutating func append(bigEndian number: UInt32) {
        reserve(4)
        unsafe storage.storeBytes(of: number.bigEndian, toByteOffset: count, as: UInt32.self)
        filled += 4
    }

    /// Appends eight bytes, high first.
    public mutating func append(bigEndian number: UInt64) {
        reserve(8)
        unsafe storage.storeBytes(of: number.bigEndian, toByteOffset: count, as: UInt64.self)
        filled += 8
    }

    /// Overwrites four bytes that were written before, high first.
    public mutating func overwrite(bigEndian number: UInt32, at offset: Int) {
        precondition(offset >= 0 && offset + 4 <= count, "overwrite at \(offset) of \(count)")
        unsafe storage.storeBytes(of: number.bigEndian, toByteOffset: offset, as: UInt32.self)
    }

    /// Forgets what was written, and the memory too when it grew beyond `keeping` bytes.
    public mutating func removeAll(keeping limit: Int = 65_536) {
        filled = 0
        if unsafe storage.count > limit {
            unsafe storage.deallocate()
            unsafe storage = UnsafeMutableRawBufferPointer(start: nil, count: 0)
        }
    }

    /// Drops the first `length` bytes and moves the rest to the front.
    public mutating func removeFirst(_ length: Int) {
        precondition((0...count).contains(length), "removing \(length) of \(count) bytes")
        if length == count {
            filled = 0
        } else if length > 0, let base = unsafe storage.baseAddress {
            unsafe base.copyMemory(from: base + length, byteCount: count - length)
            filled -= length
        }
    }

    /// Cuts off what was written after the first `length` bytes.
    public mutating func truncate(to length: Int) {
        precondition((0...count).contains(length), "truncating \(count) bytes to \(length)")
        filled = length
    }

    /// Shows what was written.
    @inlinable public func withSpan<Result, Failure: Error>(
        _ body: (Span<UInt8>) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        let buffer = unsafe UnsafeRawBufferPointer(start: storage.baseAddress, count: count)
        let typed = unsafe buffer.bindMemory(to: UInt8.self)
        return try unsafe body(Span(_unsafeElements: typed))
    }

    /// Shows what was written, as memory; for the modules that own pointers.
    @inlinable @unsafe public func withUnsafeBytes<Result, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try unsafe body(UnsafeRawBufferPointer(start: storage.baseAddress, count: count))
    }

    /// Lets `fill` write up to `length` bytes at the end, and counts as many as it says it wrote.
    @inlinable @unsafe public mutating func append<Failure: Error>(
        upTo length: Int, _ fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Int
    ) throws(Failure) -> Int {
        reserve(length)
        let written = try unsafe fill(
            UnsafeMutableRawBufferPointer(rebasing: storage[count..<count + length]))
        precondition(written <= length, "wrote \(written) bytes into \(length)")
        filled += max(0, written)
        return written
    }

    /// A copy of what was written from `start` on.
    public func array(from start: Int) -> [UInt8] {
        precondition(start >= 0 && start <= count, "\(start) of \(count) bytes")
        return unsafe [UInt8](
            UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(storage)[start..<count]))
    }

    /// A copy of what was written.
    public func array() -> [UInt8] {
        unsafe [UInt8](UnsafeRawBufferPointer(start: storage.baseAddress, count: count))
    }

    /// Begins an item or, with `key`, a member of JSON: with a comma, unless a bracket that opens
    /// was the last byte.
    mutating func beginJSON(_ key: String?) {
        if filled > 0 {
            let last = unsafe storage[filled - 1]
            if last != UInt8(ascii: "{"), last != UInt8(ascii: "[") { append(UInt8(ascii: ",")) }
        }
        guard let key else { return }
        append(jsonString: key)
        append(UInt8(ascii: ":"))
    }
}
