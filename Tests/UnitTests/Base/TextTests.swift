import Base
import Testing

/// Codings of bytes as text: what is read has one spelling, so that equal means equal.
struct TextTests {
    @Test func `hex goes out in lower case and comes in in either`() {
        #expect(Hex.encode([0x00, 0x9F, 0xFA] as [UInt8]) == "009ffa")
        #expect(Hex.decode("009fFA") == [0x00, 0x9F, 0xFA])
        #expect(Hex.decode("") == [])
        #expect(Hex.decode("0") == nil && Hex.decode("0g") == nil && Hex.decode("é0") == nil)
    }

    @Test(arguments: [
        ("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg=="),
        ("fooba", "Zm9vYmE="), ("foobar", "Zm9vYmFy"),
    ])
    func `base64 follows the examples of RFC 4648`(plain: String, coded: String) {
        let bytes = Array(plain.utf8)
        #expect(Base64.encode(bytes) == coded && Base64.decode(coded) == bytes)
        let bare = coded.filter { $0 != "=" }
        #expect(Base64.encodeURL(bytes) == bare && Base64.decodeURL(bare) == bytes)
    }

    @Test(arguments: [
        "Zg", "Zg=", "Zg===", "Zh==", "Zm9=", "Z===", "====", "Zm9v\n", "Zm-v", "=Zg=",
    ])
    func `a second spelling of plain base64 is refused`(text: String) {
        #expect(Base64.decode(text) == nil)
    }

    @Test(arguments: ["Z", "Zh", "Zg==", "Zm+v", "Zm/v", "Zm9", "Zm 9"])
    func `a second spelling of base64url is refused`(text: String) {
        #expect(Base64.decodeURL(text) == nil)
    }

    @Test func `random bytes come back from every coding`() {
        let random = SeededRandom(seed: 4_648)
        for length in 0..<300 {
            let bytes = random.bytes(length)
            #expect(Base64.decode(Base64.encode(bytes)) == bytes)
            #expect(Base64.decodeURL(Base64.encodeURL(bytes)) == bytes)
            #expect(Hex.decode(Hex.encode(bytes)) == bytes)
        }
    }

    @Test func `percent coding escapes all but the unreserved`() {
        #expect(Percent.encode("a-Z_0.~ /é%+") == "a-Z_0.~%20%2F%C3%A9%25%2B")
        #expect(Percent.decode("a%20b%C3%A9+%2f".utf8) == "a bé+/")
        #expect(Percent.decode("a+b%2B".utf8, plusIsSpace: true) == "a b+")
        for broken in ["%", "%1", "%g0", "%0g", "a%", "%FF", "%C3", "%ED%A0%80"] {
            #expect(Percent.decode(broken.utf8) == nil, "\(broken)")
        }
    }

    @Test func `a secret shows nothing of itself`() {
        let secret = Secret("hunter2")
        var dumped = ""
        dump(secret, to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), "\([secret])", dumped] {
            #expect(!text.contains("104") && !text.contains("hunter"))
        }
        #expect(secret.reveal() == Array("hunter2".utf8) && secret.count == 7)
        #expect(secret == Secret("hunter2") && secret != Secret("hunter3") && secret != Secret(""))
    }
}
