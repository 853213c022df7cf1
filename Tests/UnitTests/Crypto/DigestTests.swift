import Base
import Crypto
import Testing

/// FIPS 180-4, RFC 4231 and RFC 6455 by their published examples; parts and wholes agree.
struct DigestTests {
    static let messages: [(String, String)] = [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ]

    @Test(arguments: messages)
    func `SHA-256 gives the published digests`(message: String, digest: String) {
        #expect(SHA256.hash(message).hex == digest)
        #expect(SHA256.hash(Array(message.utf8)[...]).hex == digest)
    }

    @Test func `a million bytes in uneven parts have the published digest`() {
        var hash = SHA256.Incremental()
        let part = [UInt8](repeating: UInt8(ascii: "a"), count: 997)
        for _ in 0..<1003 { hash.update(part) }
        hash.update(part[..<(1_000_000 - 997 * 1003)])
        #expect(
            hash.finish().hex == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
    }

    @Test func `cut anywhere, the parts have the digest of the whole`() {
        let bytes = SeededRandom(seed: 1).bytes(150)
        let whole = SHA256.hash(bytes)
        for cut in 0...bytes.count {
            var hash = SHA256.Incremental()
            hash.update(bytes[..<cut])
            hash.update(bytes[cut...])
            #expect(hash.finish() == whole)
        }
    }

    @Test func `a digest is read from bytes and digits of the right number alone`() throws {
        let digest = SHA256.hash("abc")
        #expect(SHA256Digest(digest.bytes) == digest)
        #expect(SHA256Digest(hex: digest.hex) == digest)
        #expect(SHA256Digest(Array(digest.bytes.dropLast())) == nil)
        #expect(SHA256Digest(hex: digest.hex + "00") == nil)
        #expect(SHA256Digest(hex: "g" + digest.hex.dropFirst()) == nil)
    }

    @Test func `an unfinished digest on a thread does not disturb another`() {
        var slow = SHA256.Incremental()
        slow.update(Array("ab".utf8))
        #expect(SHA256.hash("abc").hex == Self.messages[1].1)
        slow.update(Array("c".utf8))
        #expect(slow.finish().hex == Self.messages[1].1)
    }

    @Test func `many threads hash at once`() async {
        let all = await withTaskGroup(of: Bool.self) { group in
            for seed in 0..<16 {
                group.addTask {
                    let bytes = SeededRandom(seed: UInt64(seed)).bytes(100 + seed)
                    let first = SHA256.hash(bytes)
                    return (0..<500).allSatisfy { _ in SHA256.hash(bytes) == first }
                }
            }
            return await group.reduce(true) { $0 && $1 }
        }
        #expect(all)
    }

    @Test func `SHA-1 gives the accept key of RFC 6455`() {
        let key = "dGhlIHNhbXBsZSBub25jZQ==258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        #expect(Base64.encode(SHA1.hash(Array(key.utf8))) == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
    }

    static let tags: [(key: [UInt8], message: [UInt8], tag: String)] = [
        (
            [UInt8](repeating: 0x0B, count: 20), Array("Hi There".utf8),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"
        ),
        (
            Array("Jefe".utf8), Array("what do ya want for nothing?".utf8),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xAA, count: 20), [UInt8](repeating: 0xDD, count: 50),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"
        ),
        (
            Array(1...25), [UInt8](repeating: 0xCD, count: 50),
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"
        ),
        (
            [UInt8](repeating: 0xAA, count: 131),
            Array("Test Using Larger Than Block-Size Key - Hash Key First".utf8),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ]

    @Test(arguments: tags)
    func `HMAC gives the tags of RFC 4231`(key: [UInt8], message: [UInt8], tag: String) {
        #expect(Hex.encode(HMACSHA256.sign(message, key: Secret(key))) == tag)
    }

    @Test func `a tag fits its own message and key alone`() {
        let key = Secret("key")
        let message = Array("message".utf8)
        let tag = HMACSHA256.sign(message, key: key)
        #expect(HMACSHA256.verify(tag, message: message, key: key))
        #expect(!HMACSHA256.verify(tag, message: message + [0], key: key))
        #expect(!HMACSHA256.verify(tag, message: message, key: Secret("kez")))
        #expect(!HMACSHA256.verify(Array(tag.dropLast()), message: message, key: key))
        for bit in 0..<tag.count * 8 {
            var bent = tag
            bent[bit / 8] ^= 1 << (bit % 8)
            #expect(!HMACSHA256.verify(bent, message: message, key: key))
        }
    }
}
