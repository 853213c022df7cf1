import Base
import Domain
import Testing

// A node's identity is its address: each has one spelling, two that mean the same become equal,
// and what could be read in two ways is refused (federation §1).
struct ServerAddressTests {
    @Test(arguments: [
        ("example.org", "example.org"),
        ("Example.ORG", "example.org"),
        ("example.org:443", "example.org"),
        ("example.org:80", "example.org:80"),
        ("example.org:3032", "example.org:3032"),
        ("localhost", "localhost"),
        ("localhost:1", "localhost:1"),
        ("a", "a"),
        ("a-b.c-d", "a-b.c-d"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("127.0.0.1:3032", "127.0.0.1:3032"),
        ("255.255.255.255", "255.255.255.255"),
        ("1.example", "1.example"),
        ("0xab.example", "0xab.example"),
        ("example.x0", "example.x0"),
        ("[::1]", "[::1]"),
        ("[::1]:443", "[::1]"),
        ("[::1]:3032", "[::1]:3032"),
        ("[2001:DB8::0:1]", "[2001:db8::1]"),
        ("[0:0:0:0:0:0:0:1]:65535", "[::1]:65535"),
        ("[2001:db8:0:0:1:0:0:1]", "[2001:db8::1:0:0:1]"),
    ])
    func `a valid one has one spelling`(_ text: String, _ normal: String) throws {
        let address = try #require(ServerAddress(text))
        #expect(address.text == normal)
        #expect(ServerAddress(normal) == address)
        #expect(ServerAddress(normal)?.hashValue == address.hashValue)
    }

    @Test(arguments: [
        "", ".", "a.", ".a", "a..b", "-a", "a-", "a.-b", "a-.b", "a_b", "a b", " a", "a ", "a\n",
        "bücher.example", "例え.example", "ａ.example", "a%2eb", "a/b", "a/", "https://a", "u@a",
        "a?b", "a#b", "a:", ":80", "a:0", "a:080", "a:65536", "a:99999", "a:123456", "a:+80",
        "a:-1", "a:8 0", "a:80:80", "a:１", "1", "1.2", "127.1", "1.2.3", "1.2.3.4.5", "256.1.1.1",
        "01.2.3.4", "1.2.3.04", "0x7f.0.0.1", "0x7f000001", "1.0x2", "a.0x", "a.123", "a.1",
        "1.2.3.4.", "2130706433", "::1", "[::1", "[::1]x", "[::1]:", "[::1]:0", "[]", "[1.2.3.4]",
        "[::1%eth0]", "[:::]", "[1::2::3]", "[12345::]", "[a]", "[[::1]]", "a\0", "a]:1",
        String(repeating: "a", count: 64), String(repeating: "a", count: 64) + ".example",
        Array(repeating: String(repeating: "a", count: 63), count: 4).joined(separator: "."),
        String(repeating: "a.", count: 200) + "a",
    ])
    func `what is none, or has two readings, is refused`(_ text: String) {
        #expect(ServerAddress(text) == nil)
    }

    @Test func `the longest name is 253 characters in labels of 63`() {
        let label = String(repeating: "a", count: 63)
        let longest = "\(label).\(label).\(label).\(String(repeating: "a", count: 61))"
        #expect(longest.utf8.count == 253)
        #expect(ServerAddress(longest) != nil)
        #expect(ServerAddress(longest + ":65535") != nil)
        #expect(ServerAddress(longest + "a") == nil)
    }

    @Test func `host and port are what to connect to`() throws {
        let name = try #require(ServerAddress("Example.org"))
        #expect(name.host == .name("example.org"))
        #expect(name.port == 443)
        let four = try #require(ServerAddress("10.0.0.1:8080"))
        #expect(four.host == IPAddress("10.0.0.1").map(ServerAddress.Host.address))
        #expect(four.port == 8080)
        let six = try #require(ServerAddress("[2001:db8::1]:80"))
        #expect(six.host == IPAddress("2001:db8::1").map(ServerAddress.Host.address))
        #expect(six.hostText == "[2001:db8::1]")
    }

    @Test func `a URL leaves out its scheme's own port and no other`() throws {
        let cases = [
            ("a.example", "a.example", "a.example:443"),
            ("a.example:80", "a.example:80", "a.example"),
            ("a.example:3032", "a.example:3032", "a.example:3032"),
            ("[::1]:80", "[::1]:80", "[::1]"),
        ]
        for (text, https, http) in cases {
            let address = try #require(ServerAddress(text))
            #expect(address.authority(secure: true) == https)
            #expect(address.authority(secure: false) == http)
        }
    }

    @Test func `what is read prints as itself, whatever the bytes`() {
        let random = SeededRandom(seed: 7)
        let alphabet = Array("abz019-.:[]xX@%_é".unicodeScalars)
        for _ in 0..<5000 {
            var scalars = String.UnicodeScalarView()
            for _ in 0..<(1 + random.next(below: 12)) {
                scalars.append(alphabet[random.next(below: alphabet.count)])
            }
            guard let address = ServerAddress(String(scalars)) else { continue }
            #expect(ServerAddress(address.text) == address)
            #expect(!address.text.hasSuffix(":443"))
            #expect(address.text == address.text.lowercased())
        }
    }

    @Test func `id and query must agree, and one's own node is nobody else`() throws {
        let home = try #require(ServerAddress("a.example"))
        let other = try #require(ServerAddress("b.example"))
        #expect(try ServerAddress.agreed(nil, nil, home: home) == nil)
        #expect(try ServerAddress.agreed(home, nil, home: home) == nil)
        #expect(try ServerAddress.agreed(nil, other, home: home) == other)
        #expect(try ServerAddress.agreed(other, nil, home: home) == other)
        #expect(try ServerAddress.agreed(other, other, home: home) == other)
        let error = #expect(throws: APIError.self) {
            try ServerAddress.agreed(home, other, home: home)
        }
        #expect(error?.code == .serverInvalidInput)
    }
}
