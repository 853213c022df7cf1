import Base
import Testing

/// Tables as text, RFC 4180.
struct CSVTests {
    @Test(
        arguments: [
            ("", []), ("\r\n\n", []), ("a", [["a"]]),
            ("a,b\r\nc,d\r\n", [["a", "b"], ["c", "d"]]),
            ("a,b\nc,d", [["a", "b"], ["c", "d"]]), (",", [["", ""]]),
            ("a,\n,b", [["a", ""], ["", "b"]]),
            ("\"a,\"\"b\"\"\r\nc\",d", [["a,\"b\"\r\nc", "d"]]), ("\"\"", [[""]]),
            ("\u{feff}a,é", [["a", "é"]]), (" a , b ", [[" a ", " b "]]),
            ("\u{feff}\u{feff}a", [["\u{feff}a"]]),
        ] as [(String, [[String]])])
    func `a table is read`(text: String, rows: [[String]]) throws {
        #expect(try CSV.parse(Array(text.utf8)) == rows)
        #expect(try CSV.parse(CSV.write(rows)) == rows)
    }

    @Test(arguments: [
        ("a\nb\"c", 2), ("\"a", 1), ("\"a\nb", 2), ("\"a\"b", 1), ("a\rb", 1), ("a\r", 1),
        ("a\n\"x\ny\",\"z", 3),
    ]) func `what is no table is refused by its line`(text: String, line: Int) {
        #expect {
            try CSV.parse(Array(text.utf8))
        } throws: { ($0 as? CSV.Problem)?.line == line }
    }

    @Test func `bytes that are no text are refused`() {
        #expect(throws: CSV.Problem.self) { try CSV.parse([0x61, 0x0A, 0xFF]) }
    }
}
