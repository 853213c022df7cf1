import Base
import Testing

/// Protects: what the scanner takes for an object the parser takes too, and the parts it names are
/// the members' values, byte for byte.
struct JSONScannerTests {
    private func members(_ text: String) throws -> [(String, String)] {
        let bytes = Array(text.utf8)
        return try JSONScanner.members(of: bytes, in: bytes.indices).map { member in
            (
                String(decoding: bytes[member.key], as: UTF8.self),
                String(decoding: bytes[member.value], as: UTF8.self)
            )
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
        #expect(JSONScanner.text(bytes, 1..<9, isKey: true) == "abc")
        #expect(JSONScanner.text(bytes, 11..<12) == nil)
    }

    /// Of texts that were cut, changed and glued at random the scanner accepts just what the parser
    /// accepts; but for what only a reader of values sees.
    @Test func `the scanner agrees with the parser`() {
        let random = SeededRandom(seed: 3)
        let alphabet = Array(#"{}[]:,"\ue0123456789.-+Etrufalsn x"#.utf8)
        let seed = Array(#"{"a":[1,-2.5e3,"x\u00e9",true],"b":{"c":null,"d":{}},"e":"\\"}"#.utf8)
        for _ in 0..<6_000 {
            var bytes = seed
            for _ in 0...random.next(below: 4) {
                let place = random.next(below: bytes.count)
                switch random.next(below: 3) {
                case 0: bytes[place] = alphabet[random.next(below: alphabet.count)]
                case 1: bytes.insert(alphabet[random.next(below: alphabet.count)], at: place)
                case _: if bytes.count > 1 { bytes.remove(at: place) }
                }
            }
            let scanned = try? JSONScanner.members(of: bytes, in: bytes.indices)
            do throws(JSONError) {
                let parsed = try JSONParser.parse(bytes)
                #expect((scanned != nil) == (parsed.objectValue != nil))
                guard let scanned, let object = parsed.objectValue else { continue }
                #expect(scanned.count == object.count)
                for (member, known) in zip(scanned, object.members) {
                    #expect((try? JSONParser.parse(bytes[member.value])) == known.value)
                    #expect(JSONScanner.text(bytes, member.key, isKey: true) == known.key)
                }
            } catch {
                let isBeyond: [JSONError.Reason] = [
                    .duplicateKey, .numberOutOfRange, .badEscape,
                ]
                #expect(scanned == nil || isBeyond.contains(error.reason))
            }
        }
    }
}
