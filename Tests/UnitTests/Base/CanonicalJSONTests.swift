import Base
import Testing

/// RFC 8785, by the examples of its pages and of its appendix B.
struct CanonicalJSONTests {
    private func canonical(_ text: String) throws -> String {
        let value = try JSONParser.parse(Array(text.utf8))
        return String(decoding: CanonicalJSON.encode(value), as: UTF8.self)
    }

    @Test func `the example of section 3.2.2 becomes what section 3.2.3 shows`() throws {
        let text = #"""
            {
              "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
              "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
              "literals": [null, true, false]
            }
            """#
        let expected =
            #"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"#
            + #""string":"€$\u000f\nA'B\"\\\\\"/"}"#
        #expect(try canonical(text) == expected)
    }

    @Test func `keys are sorted by their UTF-16 units`() throws {
        let text = #"""
            {"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh",
             "1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control",
             "\u00f6":"Latin Small Letter O With Diaeresis"}
            """#
        let keys = try JSONParser.parse(Array(canonical(text).utf8)).objectValue?.keys
        #expect(keys == ["\r", "1", "\u{80}", "\u{F6}", "\u{20AC}", "\u{1F600}", "\u{FB33}"])
    }

    @Test(
        arguments: [
            (0x0000_0000_0000_0000, "0"), (0x8000_0000_0000_0000, "0"),
            (0x0000_0000_0000_0001, "5e-324"), (0x8000_0000_0000_0001, "-5e-324"),
            (0x7FEF_FFFF_FFFF_FFFF, "1.7976931348623157e+308"),
            (0xFFEF_FFFF_FFFF_FFFF, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xC340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44B5_2D02_C7E1_4AF5, "9.999999999999997e+22"), (0x44B5_2D02_C7E1_4AF6, "1e+23"),
            (0x44B5_2D02_C7E1_4AF7, "1.0000000000000001e+23"),
            (0x444B_1AE4_D6E2_EF4E, "999999999999999700000"),
            (0x444B_1AE4_D6E2_EF4F, "999999999999999900000"), (0x444B_1AE4_D6E2_EF50, "1e+21"),
            (0x3EB0_C6F7_A0B5_ED8C, "9.999999999999997e-7"), (0x3EB0_C6F7_A0B5_ED8D, "0.000001"),
            (0x41B3_DE43_5555_5553, "333333333.3333332"),
            (0x41B3_DE43_5555_5554, "333333333.33333325"),
            (0x41B3_DE43_5555_5555, "333333333.3333333"),
            (0x41B3_DE43_5555_5556, "333333333.3333334"),
            (0x41B3_DE43_5555_5557, "333333333.33333343"),
            (0xBECB_F647_612F_3696, "-0.0000033333333333333333"),
            (0x4314_3FF3_C1CB_0959, "1424953923781206.2"),
        ] as [(UInt64, String)])
    func `the numbers of appendix B are written as it says`(bits: UInt64, text: String) throws {
        let value = JSONValue.double(Double(bitPattern: bits))
        #expect(String(decoding: CanonicalJSON.encode(value), as: UTF8.self) == text)
    }

    @Test func `whole numbers beyond what a double holds are rounded as others read them`() throws {
        #expect(
            try canonical("[9007199254740993, 9223372036854775807, -5, 100, 1.0]")
                == "[9007199254740992,9223372036854776000,-5,100,1]")
    }

    @Test func `only what must be escaped is`() throws {
        let text = #"["\b\f\n\r\t\u0000\u001F\u007f\u2028/<>"]"#
        #expect(try canonical(text) == "[\"\\b\\f\\n\\r\\t\\u0000\\u001f\u{7F}\u{2028}/<>\"]")
    }
}
