import Base
import Domain
import Testing

// The tests' own framework has a type of this name.
private typealias Tag = Domain.Tag

// What people write is checked once, where it comes in: lengths are counted in characters, and
// nothing that moves a cursor or turns a line gets through.
struct NamesTests {
    static func made(_ kind: String, _ text: String) -> String? {
        switch kind {
        case "username": Username(text)?.text
        case "displayname": DisplayName(text)?.text
        case "description": Description(text)?.text
        case "world description": WorldDescription(text)?.text
        case "world title": WorldTitle(text)?.text
        case "instance title": InstanceTitle(text)?.text
        case "instance name": InstanceName(text)?.text
        case "email": EmailAddress(text)?.text
        case "label": AssetLabel(text)?.text
        case "search": SearchText(text)?.text
        case "ins": InsName(text)?.text
        case "login": LoginName(text)?.text
        default: nil
        }
    }

    static func a(_ count: Int) -> String { String(repeating: "a", count: count) }

    /// Characters that are no blanks and show nothing.
    static let invisible = [
        "\u{200B}", "\u{200D}", "\u{2060}", "\u{FEFF}", "\u{3164}", "\u{2800}", "\u{301}",
        "\u{E0041}", "\u{34F}",
    ]

    @Test(arguments: [
        ("username", ["adal", "Ada_1", a(17), "A123"]),
        (
            "displayname",
            ["Ada", "日本語", "नमस्ते", "Ada Lovelace", String(repeating: "é", count: 32), "👩‍🚀 x"]
        ),
        (
            "description",
            ["", a(512), "two\nlines", "tab\there", String(repeating: "日", count: 512)]
        ),
        ("world description", ["", a(1024)]),
        ("world title", ["x", a(64), "Café №1"]),
        ("instance title", ["x", a(64)]),
        ("instance name", ["abc", a(32), "a.b_c-1", "0f3a9c"]),
        ("email", ["a@b", "ada@example.org", "ada+x@例え.example", a(252) + "@b"]),
        ("label", ["1", "1.0.0", "unity", "Windows+x_64-1", a(32)]),
        ("search", ["", "ada", a(128)]),
        ("ins", ["ins-1", "A", a(64)]),
        ("login", ["x", "ada@example.org", a(254)]),
    ])
    func `a valid one is kept as it is`(_ kind: String, _ texts: [String]) {
        for text in texts { #expect(Self.made(kind, text) == text, "\(kind)") }
    }

    @Test(arguments: [
        (
            "username",
            ["", "ada", a(18), "1ada", "_ada", "ada l", "ada-l", "adé_", "ada\0", "@ada"]
        ),
        ("displayname", ["", "ab", a(33), "   ", "a\nbc", "a\u{7}bc", "ab\u{202E}c", "ab\u{85}"]),
        ("displayname", invisible.map { String(repeating: $0, count: 3) }),
        ("displayname", ["\u{200E}abc", "abc\u{200F}", "\u{61C}abc"]),
        ("world title", invisible),
        (
            "description",
            [a(513), "\0", "a\u{1B}[0m", "\u{2066}", String(repeating: "日", count: 513)]
        ),
        ("world description", [a(1025), "\u{7F}"]),
        ("world title", ["", a(65), " ", "a\nb", "a\u{2028}b"]),
        ("instance title", ["", a(65)]),
        ("instance name", ["", "ab", a(33), "Lobby", "a b", "ab/", "äbc"]),
        ("email", ["", "a", "@", "a@", "@b", "a@b@c", "a b@c", "a@b\n", a(253) + "@b"]),
        ("email", ["a@b@\u{301}c", "a@\u{301}b@c"]),
        ("label", ["", a(33), "a b", "a/b", "a:b", "é", "a@b", "..\\"]),
        ("search", [a(129), "\0"]),
        ("ins", ["", a(65), "a b", "a:b"]),
        ("login", ["", a(255), "a\nb"]),
    ])
    func `what is too short, too long or of other characters is refused`(
        _ kind: String, _ texts: [String]
    ) {
        for text in texts {
            #expect(Self.made(kind, text) == nil, "\(kind): \(text.debugDescription)")
        }
    }

    @Test func `a character with a thousand accents is not one character`() {
        // Grapheme clusters have no bound: counted so, a name could hold a megabyte.
        #expect(DisplayName("abc" + String(repeating: "\u{301}", count: 1000)) == nil)
    }

    @Test func `names are compared without regard to case`() throws {
        let (one, other) = (try #require(Username("Ada_L")), try #require(Username("aDA_l")))
        #expect(one != other)
        #expect(one.folded == other.folded)
        #expect(DisplayName(one).text == "Ada_L")
    }

    @Test func `an instance without a name gets six hex digits`() {
        let random = SeededRandom(seed: 1)
        for _ in 0..<200 {
            let name = InstanceName.make(random: random).text
            #expect(name.utf8.count == 6)
            #expect(Hex.decode(name) != nil)
        }
    }

    @Test func `a login name may be an id, a name or an email address`() {
        #expect(LoginName("ada_l")?.username == Username("ada_l"))
        #expect(LoginName("ada@example.org")?.email == EmailAddress("ada@example.org"))
        #expect(LoginName(IDTests.sample)?.id == UserID(IDTests.sample))
        #expect(LoginName("?")?.username == nil)
    }

    @Test func `every sample is valid, and every schema says string`() {
        func check<Scalar: TextScalar>(_ type: Scalar.Type) {
            #expect(Scalar(Scalar.sample.text) == Scalar.sample, "\(type)")
            #expect(Scalar.jsonSchema["type"] == "string", "\(type)")
            #expect(!Scalar.expectation.isEmpty, "\(type)")
        }
        check(Username.self)
        check(DisplayName.self)
        check(Description.self)
        check(WorldDescription.self)
        check(WorldTitle.self)
        check(InstanceTitle.self)
        check(ServerTitle.self)
        check(SoftwareVersion.self)
        check(InstanceName.self)
        check(EmailAddress.self)
        check(AssetLabel.self)
        check(SearchText.self)
        check(InsName.self)
        check(LoginName.self)
        check(ContentHash.self)
        check(NodeKeyText.self)
        check(WebURL.self)
        check(SecureURL.self)
        check(Tag.self)
        check(ServerAddress.self)
        check(UserID.self)
        check(UserReference.self)
        check(WorldReference.self)
        check(UserSelector.self)
        check(InstanceSelector.self)
    }

    @Test func `no text makes a check fail in another way than by nil`() {
        let random = SeededRandom(seed: 9)
        for _ in 0..<3000 {
            let text = String(decoding: random.bytes(random.next(below: 80)), as: UTF8.self)
            for kind in ["username", "displayname", "description", "email", "label", "login"] {
                if let made = Self.made(kind, text) { #expect(made == text) }
            }
            if let url = WebURL("https://" + text) { #expect(WebURL(url.text) == url) }
            if let tag = Tag(text) { #expect(tag.text == text) }
            if let selector = UserSelector(text) {
                #expect(UserSelector(selector.text) == selector)
            }
        }
    }

    @Test func `a capacity is 1 to 1024`() throws {
        #expect(Capacity(0) == nil)
        #expect(Capacity(1)?.count == 1)
        #expect(Capacity(1024)?.count == 1024)
        #expect(Capacity(1025) == nil)
        #expect(Capacity.standard.count == 32)
        #expect(FileSize(-1) == nil)
        #expect(FileSize(1 << 53) == nil)
        #expect(FileSize((1 << 53) - 1) != nil)
        let error = #expect(throws: InvalidFields.self) {
            try JSONCoder.decode(Capacity.self, from: 0)
        }
        #expect(error?.problems.first?.message == "must be a whole number from 1 to 1024")
    }

    @Test func `a hash is kept in lower case`() throws {
        let upper = String(repeating: "AB", count: 32)
        let hash = try #require(ContentHash(upper))
        #expect(hash.text == upper.lowercased())
        #expect(ContentHash(bytes: hash.bytes) == hash)
        #expect(ContentHash(String(upper.dropLast())) == nil)
        #expect(ContentHash(String(repeating: "g", count: 64)) == nil)
        let key = try #require(NodeKeyText(bytes: [UInt8](repeating: 7, count: 32)))
        #expect(NodeKeyText(key.text)?.bytes == key.bytes)
        #expect(NodeKeyText(String(repeating: "B", count: 43)) == nil, "not canonical")
    }
}

// Pictures and files named by URL: only the web, and whose it is can be told.
struct WebURLTests {
    @Test(arguments: [
        ("https://example.org/a.png", "example.org", "/a.png"),
        ("https://Example.org:443/a", "example.org", "/a"),
        ("http://example.org/a", "example.org:80", "/a"),
        ("http://example.org:3032/a?b=c:d", "example.org:3032", "/a?b=c:d"),
        ("http://[::1]/a", "[::1]:80", "/a"),
        ("http://[::1]:3032", "[::1]:3032", ""),
        ("https://example.org?x", "example.org", "?x"),
        ("http://example.org:443/", "example.org", "/"),
    ])
    func `address and path are told apart`(_ text: String, _ server: String, _ path: String) throws
    {
        let url = try #require(WebURL(text))
        #expect(url.server.text == server)
        #expect(url.path == path)
        #expect(WebURL(url.text) == url)
    }

    @Test(arguments: [
        "", "example.org", "//example.org", "ftp://example.org", "javascript:alert(1)", "https://",
        "https:///a", "https://u:p@example.org/", "https://example.org/ a",
        "https://example.org/#a",
        "https://example.org/é", "https://1.2/", "HTTPS://example.org", "https://example.org:0/",
        "https://example.org\\a", "https://" + String(repeating: "a", count: 2050),
    ])
    func `anything else is refused`(_ text: String) {
        #expect(WebURL(text) == nil)
    }

    @Test func `a secure one is https`() {
        #expect(SecureURL("https://example.org/x") != nil)
        #expect(SecureURL("http://example.org/x") == nil)
    }

    @Test func `a gateway reads and writes its field, and both of its objects`() throws {
        let gateway = try #require(Gateway(field: "true example.org"))
        #expect(gateway.secure)
        #expect(gateway.field == "true example.org")
        #expect(
            gateway.origins == GatewayOrigins(http: "https://example.org", ws: "wss://example.org"))
        #expect(gateway.url("/api/time").text == "https://example.org/api/time")
        let plain = try #require(Gateway(field: "false 127.0.0.1:3032"))
        #expect(plain.origins.ws == "ws://127.0.0.1:3032")
        for bad in ["", "true", "yes example.org", "true exa mple", "true example.org x"] {
            #expect(Gateway(field: bad) == nil)
        }
        let old: JSONValue = ["http": "http://b.example:3032", "ws": "ws://b.example:3032"]
        #expect(try JSONCoder.decode(Gateway.self, from: old).field == "false b.example:3032")
        let new: JSONValue = ["secure": true, "address": "b.example"]
        #expect(JSONCoder.value(try JSONCoder.decode(Gateway.self, from: new)) == new)
    }
}

// A password that can be set is long enough and nobody's first guess.
struct PasswordTests {
    @Test(arguments: ["12345678", "password", "PASSWORD", "PassWord123", "iloveyou", "qwertyuiop"])
    func `what everybody tries first is refused`(_ text: String) {
        #expect(Password(text) == nil)
    }

    @Test func `lengths are counted in characters`() {
        #expect(Password("seven77") == nil)
        #expect(Password("eight888") != nil)
        #expect(Password("日本語日本語日本") != nil)
        #expect(Password(String(repeating: "x", count: 256)) != nil)
        #expect(Password(String(repeating: "日", count: 256)) != nil)
        #expect(Password(String(repeating: "x", count: 257)) == nil)
    }

    @Test func `a refusal never repeats what was sent`() {
        let error = #expect(throws: InvalidFields.self) {
            try JSONCoder.decode(Password.self, from: "seven77")
        }
        #expect(error?.problems.contains { $0.message.contains("seven77") } == false)
    }

    @Test func `an attempt may be anything`() {
        #expect(PasswordAttempt("") != nil)
        #expect(PasswordAttempt("x")?.secret == Secret("x"))
        #expect(PasswordAttempt(String(repeating: "x", count: 1025)) == nil)
    }
}
