import Base
import Crypto
import Testing

/// RFC 8032 by its own examples, and what it forbids but libraries accept: a second spelling of a
/// key or a signature, and keys for which one signature fits many messages.
struct Ed25519Tests {
    static let examples: [(seed: String, key: String, message: String, signature: String)] = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
                + "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                + "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
                + "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ]

    @Test(arguments: examples)
    func `keys and signatures are those of RFC 8032`(
        seed: String, key: String, message: String, signature: String
    ) throws {
        let message = try #require(Hex.decode(message))
        let pair = try #require(Ed25519PrivateKey(seed: Secret(Hex.decode(seed) ?? [])))
        #expect(Hex.encode(pair.publicKey.bytes) == key)
        #expect(Hex.encode(pair.sign(message)) == signature)
        let alone = try #require(Ed25519PublicKey(Hex.decode(key) ?? []))
        #expect(alone == pair.publicKey)
        #expect(alone.verify(pair.sign(message), of: message))
    }

    @Test func `no bit of signature or message can be turned`() {
        let pair = Ed25519PrivateKey.generate(random: SeededRandom(seed: 7))
        let message = Array("who owns this address".utf8)
        let signature = pair.sign(message)
        for bit in 0..<signature.count * 8 {
            var bent = signature
            bent[bit / 8] ^= 1 << (bit % 8)
            #expect(!pair.publicKey.verify(bent, of: message))
        }
        for bit in 0..<message.count * 8 {
            var bent = message
            bent[bit / 8] ^= 1 << (bit % 8)
            #expect(!pair.publicKey.verify(signature, of: bent))
        }
        #expect(!pair.publicKey.verify(Array(signature.dropLast()), of: message))
        #expect(!pair.publicKey.verify(signature + [0], of: message))
        #expect(!pair.publicKey.verify([], of: message))
        let other = Ed25519PrivateKey.generate(random: SeededRandom(seed: 8))
        #expect(!other.publicKey.verify(signature, of: message))
    }

    @Test func `S plus the order of the group is refused`() throws {
        // The same signature to whoever does not look (RFC 8032 §5.1.7).
        let pair = Ed25519PrivateKey.generate(random: SeededRandom(seed: 9))
        let order = try #require(
            Hex.decode("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010"))
        var signature = pair.sign([1, 2, 3])
        var carry = 0
        for index in 0..<32 {
            let sum = Int(signature[32 + index]) + Int(order[index]) + carry
            signature[32 + index] = UInt8(sum & 255)
            carry = sum >> 8
        }
        #expect(!pair.publicKey.verify(signature, of: [1, 2, 3]))
    }

    @Test(arguments: [
        // Orders 4, 1, 2 and 8, with either sign of x.
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        // y = p, p + 1, 2^255 - 1: second spellings.
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ])
    func `points of small order and second spellings are no keys`(hex: String) throws {
        #expect(Ed25519PublicKey(try #require(Hex.decode(hex))) == nil)
    }

    @Test func `keys and seeds have 32 bytes`() {
        #expect(Ed25519PublicKey([UInt8](repeating: 9, count: 31)) == nil)
        #expect(Ed25519PublicKey([UInt8](repeating: 9, count: 33)) == nil)
        #expect(Ed25519PrivateKey(seed: Secret([UInt8](repeating: 9, count: 31))) == nil)
    }

    @Test func `a key is found again from its text and its seed`() throws {
        let pair = Ed25519PrivateKey.generate()
        #expect(Ed25519PublicKey(base64URL: pair.publicKey.base64URL) == pair.publicKey)
        #expect(Ed25519PrivateKey(seed: pair.seed)?.publicKey == pair.publicKey)
        #expect(pair.publicKey.id == SHA256.hash(pair.publicKey.bytes).hex.prefix(16))
    }
}
