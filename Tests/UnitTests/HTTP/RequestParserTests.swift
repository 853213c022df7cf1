import Base
import HTTP
import Testing

/// Heads of requests: what is read out of them, and what is refused so that no two parsers on the
/// way can disagree (RFC 9112 §11.2).
struct RequestParserTests {
    private static let browser =
        "GET /api/worlds/w_1?limit=20&q=%C3%A9 HTTP/1.1\r\nHost: node.example:3032\r\n"
        + "User-Agent: Nox/1.2 AVR(User)\r\nAccept: application/json\r\nAccept-Encoding: gzip\r\n"
        + "Authorization: Bearer abc\r\nX-Empty:\r\nIf-None-Match: \"a\", W/\"b\"\r\n"
        + "Connection: keep-alive\r\nCookie: \t a=b \t\r\n\r\n"

    private func parse(_ text: String) -> RequestHead? {
        let server = ServerTranscript()
        server.receive(text)
        return server.heads.first
    }

    private func outcome(_ text: String, limits: HTTPLimits = HTTPLimits()) -> String? {
        let server = ServerTranscript(limits: limits)
        server.receive(text)
        return server.happened().first
    }

    @Test func `the parts of a head are found`() throws {
        let head = try #require(parse(Self.browser))
        #expect(head.method == .get)
        #expect(head.path.elementsEqual("/api/worlds/w_1".utf8))
        #expect(Query(head.query ?? [])?["q"] == "é")
        #expect(head.fieldCount == 9)
        #expect(head.text(.userAgent) == "Nox/1.2 AVR(User)")
        #expect(head.text(.spelled("x-EMPTY")) == "")
        #expect(head.text(.spelled("cookie")) == "a=b")
        #expect(head.text(.range) == nil)
        #expect(
            head.list(.ifNoneMatch).map { String(decoding: $0, as: UTF8.self) }
                == ["\"a\"", "W/\"b\""])
        #expect(head.authority?.elementsEqual("node.example:3032".utf8) == true)
        #expect(head.bodyLength == 0)
    }

    @Test func `a head may be cut anywhere`() throws {
        let bytes = Array(Self.browser.utf8)
        for cut in 0...bytes.count {
            let server = ServerTranscript()
            server.receive(Array(bytes[..<cut]))
            server.receive(Array(bytes[cut...]))
            #expect(server.heads.first?.bytes == Array(bytes.dropLast(4)), "cut at \(cut)")
            #expect(server.heads.first?.fieldCount == 9)
            #expect(server.held == 0)
        }
        let server = ServerTranscript()
        for byte in bytes { server.receive([byte]) }
        #expect(server.heads.first?.bytes == Array(bytes.dropLast(4)))
        #expect(server.heads.first?.text(.authorization) == "Bearer abc")
    }

    @Test func `every method is known, and others have their name`() {
        for method in Method.allCases where method != .connect && method != .other {
            #expect(parse("\(method.name) / HTTP/1.1\r\nHost: x\r\n\r\n")?.method == method)
        }
        let other = parse("BREW-IT!NOW / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(other?.method == .other)
        #expect(other?.methodBytes.elementsEqual("BREW-IT!NOW".utf8) == true)
        #expect(parse("get / HTTP/1.1\r\nHost: x\r\n\r\n")?.method == .other)
    }

    @Test func `an absolute target names the host`() {
        let text = "GET http://a.example:80/p?q HTTP/1.1\r\nHost: b.example\r\n\r\n"
        #expect(parse(text)?.authority?.elementsEqual("a.example:80".utf8) == true)
        #expect(parse(text)?.path.elementsEqual("/p".utf8) == true)
        let root = parse("GET HTTPS://[::1]:1?q=1 HTTP/1.1\r\nHost: b.example\r\n\r\n")
        #expect(root?.path.elementsEqual("/".utf8) == true)
        #expect(root?.query?.elementsEqual("q=1".utf8) == true)
        #expect(root?.authority?.elementsEqual("[::1]:1".utf8) == true)
    }

    @Test func `empty lines before a request are overlooked`() {
        #expect(outcome("\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n") == "request /")
        #expect(outcome("\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n") == "reject 400")
        #expect(outcome("\nGET / HTTP/1.1\r\nHost: x\r\n\r\n") == "reject 400")
    }

    @Test(arguments: [
        // First lines.
        ("GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400), ("GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 400),
        (" GET / HTTP/1.1\r\nHost: x\r\n\r\n", 400), ("GET /\r\nHost: x\r\n\r\n", 400),
        ("GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", 400), ("G(T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET / http/1.1\r\nHost: x\r\n\r\n", 400), ("GET / HTTP/1.a\r\nHost: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: x\r\n\r\n", 400), ("GET / HTTP/1.1\rHost: x\r\n\r\n", 400),
        ("GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505), ("GET / HTTP/1.2\r\nHost: x\r\n\r\n", 505),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505), ("GET / HTTP/11.1\r\nHost: x\r\n\r\n", 505),
        ("\u{16}\u{3}\u{1}\u{0}", 400), ("GET /a\u{0} HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("\u{1}", 400), ("GET / XTTP/1.1\r\nHost: x\r\n\r\n", 400),
        // Targets.
        ("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", 400),
        ("GET a HTTP/1.1\r\nHost: x\r\n\r\n", 400), ("GET /a#b HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET /é HTTP/1.1\r\nHost: x\r\n\r\n", 400), ("GET /%2 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET /%ff HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET /?%4 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET http://u@h/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET http:///a HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET ftp://h/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        // Fields.
        ("GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nA\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\n: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n Host: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n\tc\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: x\r\n\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nA: b\rC: d\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nA: \u{0}\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nA: \u{7F}\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nÄ: b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\n\rX", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nA\u{0}: b\r\n\r\n", 400),
        // Host.
        ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nhOST: y\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400),
        ("GET / HTTP/1.0\r\nHost: x\r\nHost: x\r\n\r\n", 400),
        // Expect.
        ("PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nExpect: 200-ok\r\n\r\n", 417),
    ])
    func `what two parsers could read in two ways is refused`(text: String, status: Int) {
        #expect(outcome(text) == "reject \(status)")
        // The same when it comes byte by byte: nothing is decided by where it is cut.
        let server = ServerTranscript()
        for byte in text.utf8 where server.effects.isEmpty { server.receive([byte]) }
        #expect(server.effects.first == "reject \(status)")
    }

    @Test(arguments: [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", 400),
        ("Content-Length: 5\r\nContent-Length: 5", 400),
        ("Content-Length: 5\r\nContent-Length: 6", 400), ("Content-Length: 5, 5", 400),
        ("Content-Length: +5", 400), ("Content-Length: -5", 400), ("Content-Length: 5a", 400),
        ("Content-Length: 0x5", 400), ("Content-Length:", 400), ("Content-Length: 5 5", 400),
        ("Content-Length: 99999999999999999999", 400), ("Content-Length: 5.0", 400),
        ("Content-Length : 5", 400), ("Content-Length\t: 5", 400),
        ("Transfer-Encoding: chunked, chunked", 501), ("Transfer-Encoding: gzip, chunked", 501),
        ("Transfer-Encoding: chunked, identity", 501), ("Transfer-Encoding: identity", 501),
        ("Transfer-Encoding: xchunked", 501), ("Transfer-Encoding: chunked;a=b", 501),
        ("Transfer-Encoding: \"chunked\"", 501), ("Transfer-Encoding:", 501),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 501),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", 501),
        ("Transfer-Encoding:\r\n chunked", 400), ("Transfer-Encoding: \u{B}chunked", 400),
        ("Transfer-Encoding : chunked", 400), ("Transfer\u{0}Encoding: chunked", 400),
        ("Content-Length: 5\r\nTransfer-encoding: CHUNKED", 400),
    ])
    func `a length that could be read in two ways is refused`(fields: String, status: Int) {
        let text = "POST / HTTP/1.1\r\nHost: x\r\n\(fields)\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        #expect(outcome(text) == "reject \(status)")
    }

    @Test func `lengths that are plain are taken`() {
        func length(_ fields: String) -> Int64?? {
            parse("POST / HTTP/1.1\r\nHost: x\r\n\(fields)\r\n\r\n")?.bodyLength
        }
        #expect(length("Content-Length: 5") == 5)
        #expect(length("content-LENGTH:\t05 ") == 5)
        #expect(length("Content-Length: 0") == 0)
        #expect(length("X: y") == 0)
        #expect(length("Transfer-Encoding: chunked") == .some(nil))
        #expect(length("TRANSFER-ENCODING:Chunked") == .some(nil))
        // Names that only look like them are names like any other.
        #expect(length("Xontent-Length: 5") == 0)
        #expect(length("Xransfer-Encoding: chunked") == 0)
        #expect(outcome("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n") == "reject 400")
    }

    @Test func `the head is bounded in bytes and fields`() {
        // docs/client: 16 KiB and 100 fields, else 431.
        func padded(_ bytes: Int) -> String {
            let start = "GET / HTTP/1.1\r\nHost: x\r\nA: "
            let fill = String(repeating: "a", count: bytes - start.utf8.count - 4)
            return start + fill + "\r\n\r\n"
        }
        #expect(outcome(padded(16_384)) == "request /")
        #expect(outcome(padded(16_385)) == "reject 431")
        #expect(outcome(String(padded(20_000).dropLast(4))) == "reject 431")
        let fields = { (count: Int) in
            "GET / HTTP/1.1\r\nHost: x\r\n" + String(repeating: "A: b\r\n", count: count - 1)
                + "\r\n"
        }
        #expect(outcome(fields(100)) == "request /")
        #expect(outcome(fields(101)) == "reject 431")
        let server = ServerTranscript()
        let endless = Array(String(repeating: "a", count: 997).utf8)
        while server.effects.isEmpty { server.receive(endless) }
        #expect(server.effects == ["reject 431"])
        #expect(server.held < 17_500)
    }

    @Test func `hop-by-hop fields are not passed on`() throws {
        let head = try #require(
            parse(
                "GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nConnection: close, b\r\nB: 2\r\nTE: x\r\n"
                    + "Keep-Alive: 5\r\nUpgrade: z\r\nA: 3\r\n\r\n"))
        let fields = head.endToEndFields()
        #expect(fields.count == 3)
        #expect(fields.all(.spelled("a")).count == 2)
        #expect(fields[.host] == "x")
    }

    @Test func `a damaged head is judged the same, whole or in pieces`() {
        // Seeded: some bytes of good heads are changed, doubled or lost; the verdict must not depend
        // on where the reads were cut, and nothing may crash.
        let random = SeededRandom(seed: 19)
        let heads = [
            Self.browser,
            "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n",
            "PUT http://a/b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
        ].map { Array($0.utf8) }
        let spice = Array("\r\n \t:,;\u{0}\u{7F}/?#%@\"=aA0\u{80}".utf8)
        var refused = 0
        for _ in 0..<4_000 {
            var bytes = heads[random.next(below: heads.count)]
            for _ in 0...random.next(below: 3) {
                let index = random.next(below: bytes.count)
                switch random.next(below: 3) {
                case 0: bytes[index] = spice[random.next(below: spice.count)]
                case 1: bytes.insert(spice[random.next(below: spice.count)], at: index)
                default: bytes.remove(at: index)
                }
            }
            // So that it is over even if its own end was damaged.
            bytes += Array("\r\n\r\n\r\nX\r\n\r\n".utf8)
            let whole = ServerTranscript()
            whole.receive(bytes)
            let pieces = ServerTranscript()
            var index = 0
            while index < bytes.count, pieces.effects.isEmpty {
                let end = min(bytes.count, index + 1 + random.next(below: 9))
                pieces.receive(Array(bytes[index..<end]))
                index = end
            }
            #expect(whole.effects.first != nil && whole.effects.first == pieces.effects.first)
            #expect(whole.heads.first?.bytes == pieces.heads.first?.bytes)
            if whole.heads.isEmpty { refused += 1 }
        }
        #expect((500..<3_500).contains(refused), "the damage is too great or too small: \(refused)")
    }

    @Test func `a query is decoded strictly`() {
        func query(_ text: String) -> Query? { Query(Array(text.utf8)[...]) }
        let most = Array(repeating: "a=1", count: Query.limit).joined(separator: "&")
        #expect(query(most)?.pairs.count == Query.limit)
        #expect(query(most + "&a=1") == nil)
        #expect(
            query("a=1&b=%20+x&a=2&c&=d")?.pairs.map { "\($0.name)=\($0.value)" }
                == ["a=1", "b=  x", "a=2", "c=", "=d"])
        #expect(query("")?.pairs == [])
        #expect(query("&&a=b&")?.pairs.count == 1)
        #expect(query("a=b=c")?["a"] == "b=c")
        for bad in ["a=%", "a=%4", "a=%zz", "%ff=1", "a=%00", "a=%ed%a0%80", "a=%c0%af"] {
            #expect(query(bad) == nil, "\(bad)")
        }
    }
}
