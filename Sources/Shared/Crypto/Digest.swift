import Base
import COpenSSL

/// The 32 bytes of a SHA-256, held as four words: cheap to copy, to compare and to hash.
public struct SHA256Digest: Sendable, Hashable {
    private let words: InlineWords

    /// How many bytes a digest has.
    public static let length = 32

    /// The digest in these 32 bytes; nil for another length.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.length else { return nil }
        words = InlineWords(bytes)
    }

    /// The digest in these 64 hexadecimal digits.
    public init?(hex: some StringProtocol) {
        guard let bytes = Hex.decode(hex) else { return nil }
        self.init(bytes)
    }

    init(raw: InlineArray<32, UInt8>) { words = InlineWords(raw) }

    /// The 32 bytes.
    public var bytes: [UInt8] {
        var all: [UInt8] = []
        all.reserveCapacity(Self.length)
        for word in [words.a, words.b, words.c, words.d] {
            for shift in stride(from: 56, through: 0, by: -8) {
                all.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
            }
        }
        return all
    }

    /// 64 lower-case hexadecimal digits.
    public var hex: String { Hex.encode(bytes) }

    /// The first eight bytes as a number: for what needs a well-spread key of one word.
    public var prefix: UInt64 { words.a }

    /// Four words in network order; a struct of its own so that equality and hashing are made.
    private struct InlineWords: Sendable, Hashable {
        let a, b, c, d: UInt64

        init(_ bytes: [UInt8]) {
            func word(_ start: Int) -> UInt64 {
                bytes[start..<start + 8].reduce(0) { $0 << 8 | UInt64($1) }
            }
            (a, b, c, d) = (word(0), word(8), word(16), word(24))
        }

        init(_ bytes: InlineArray<32, UInt8>) {
            func word(_ start: Int) -> UInt64 {
                var word: UInt64 = 0
                for index in start..<start + 8 { word = word << 8 | UInt64(bytes[index]) }
                return word
            }
            (a, b, c, d) = (word(0), word(8), word(16), word(24))
        }
    }
}

/// SHA-256, FIPS 180-4.
public enum SHA256 {
    /// The digest of an array.
    public static func hash(_ bytes: [UInt8]) -> SHA256Digest { hash(bytes.span) }

    /// The digest of a slice.
    public static func hash(_ bytes: ArraySlice<UInt8>) -> SHA256Digest { hash(bytes.span) }

    /// The digest of a text's UTF-8.
    public static func hash(_ text: String) -> SHA256Digest { hash(Array(text.utf8).span) }

    /// The digest of what a span shows.
    public static func hash(_ span: Span<UInt8>) -> SHA256Digest {
        SHA256Digest(raw: DigestAlgorithm.sha256.hash32(span))
    }

    /// A digest of bytes that come in parts.
    @safe public struct Incremental: ~Copyable, @unchecked Sendable {
        // SAFETY: `context` is made and freed here and never handed out; being unique, the value
        // may move between threads.
        private let context: OpaquePointer

        /// Nothing hashed yet.
        public init() {
            guard let made = unsafe EVP_MD_CTX_new() else { preconditionFailure("out of memory") }
            unsafe context = made
            unsafe DigestAlgorithm.sha256.begin(context)
        }

        deinit { unsafe EVP_MD_CTX_free(context) }

        /// Hashes more bytes.
        public mutating func update(_ bytes: [UInt8]) { update(bytes.span) }

        /// Hashes more bytes.
        public mutating func update(_ bytes: ArraySlice<UInt8>) { update(bytes.span) }

        /// Hashes more bytes.
        public mutating func update(_ span: Span<UInt8>) {
            unsafe DigestAlgorithm.update(context, span)
        }

        /// The digest of everything.
        public consuming func finish() -> SHA256Digest {
            unsafe SHA256Digest(raw: DigestAlgorithm.finish32(context))
        }
    }
}

/// HMAC with SHA-256, RFC 2104.
///
/// Composed here of two hashes: OpenSSL's own way makes and fetches three objects for each call.
public enum HMACSHA256 {
    private static let blockLength = 64

    /// The 32-byte tag of a message.
    public static func sign(_ message: [UInt8], key: Secret) -> [UInt8] {
        sign(message.span, key: key)
    }

    /// The 32-byte tag of a message.
    public static func sign(_ message: Span<UInt8>, key: Secret) -> [UInt8] {
        var block = key.reveal()
        if block.count > blockLength { block = SHA256.hash(block).bytes }
        var inner = InlineArray<64, UInt8>(repeating: 0x36)
        var outer = InlineArray<64, UInt8>(repeating: 0x5C)
        for index in block.indices {
            inner[index] ^= block[index]
            outer[index] ^= block[index]
        }
        let first = DigestAlgorithm.sha256.hash32(inner.span, message)
        return SHA256Digest(raw: DigestAlgorithm.sha256.hash32(outer.span, first.span)).bytes
    }

    /// Whether `tag` is the message's, compared in constant time.
    public static func verify(_ tag: [UInt8], message: [UInt8], key: Secret) -> Bool {
        constantTimeEqual(tag, sign(message, key: key))
    }
}

/// SHA-1, broken for everything but what it is here for: the accept key of RFC 6455 §4.2.2.
public enum SHA1 {
    /// The 20 bytes.
    public static func hash(_ bytes: [UInt8]) -> [UInt8] {
        DigestAlgorithm.sha1.hash20(bytes.span)
    }
}

/// An algorithm looked up once: the implicit look-up costs three times what hashing a token does.
// SAFETY: the `EVP_MD` is never freed and OpenSSL only reads it, so threads may share it. The
// context of a thread is used between `begin` and the end of the same synchronous function, which
// is never inlined into an async one, where another thread might continue. Spans outlive the calls.
@safe struct DigestAlgorithm: @unchecked Sendable {
    private let algorithm: OpaquePointer

    static let sha256 = DigestAlgorithm("SHA2-256")
    static let sha1 = DigestAlgorithm("SHA1")

    private init(_ name: String) {
        guard let found = unsafe EVP_MD_fetch(nil, name, nil) else {
            preconditionFailure("OpenSSL has no \(name)")
        }
        unsafe algorithm = found
    }

    @inline(never)
    func hash32(_ bytes: Span<UInt8>) -> InlineArray<32, UInt8> {
        let context = unsafe start()
        unsafe Self.update(context, bytes)
        return unsafe Self.finish32(context)
    }

    @inline(never)
    func hash32(_ first: Span<UInt8>, _ second: Span<UInt8>) -> InlineArray<32, UInt8> {
        let context = unsafe start()
        unsafe Self.update(context, first)
        unsafe Self.update(context, second)
        return unsafe Self.finish32(context)
    }

    @inline(never)
    func hash20(_ bytes: Span<UInt8>) -> [UInt8] {
        let context = unsafe start()
        unsafe Self.update(context, bytes)
        var out = [UInt8](repeating: 0, count: 20)
        let done = unsafe out.withUnsafeMutableBufferPointer { $0.baseAddress }
            .map { unsafe EVP_DigestFinal_ex(context, $0, nil) }
        precondition(done == 1, "a digest failed")
        return out
    }

    /// This thread's context, made at its first use and freed with the thread: making one costs
    /// more than hashing a token.
    private func start() -> OpaquePointer {
        var key = Self.threadKey
        let context: OpaquePointer
        if let found = unsafe CRYPTO_THREAD_get_local(&key) {
            unsafe context = OpaquePointer(found)
        } else {
            guard let made = unsafe EVP_MD_CTX_new() else { preconditionFailure("out of memory") }
            unsafe CRYPTO_THREAD_set_local(&key, UnsafeMutableRawPointer(made))
            unsafe context = made
        }
        unsafe begin(context)
        return unsafe context
    }

    private static let threadKey: CRYPTO_THREAD_LOCAL = {
        var key = CRYPTO_THREAD_LOCAL()
        let done = unsafe CRYPTO_THREAD_init_local(&key) { context in
            unsafe EVP_MD_CTX_free(context.map { OpaquePointer($0) })
        }
        precondition(done == 1, "no thread-local storage")
        return key
    }()

    func begin(_ context: OpaquePointer) {
        let begun = unsafe EVP_DigestInit_ex2(context, algorithm, nil)
        precondition(begun == 1, "a digest failed")
    }

    static func update(_ context: OpaquePointer, _ bytes: Span<UInt8>) {
        let done = unsafe bytes.withUnsafeBytes { bytes in
            unsafe EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
        }
        precondition(done == 1, "a digest failed")
    }

    static func finish32(_ context: OpaquePointer) -> InlineArray<32, UInt8> {
        var out = InlineArray<32, UInt8>(repeating: 0)
        var span = out.mutableSpan
        let done = unsafe span.withUnsafeMutableBufferPointer { buffer in
            unsafe EVP_DigestFinal_ex(context, buffer.baseAddress, nil)
        }
        precondition(done == 1, "a digest failed")
        return out
    }
}
