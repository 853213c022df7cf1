import Base
import COpenSSL

/// The private half of an Ed25519 key pair, RFC 8032.
public struct Ed25519PrivateKey: Sendable {
    /// The 32 bytes that the pair is derived from.
    public let seed: Secret
    /// The public half.
    public let publicKey: Ed25519PublicKey
    private let handle: KeyHandle

    /// How many bytes a seed has.
    public static let seedLength = 32

    /// A new pair.
    public static func generate(random: any RandomSource = SystemRandom()) -> Ed25519PrivateKey {
        guard let key = Ed25519PrivateKey(seed: Secret(random.bytes(seedLength))) else {
            preconditionFailure("32 bytes are a seed")
        }
        return key
    }

    /// The pair of a seed; nil when it has not 32 bytes.
    public init?(seed: Secret) {
        guard seed.count == Self.seedLength, let handle = KeyHandle(privateSeed: seed),
            let publicKey = Ed25519PublicKey(handle.publicBytes())
        else { return nil }
        self.seed = seed
        self.handle = handle
        self.publicKey = publicKey
    }

    /// The 64-byte signature of a message.
    public func sign(_ message: [UInt8]) -> [UInt8] { handle.sign(message) }
}

/// The public half of an Ed25519 key pair.
///
/// Stricter than OpenSSL 3.0, which takes points of small order and more than one spelling of a
/// point: with those, one signature may fit many messages, or one key have several ids.
public struct Ed25519PublicKey: Sendable, Hashable {
    /// The 32 bytes of the point.
    public let bytes: [UInt8]
    private let handle: KeyHandle

    /// How many bytes a key has.
    public static let length = 32
    /// How many bytes a signature has.
    public static let signatureLength = 64

    /// The key in these bytes; nil for another length, another spelling, or small order.
    ///
    /// Bytes that are no point of the curve pass here; nothing verifies with them.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.length, Self.isCanonical(bytes), !Self.isSmallOrder(bytes),
            let handle = KeyHandle(publicBytes: bytes)
        else { return nil }
        self.bytes = bytes
        self.handle = handle
    }

    /// The key in this base64url text.
    public init?(base64URL text: some StringProtocol) {
        guard let bytes = Base64.decodeURL(text) else { return nil }
        self.init(bytes)
    }

    /// The key as nodes publish it: base64url.
    public var base64URL: String { Base64.encodeURL(bytes) }

    /// The first 16 hexadecimal digits of the key's SHA-256.
    public var id: String { String(SHA256.hash(bytes).hex.prefix(16)) }

    /// Whether `signature` is this key's for `message`.
    public func verify(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        guard signature.count == Self.signatureLength,
            Self.isLess(signature[32...], than: Self.groupOrder)
        else { return false }
        return handle.verify(signature, of: message)
    }

    /// The same point.
    public static func == (a: Ed25519PublicKey, b: Ed25519PublicKey) -> Bool { a.bytes == b.bytes }

    /// Hashes the point.
    public func hash(into hasher: inout Hasher) { hasher.combine(bytes) }

    /// RFC 8032 §5.1.3 step 1: y, without the bit that stands for the sign of x, is below p.
    private static func isCanonical(_ bytes: [UInt8]) -> Bool {
        isLess(withoutSign(bytes)[...], than: fieldPrime)
    }

    /// Whether the point, whatever its sign, is one of the eight whose order divides 8.
    private static func isSmallOrder(_ bytes: [UInt8]) -> Bool {
        smallOrder.contains(withoutSign(bytes))
    }

    private static func withoutSign(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        bytes[31] &= 0x7F
        return bytes
    }

    /// Compares numbers of 32 bytes, low byte first. All of them are public.
    private static func isLess(_ a: ArraySlice<UInt8>, than b: [UInt8]) -> Bool {
        for (left, right) in zip(a.reversed(), b.reversed()) where left != right {
            return left < right
        }
        return false
    }

    private static func number(_ hex: String) -> [UInt8] { Hex.decode(hex) ?? [] }

    /// p = 2^255 - 19.
    private static let fieldPrime = number(
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f")

    /// L, the order of the base point, below which S has to be (RFC 8032 §5.1.7 step 1).
    private static let groupOrder = number(
        "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")

    /// The y of the points of order 4, 1, 2, and the two of order 8.
    private static let smallOrder: [[UInt8]] = [
        number("0000000000000000000000000000000000000000000000000000000000000000"),
        number("0100000000000000000000000000000000000000000000000000000000000000"),
        number("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"),
        number("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
        number("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    ]
}

/// OpenSSL's form of one half.
// SAFETY: the key is freed with the last reference; OpenSSL only reads it when it signs or
// verifies, so threads may share it. Buffers outlive the calls they are lent to.
@safe private final class KeyHandle: @unchecked Sendable {
    private let key: OpaquePointer

    init?(privateSeed seed: Secret) {
        guard
            let made = unsafe EVP_PKEY_new_raw_private_key(
                EVP_PKEY_ED25519, nil, seed.reveal(), seed.count)
        else { return nil }
        unsafe key = made
    }

    init?(publicBytes bytes: [UInt8]) {
        guard
            let made = unsafe EVP_PKEY_new_raw_public_key(
                EVP_PKEY_ED25519, nil, bytes, bytes.count)
        else { return nil }
        unsafe key = made
    }

    deinit { unsafe EVP_PKEY_free(key) }

    func publicBytes() -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Ed25519PublicKey.length)
        var length = bytes.count
        let done = unsafe EVP_PKEY_get_raw_public_key(key, &bytes, &length)
        precondition(done == 1 && length == bytes.count, "a key without public half")
        return bytes
    }

    func sign(_ message: [UInt8]) -> [UInt8] {
        let context = unsafe EVP_MD_CTX_new()
        defer { unsafe EVP_MD_CTX_free(context) }
        var signature = [UInt8](repeating: 0, count: Ed25519PublicKey.signatureLength)
        var length = signature.count
        let done =
            unsafe EVP_DigestSignInit(context, nil, nil, nil, key) == 1
            && EVP_DigestSign(context, &signature, &length, message, message.count) == 1
        precondition(done && length == signature.count, "signing failed")
        return signature
    }

    func verify(_ signature: [UInt8], of message: [UInt8]) -> Bool {
        let context = unsafe EVP_MD_CTX_new()
        defer { unsafe EVP_MD_CTX_free(context) }
        // A signature that does not verify leaves entries in the thread's queue of errors.
        defer { ERR_clear_error() }
        return unsafe EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1
            && EVP_DigestVerify(
                context, signature, signature.count, message, message.count) == 1
    }
}
