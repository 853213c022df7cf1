import Base
import Testing

/// RFC 8259, and where it leaves room the contract: no duplicate keys, no half surrogates.
struct JSONParserTests {
    private func parse(_ text: String, depth: Int = 64) throws(JSONError) -> JSONValue {
        try JSONParser.parse(Array(text.utf8), depth: depth)
    }

    private func failure(_ bytes: [UInt8], depth: Int = 64) -> JSONError? {
        do throws(JSONError) {
            _ = try JSONParser.parse(bytes, depth: depth)
            return nil
        } catch { return error }
    }

    private func failure(_ text: String, depth: Int = 64) -> JSONError? {
        failure(Array(text.utf8), depth: depth)
    }

    /// In milliseconds where the time grows with the length; with its square it would be minutes.
    @Test(.timeLimit(.minutes(1))) func `a string of nothing but escapes is read in linear time`()
        throws
    {
        let count = 4 << 20
        var json = [UInt8(ascii: "\"")]
        for _ in 0..<count { json += [UInt8(ascii: "\\"), UInt8(ascii: "n")] }
        json.append(UInt8(ascii: "\""))
        let text = try JSONParser.parse(json).stringValue
        #expect(text?.utf8.count == count)
    }

    @Test func `every kind of value is read`() throws {
        let text =
            #" { "a" : [ null , true,false ] , "b" : { } , "c" : "é\n\u0041\ud834\udd1e\/" } "#
        let expected: JSONValue = [
            "a": [nil, true, false], "b": [:], "c": "é\nA\u{1D11E}/",
        ]
        #expect(try parse(text) == expected)
        #expect(try parse("\t\r\n[]").arrayValue?.isEmpty == true)
    }

    @Test func `whole numbers that fit stay exact and others become doubles`() throws {
        #expect(try parse("9223372036854775807") == .integer(.max))
        #expect(try parse("-9223372036854775808") == .integer(.min))
        #expect(try parse("9223372036854775808") == .double(9_223_372_036_854_775_808))
        #expect(try parse("-9223372036854775809") == .double(-9_223_372_036_854_775_808))
        #expect(try parse("-0") == .integer(0))
        #expect(try parse("0e1") == .double(0))
        #expect(try parse("1E+2") == .double(100))
        #expect(try parse("1.5e-3") == .double(0.0015))
        #expect(try parse("1e-400") == .double(0))
        #expect(try parse("2.0").integerValue == 2)
        #expect(try parse("2.5").integerValue == nil)
    }

    @Test(arguments: [
        ("", 0, JSONError.Reason.unexpectedEnd), (" ", 1, .unexpectedEnd), ("[", 1, .unexpectedEnd),
        ("[1", 2, .unexpectedEnd), ("{\"a\"", 4, .unexpectedEnd), ("\"a", 2, .unexpectedEnd),
        ("tru", 3, .unexpectedEnd), ("-", 1, .unexpectedEnd), ("1.", 2, .unexpectedEnd),
        ("1e+", 3, .unexpectedEnd), ("\"\\u12", 5, .unexpectedEnd), ("\"\\", 1, .unexpectedEnd),
        ("nul1", 3, .unexpectedByte), ("[1,]", 3, .unexpectedByte), ("{,}", 1, .unexpectedByte),
        ("{\"a\" 1}", 5, .unexpectedByte), ("{1:2}", 1, .unexpectedByte),
        ("+1", 0, .unexpectedByte),
        ("[1 2]", 3, .unexpectedByte), ("NaN", 0, .unexpectedByte), ("'a'", 0, .unexpectedByte),
        ("\u{FEFF}1", 0, .unexpectedByte), (".5", 0, .unexpectedByte), ("[1}", 2, .unexpectedByte),
        ("1 2", 2, .trailingBytes), ("{}}", 2, .trailingBytes), ("1\0", 1, .trailingBytes),
        ("01", 0, .badNumber), ("-01", 1, .badNumber), ("1.e1", 2, .badNumber),
        ("1ea", 2, .badNumber), ("-x", 1, .badNumber), ("1e400", 0, .numberOutOfRange),
        ("-1e9999999999", 0, .numberOutOfRange), ("\"\\x\"", 1, .badEscape),
        ("\"\\u12g4\"", 5, .badEscape), ("\"\\ud800\"", 1, .badEscape),
        ("\"\\ud800 a\"", 1, .badEscape), ("\"\\udc00\"", 1, .badEscape),
        ("\"\\ud800\\u0041\"", 1, .badEscape), ("\"a\u{1}\"", 2, .controlCharacter),
        ("\"a\nb\"", 2, .controlCharacter), ("{\"a\":1,\"a\":1}", 7, .duplicateKey),
        ("{\"a\":1,\"\\u0061\":2}", 7, .duplicateKey),
    ])
    func `what is malformed is refused with its place`(
        text: String, offset: Int, reason: JSONError.Reason
    ) {
        #expect(failure(text) == JSONError(offset: offset, reason: reason))
    }

    @Test(
        arguments: [
            [0x80], [0xC0, 0x80], [0xC3], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80],
            [0xF4, 0x90, 0x80, 0x80],
            [0xF8, 0x88, 0x80, 0x80, 0x80], [0xFF],
        ] as [[UInt8]])
    func `bytes that are not UTF-8 are refused, escapes around them or not`(bytes: [UInt8]) {
        let quote: [UInt8] = [0x22]
        #expect(
            failure(quote + [0x61] + bytes + quote) == JSONError(offset: 2, reason: .badUTF8))
        #expect(failure(quote + Array("\\n".utf8) + bytes + quote)?.reason == .badUTF8)
    }

    @Test func `a repeated key is found among few and many, by bytes and not by looks`() throws {
        let many = (0..<5_000).map { "\"k\($0)\":\($0)" }
        #expect(try parse("{\(many.joined(separator: ","))}").objectValue?.count == 5_000)
        let again = "{\((many + ["\"k17\":0"]).joined(separator: ","))}"
        #expect(failure(again)?.reason == .duplicateKey)
        // Two spellings of one character, which Swift's strings take for equal.
        let object = try parse("{\"\u{E9}\":1,\"e\u{301}\":2,\"K\":3,\"\u{212A}\":4}").objectValue
        #expect(object?.count == 4)
        #expect(object?["K"] == 3)
        #expect(object?["\u{212A}"] == 4)
    }

    @Test func `nesting ends at the limit, however deep the text`() {
        func nested(_ levels: Int) -> String {
            String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
        }
        #expect(failure(nested(64)) == nil)
        #expect(failure(nested(65)) == JSONError(offset: 64, reason: .tooDeep))
        #expect(failure(nested(512), depth: 512) == nil)
        #expect(failure(String(repeating: "[", count: 1_000_000), depth: 512)?.reason == .tooDeep)
        #expect(
            failure(String(repeating: "{\"a\":", count: 100), depth: 64)?.reason == .tooDeep)
        #expect(failure("[]", depth: 0)?.reason == .tooDeep)
        #expect(failure("1", depth: 0) == nil)
    }

    @Test func `every text cut short is refused`() throws {
        let text = Array(#"{"a":[1.5e3,"é\u00e9\ud834\udd1e",true,null],"b":{"c":-12}}"#.utf8)
        #expect(failure(text) == nil)
        for end in text.indices { #expect(failure(Array(text[..<end])) != nil, "cut at \(end)") }
    }

    @Test func `a long number takes no long time`() {
        #expect(failure(String(repeating: "9", count: 300)) == nil)
        #expect(failure(String(repeating: "9", count: 1_000_000))?.reason == .numberOutOfRange)
        #expect(failure("0." + String(repeating: "1", count: 1_000_000)) == nil)
    }

    @Test func `garbage never crashes, and what is read is written and read as the same`() throws {
        let random = SeededRandom(seed: 8_259)
        let alphabet =
            Array("{}[]\",:\\/ubn0123456789.-+eEtrufalsn \u{E9}\u{1F600}\n".utf8) + [0, 0xFF]
        let seed = Array(#"{"a":[1,-2.5e10,"x\u00e9\n"],"b":{"c":null,"d":[true,false]}}"#.utf8)
        var read = 0
        for round in 0..<6_000 {
            var text = seed
            if round % 2 == 0 {
                text = (0..<random.next(below: 40)).map { _ in
                    alphabet[random.next(below: alphabet.count)]
                }
            } else {
                for _ in 0...random.next(below: 3) {
                    text[random.next(below: text.count)] =
                        alphabet[random.next(below: alphabet.count)]
                }
            }
            guard let value = try? JSONParser.parse(text) else { continue }
            read += 1
            // Texts are compared, since 2e3 comes back as the integer that it is.
            let written = JSONCoder.encode(value)
            #expect(try JSONCoder.encode(JSONParser.parse(written)) == written, "round \(round)")
        }
        #expect(read > 100)
    }

    @Test func `random values come back as they were`() throws {
        let random = SeededRandom(seed: 4)
        func any(_ depth: Int) -> JSONValue {
            switch random.next(below: depth > 0 ? 8 : 6) {
            case 0: return .null
            case 1: return .boolean(random.next(below: 2) == 1)
            case 2: return .integer(Int64(bitPattern: random.next()))
            case 3:
                let number = Double(bitPattern: random.next())
                // Whole ones come back as integers.
                return number.isFinite && Int64(exactly: number) == nil ? .double(number) : 0
            case 4, 5:
                let scalars = (0..<random.next(below: 12)).compactMap { _ in
                    Unicode.Scalar(UInt32(random.next(below: 0x11_0000)))
                }
                return .string(String(String.UnicodeScalarView(scalars)))
            case 6: return .array((0..<random.next(below: 5)).map { _ in any(depth - 1) })
            default:
                var object = JSONObject()
                for index in 0..<random.next(below: 20) { object["k\(index)"] = any(depth - 1) }
                return .object(object)
            }
        }
        for _ in 0..<2_000 {
            let value = any(4)
            #expect(try JSONParser.parse(JSONCoder.encode(value)) == value)
            _ = try JSONParser.parse(CanonicalJSON.encode(value))
        }
    }
}
