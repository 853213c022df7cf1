import Base
import Testing

/// Protects: what the scanner takes for an object the parser takes too, and the parts it names are
/// the members' values, byte for byte.
struct JSONScannerTests {
    private func members(_ text: String) throws -> [(String, String)] {
        let bytes = Array(text.utf8)
        return try JSONScanner.object(bytes, in: bytes.indices).members.map { member in
            (
                String(decoding: bytes[member.key], as: UTF8.self),
                String(decoding: bytes[member.value], as: UTF8.self)
            )
        }
    }

    @Test func `a list's numbers are those that the parser reads`() throws {
        let random = SeededRandom(seed: 5)
        let digits = Array("0123456789".utf8)
        for _ in 0..<20_000 {
            var words: [String] = []
            for _ in 0..<3 {
                func some(_ limit: UInt64) -> String {
                    let count = 1 + random.next() % limit
                    return String(
                        decoding: (0..<count).map { _ in digits[Int(random.next() % 10)] },
                        as: UTF8.self)
                }
                var word = random.next() % 2 == 0 ? "-" : ""
                word += random.next() % 3 == 0 ? "0" : "\(1 + random.next() % 9)" + some(17)
                if random.next() % 2 == 0 { word += "." + some(20) }
                if random.next() % 5 == 0 { word += random.next() % 2 == 0 ? "e-7" : "E+12" }
                words.append(word)
            }
            let bytes = Array("[\(words.joined(separator: " ,"))]".utf8)
            let parsed = try JSONParser.parse(bytes).arrayValue?.compactMap(\.doubleValue)
            let read = JSONScanner.numbers(bytes, bytes.indices, count: 3)
            #expect(read == parsed, "\(words)")
        }
        for text in ["[1,2]", "[1,2,3,4]", "[1,2,null]", "[1,2,[3]]", "[]", "7", "[1,2,1e999]"] {
            let bytes = Array(text.utf8)
            #expect(JSONScanner.numbers(bytes, bytes.indices, count: 3) == nil, "\(text)")
        }
    }

    @Test func `members are found where they stand`() throws {
        let found = try members(
            #" {"a" : 1.50 ,"b":{"c":[1,{"d":"}"}]}, "e\n":"x\"y" ,"f":null,"g":[] } "#)
        #expect(found.map(\.0) == ["a", "b", #"e\n"#, "f", "g"])
        #expect(
            found.map(\.1) == ["1.50", #"{"c":[1,{"d":"}"}]}"#, #""x\"y""#, "null", "[]"])
        #expect(try members("{}").isEmpty)
    }

    @Test(arguments: [
        "", "{", "}", "[]", "1", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{"a":1}x"#, #"{a:1}"#,
        #"{"a":01}"#, #"{"a":1.}"#, #"{"a":.5}"#, #"{"a":+1}"#, #"{"a":tru}"#, #"{"a":"\x"}"#,
        #"{"a":"\u12g4"}"#, "{\"a\":\"\n\"}", #"{"a":[1,]}"#, #"{"a":[1 2]}"#, #"{"a":-}"#,
        #"{"a":1,"a":1}"#, #"{"a":1,"\u0061":1}"#, #"{"b":{"a":1,"c":{},"a":1}}"#,
        #"{"b":[{},{"a":1,"\u0061":1}]}"#, #"{"a":"\ud800"}"#, #"{"a":"\udc00\ud800"}"#,
        #"{"a":"\ud800\u0061"}"#, #"{"a":"\ud800\n"}"#, #"{"\ud800":1}"#,
        "{" + (0...20).map { "\"\($0)\":0," }.joined() + #""7":0}"#,
    ])
    func `what is no object is refused`(text: String) {
        #expect(throws: JSONError.self) { try members(text) }
    }

    @Test func `nesting ends where it may not go deeper`() throws {
        let deep = #"{"a":"# + String(repeating: "[", count: 63) + String(repeating: "]", count: 63)
        #expect(try members(deep + "}").count == 1)
        let deeper =
            #"{"a":"# + String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        #expect(throws: JSONError.self) { try members(deeper + "}") }
    }

    @Test func `texts are unescaped, and other values are none`() {
        let bytes = Array(#""a\u0062c" 7"#.utf8)
        #expect(JSONScanner.text(bytes, 0..<10) == "abc")
        #expect(JSONScanner.text(bytes, 11..<12) == nil)
    }

    @Test func `a member is found by its name, in whatever way that is written`() throws {
        let bytes = Array(#"{"ab":1,"a\u0063":2,"a":{"d":3},"\ud83d\ude00":4,"é":5}"#.utf8)
        let object = try JSONScanner.object(bytes, in: bytes.indices)
        func value(_ name: StaticString) -> String? {
            object[name].map { String(decoding: bytes[$0], as: UTF8.self) }
        }
        #expect(value("ab") == "1" && value("ac") == "2" && value("a") == #"{"d":3}"#)
        #expect(value("😀") == "4" && value("é") == "5")
        #expect(value("d") == nil && value(#"a\u0063"#) == nil && value("") == nil)
        // By bytes: an accent of its own makes another key.
        #expect(value("e\u{301}") == nil)
    }

    /// Of texts that were cut, changed and glued at random the scanner accepts just what the parser
    /// accepts, but for numbers that do not fit.
    @Test func `the scanner agrees with the parser`() {
        let random = SeededRandom(seed: 3)
        let alphabet = Array(#"{}[]:,"\ue0123456789.-+Etrufalsn x"#.utf8)
        let seed = Array(
            #"{"a":[1,-2.5e3,"x\ud83d\ude00",true],"b":{"c":null,"d":{}},"\u0065":"\\"}"#.utf8)
        for _ in 0..<20_000 {
            var bytes = seed
            for _ in 0...random.next(below: 4) {
                let place = random.next(below: bytes.count)
                switch random.next(below: 3) {
                case 0: bytes[place] = alphabet[random.next(below: alphabet.count)]
                case 1: bytes.insert(alphabet[random.next(below: alphabet.count)], at: place)
                case _: if bytes.count > 1 { bytes.remove(at: place) }
                }
            }
            let scanned = try? JSONScanner.object(bytes, in: bytes.indices)
            do throws(JSONError) {
                let parsed = try JSONParser.parse(bytes)
                #expect((scanned != nil) == (parsed.objectValue != nil))
                guard let scanned, let object = parsed.objectValue else { continue }
                #expect(scanned.members.count == object.count)
                for (member, known) in zip(scanned.members, object.members) {
                    #expect((try? JSONParser.parse(bytes[member.value])) == known.value)
                    let key = member.key.lowerBound - 1..<member.key.upperBound + 1
                    #expect(JSONScanner.text(bytes, key) == known.key)
                }
            } catch {
                #expect(
                    scanned == nil || error.reason == .numberOutOfRange,
                    "\(String(decoding: bytes, as: UTF8.self))")
            }
        }
    }
}
