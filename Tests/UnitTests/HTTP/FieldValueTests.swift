import Base
import HTTP
import Testing

/// The values that fields have: read strictly, written so that they can be read.
struct FieldValueTests {
    private func bytes(_ text: String) -> ArraySlice<UInt8> { Array(text.utf8)[...] }

    private func request(_ fields: String, method: String = "GET") throws -> RequestHead {
        let server = ServerTranscript()
        server.receive("\(method) / HTTP/1.1\r\nHost: x\r\n\(fields)\r\n\r\n")
        return try #require(server.heads.first)
    }

    @Test func `fields keep their order and are found in any case`() {
        var fields = Fields((.contentType, "a"), (.eTag, "b"))
        fields.append(.spelled("content-TYPE"), "c")
        fields.append(.retryAfter, decimal: 120)
        #expect(fields.count == 4)
        #expect(fields[.contentType] == "a")
        #expect(fields.all(.contentType).map { String(decoding: $0, as: UTF8.self) } == ["a", "c"])
        #expect(fields[.retryAfter] == "120")
        fields.set(.contentType, "d")
        #expect(fields.count == 3)
        #expect(fields[.contentType] == "d")
        fields.remove(.eTag)
        #expect(fields[.eTag] == nil)
        #expect(!fields.isRefused)
        #expect(Fields((.allow, "GET")) == Fields((.allow, "GET")))
        for name in ["", "a b", "a:", "é", "a\r\n"] { #expect(FieldName(name) == nil) }
    }

    @Test(
        arguments: [
            ("bytes=0-0", [0..<1]), ("bytes=0-9", [0..<10]), ("bytes=5-", [5..<10]),
            ("bytes=-3", [7..<10]), ("bytes=-30", [0..<10]), ("bytes=5-500", [5..<10]),
            ("Bytes=0-1, 4-5 ,8-", [0..<2, 4..<6, 8..<10]), ("bytes=9-9,0-0", [9..<10, 0..<1]),
            ("bytes=20-,0-1", [0..<2]),
        ] as [(String, [Range<Int64>])])
    func `ranges of ten bytes`(value: String, parts: [Range<Int64>]) {
        #expect(ByteRange.parse(bytes(value), size: 10) == .parts(parts))
    }

    @Test func `a range that is no range is overlooked, one that has no byte is not`() {
        for value in [
            "", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=5-4", "bytes=1-2-3", "lines=1-2",
            "bytes=0-9,0-9", "bytes=1--2", "bytes=+1-2", "bytes=0x1-2", "bytes 0-1", "bytes=1 - 2",
            "bytes=" + String(repeating: "0-0,", count: 33), "bytes=0-99999999999999999999",
        ] {
            #expect(ByteRange.parse(bytes(value), size: 10) == .whole, "\(value)")
        }
        for value in ["bytes=10-", "bytes=10-20", "bytes=-0", "bytes=10-11,12-13"] {
            #expect(ByteRange.parse(bytes(value), size: 10) == .notSatisfiable, "\(value)")
        }
        #expect(ByteRange.parse(bytes("bytes=-5"), size: 0) == .notSatisfiable)
    }

    @Test func `If-Range asks for the whole unless its tag is the strong one`() throws {
        let tag = ETag(strong: "a")
        func asked(_ fields: String, method: String = "GET") throws -> ByteRange {
            ByteRange.asked(by: try request(fields, method: method), size: 10, eTag: tag)
        }
        #expect(try asked("Range: bytes=1-2") == .parts([1..<3]))
        #expect(try asked("Range: bytes=1-2\r\nIf-Range: \"a\"") == .parts([1..<3]))
        #expect(try asked("Range: bytes=1-2\r\nIf-Range: \"b\"") == .whole)
        #expect(try asked("Range: bytes=1-2\r\nIf-Range: W/\"a\"") == .whole)
        #expect(try asked("Range: bytes=1-2\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT") == .whole)
        #expect(try asked("Range: bytes=1-2\r\nRange: bytes=3-4") == .whole)
        #expect(try asked("Range: bytes=1-2", method: "POST") == .whole)
        #expect(try asked("X: y") == .whole)
    }

    @Test func `Content-Range is written as it is read`() {
        for text in ["bytes 0-9/10", "bytes 5-5/*", "bytes */10"] {
            #expect(ContentRange(bytes(text))?.text == text)
        }
        #expect(ContentRange(bytes("bytes 2-4/10"))?.range == 2..<5)
        for text in [
            "bytes */*", "bytes 5-4/10", "bytes 0-10/10", "bytes 0-/10", "bytes 1/2", "0-1/2",
            "bytes ",
            "bytes 0-1", "bytes a-b/c", "lines 0-1/2",
        ] {
            #expect(ContentRange(bytes(text)) == nil, "\(text)")
        }
    }

    @Test func `tags are compared strongly for If-Match, weakly for If-None-Match`() throws {
        // RFC 9110 §8.8.3.2's table.
        let weak1 = try #require(ETag(bytes("W/\"1\"")))
        let weak2 = try #require(ETag(bytes("W/\"2\"")))
        let strong1 = ETag(strong: "1")
        #expect(!weak1.matchesStrongly(weak1) && weak1.matchesWeakly(weak1))
        #expect(!weak1.matchesStrongly(weak2) && !weak1.matchesWeakly(weak2))
        #expect(!weak1.matchesStrongly(strong1) && weak1.matchesWeakly(strong1))
        #expect(strong1.matchesStrongly(strong1) && strong1.matchesWeakly(strong1))
        #expect(weak1.text == "W/\"1\"" && strong1.text == "\"1\"")
        for text in ["", "\"", "a", "w/\"a\"", "\"a", "\"a\"b\"", "\"a b\""] {
            #expect(ETag(bytes(text)) == nil, "\(text)")
        }
    }

    @Test(arguments: [
        ("X: y", "GET", Conditional.proceed), ("If-None-Match: \"a\"", "GET", .notModified),
        ("If-None-Match: \"b\", W/\"a\"", "HEAD", .notModified),
        ("If-None-Match: \"b\"", "GET", .proceed), ("If-None-Match: *", "GET", .notModified),
        ("If-None-Match: *", "PUT", .failed), ("If-Match: \"a\"", "POST", .proceed),
        ("If-Match: \"b\",\"a\"", "POST", .proceed), ("If-Match: W/\"a\"", "POST", .failed),
        ("If-Match: \"b\"", "POST", .failed), ("If-Match: *", "POST", .proceed),
        ("If-Match: nonsense", "POST", .failed), ("If-None-Match: nonsense", "GET", .proceed),
        ("If-Match: \"b\"\r\nIf-Match: \"a\"", "POST", .proceed),
        ("If-None-Match: \"x,y\", \"a\"", "GET", .notModified),
    ])
    func `what a request makes of the tag a`(
        fields: String, method: String, is verdict: Conditional
    )
        throws
    {
        let head = try request(fields, method: method)
        #expect(Conditional.verdict(for: head, eTag: ETag(strong: "a")) == verdict)
    }

    @Test func `without a representation, If-Match fails and If-None-Match holds`() throws {
        #expect(Conditional.verdict(for: try request("If-Match: *"), eTag: nil) == .failed)
        #expect(Conditional.verdict(for: try request("If-None-Match: *"), eTag: nil) == .proceed)
    }

    @Test func `Content-Digest gives the bytes of SHA-256`() {
        let digest = [UInt8](repeating: 7, count: 32)
        let field = ContentDigest.field(sha256: digest)
        #expect(ContentDigest.parse([bytes(field)]) == .sha256(digest))
        #expect(ContentDigest.parse([bytes("sha-512=:AAAA:, \(field)")]) == .sha256(digest))
        #expect(ContentDigest.parse([bytes("\(field);a=b")]) == .sha256(digest))
        #expect(ContentDigest.parse([bytes("sha-512=:AAAA:")]) == .absent)
        #expect(ContentDigest.parse([]) == .absent)
        for bad in ["sha-256", "sha-256=", "sha-256=::", "sha-256=:AAAA:", "sha-256=AAAA", "a=1"] {
            #expect(ContentDigest.parse([bytes(bad)]) == .malformed, "\(bad)")
        }
    }

    @Test func `media types`() {
        let json = MediaType(bytes("Application/JSON; Charset=\"utf-\\8\" ; a=b;"))
        #expect(json?.essence == MediaType.json)
        #expect(json?["charset"] == "utf-8")
        #expect(json?["a"] == "b")
        for bad in [
            "", "a", "/", "a/", "/b", "a/b/c", "a b/c", "a/b;c", "a/b;=c", "a/b;c=\"d", "a/b;c=",
            "a/b c", "a/b;c=d e",
        ] {
            #expect(MediaType(bytes(bad)) == nil, "\(bad)")
        }
    }

    @Test func `dates are written as RFC 9110 has them`() {
        func date(_ seconds: Int64) -> String {
            String(
                decoding: HTTPDate.format(Timestamp(milliseconds: seconds * 1_000 + 999)),
                as: UTF8.self)
        }
        #expect(date(784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
        #expect(date(0) == "Thu, 01 Jan 1970 00:00:00 GMT")
        #expect(date(951_782_400) == "Tue, 29 Feb 2000 00:00:00 GMT")
        #expect(date(1_709_251_199) == "Thu, 29 Feb 2024 23:59:59 GMT")
        #expect(date(4_107_542_400) == "Mon, 01 Mar 2100 00:00:00 GMT")
    }
}
