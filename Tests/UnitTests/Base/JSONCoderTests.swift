import Base
import Testing

private enum Colour: String, Codable, CaseIterable { case red, green }

/// A checked text as the domain has them.
private struct Name: Codable, JSONDescribed, Equatable {
    let text: String
    private init(sample: String) { text = sample }
    init?(_ text: String) {
        guard (1...8).contains(text.utf8.count) else { return nil }
        self.text = text
    }
    init(from decoder: any Decoder) throws {
        let text = try decoder.singleValueContainer().decode(String.self)
        guard let name = Name(text) else { throw InvalidFields(problems: []) }
        self = name
    }
    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
    static var jsonSchema: JSONValue { ["type": "string", "maxLength": 8] }
    static var sample: Name { Name(sample: "x") }
    static var expectation: String { "a name of 1 to 8 bytes" }
}

private struct Point: Codable, Equatable {
    var x: Double
    var y: Double
    init(x: Double, y: Double) { (self.x, self.y) = (x, y) }
    init(from decoder: any Decoder) throws {
        var list = try decoder.unkeyedContainer()
        x = try list.decode(Double.self)
        y = try list.decode(Double.self)
    }
    func encode(to encoder: any Encoder) throws {
        var list = encoder.unkeyedContainer()
        try list.encode(x)
        try list.encode(y)
    }
}

private struct Stretch: Codable, Equatable {
    var first: Int
    var last: Int
    init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        first = try container.decode(Int.self, forKey: .first)
        last = try container.decode(Int.self, forKey: .last)
        if first > last {
            throw InvalidFields(
                problems: [FieldProblem(field: "last", message: "must not be below first")])
        }
    }
}

private struct Everything: Codable, Equatable {
    var name: Name
    var title: String?
    var colour: Colour
    var count: Int
    var small: UInt8
    var ratio: Double
    var flag: Bool
    var names: [Name]
    var place: Point?
    var spans: [Stretch]
    var labels: [String: Int]
    var created: Timestamp
    var extra: JSONValue
    var nick: Patch<Name>
    @Omittable var note: String?
}

private struct Tree: Codable { var children: [Tree]; var parent: [Tree]? }

/// The coder of the contract's objects: all bad fields, stable shapes, schemas from `init(from:)`.
struct JSONCoderTests {
    private func parse(_ text: String) throws -> JSONValue {
        try JSONParser.parse(Array(text.utf8))
    }

    private func problems<T: Decodable>(_ type: T.Type, _ text: String) throws -> [String] {
        let value = try parse(text)
        do throws(InvalidFields) {
            _ = try JSONCoder.decode(type, from: value)
            return []
        } catch { return error.problems.map { "\($0.field): \($0.message)" } }
    }

    private func text(_ value: some Encodable) -> String {
        String(decoding: JSONCoder.encode(value), as: UTF8.self)
    }

    private let whole = #"""
        {"name":"ada","title":null,"colour":"green","count":-3,"small":255,"ratio":1.5,"flag":true,
         "names":["a","b"],"place":[1,-2.5],"spans":[{"first":1,"last":2}],"labels":{"k":1},
         "created":1700000000000,"extra":{"z":[1,{"a":null}]},"nick":"bob","note":"n"}
        """#

    @Test func `of a long list of bad items a hundred are told`() throws {
        let list = JSONValue.array(Array(repeating: .integer(1), count: 100_000))
        let error = try #require(throws: InvalidFields.self) {
            try JSONCoder.decode([String].self, from: list)
        }
        #expect(error.problems.count == 100)
    }

    @Test func `what was read is written as it was`() throws {
        let read = try JSONCoder.decode(Everything.self, from: parse(whole))
        #expect(read.name.text == "ada" && read.nick == Name("bob").map { .set($0) })
        #expect(read.place == Point(x: 1, y: -2.5) && read.labels == ["k": 1])
        let compact = whole.filter { $0 != "\n" && $0 != " " }
        #expect(text(read) == compact)
        #expect(try JSONCoder.value(read) == parse(whole))
        #expect(try JSONCoder.decode(Everything.self, from: JSONCoder.value(read)) == read)
    }

    @Test func `every bad field is named with its path, and each once`() throws {
        let bad = #"""
            {"name":"much too long","title":7,"colour":"blue","count":1.5,"small":256,"ratio":"1",
             "names":["a","",3],"place":[1],"spans":[{"first":3,"last":2},{"first":"x"},4],
             "labels":{"k":"v"},"created":"now","nick":"","note":false}
            """#
        let found = try problems(Everything.self, bad)
        #expect(
            found == [
                "name: must be a name of 1 to 8 bytes",
                "title: must be a text",
                "colour: must be one of red, green",
                "count: must be a whole number",
                "small: must be a whole number from 0 to 255",
                "ratio: must be a number",
                "flag: is required",
                "names.1: must be a name of 1 to 8 bytes",
                "names.2: must be a name of 1 to 8 bytes",
                "place: has too few items",
                "spans.0.last: must not be below first",
                "spans.1.first: must be a whole number",
                "spans.1.last: is required",
                "spans.2: must be an object",
                "labels.k: must be a whole number",
                "created: must be a time as whole milliseconds since 1970",
                "extra: is required",
                "nick: must be a name of 1 to 8 bytes",
                "note: must be a text",
            ])
    }

    @Test func `a body of another kind is one problem of the whole`() throws {
        #expect(try problems(Everything.self, "[]") == [": must be an object"])
        #expect(try problems([Int].self, "{}") == [": must be a list"])
        #expect(try problems(Name.self, "1") == [": must be a name of 1 to 8 bytes"])
        #expect(try problems(Int.self, "null") == [": must be a whole number"])
        #expect(try problems([[Int]].self, "[[1],[2,true]]") == ["1.1: must be a whole number"])
        #expect(try problems([Int?].self, "[1,null]") == [])
    }

    @Test func `a patch tells absent from null from a value`() throws {
        struct Update: Codable, Equatable {
            var title: Patch<String>
            var count: Patch<Int>
        }
        func read(_ text: String) throws -> Update {
            try JSONCoder.decode(Update.self, from: parse(text))
        }
        #expect(try read("{}") == Update(title: .absent, count: .absent))
        #expect(
            try read(#"{"title":null,"count":2}"#) == Update(title: .clear, count: .set(2)))
        #expect(text(Update(title: .absent, count: .clear)) == #"{"count":null}"#)
        #expect(Patch.absent.applied(to: 1) == 1 && Patch.clear.applied(to: 1) == nil)
        #expect(Patch.set(2).applied(to: 1) == 2)
    }

    @Test func `a nil optional is null, an omittable one is left out`() {
        struct Object: Codable {
            var a: Int?
            @Omittable var b: Int?
            var c: [Int?]
        }
        #expect(text(Object(a: nil, b: nil, c: [1, nil])) == #"{"a":null,"c":[1,null]}"#)
        #expect(text(Object(a: 1, b: 2, c: [])) == #"{"a":1,"b":2,"c":[]}"#)
    }

    @Test func `containers inside containers close in order, and empty ones are written`() {
        struct Nested: Encodable {
            enum Key: String, CodingKey { case a, b, c, d }
            func encode(to encoder: any Encoder) throws {
                var outer = encoder.container(keyedBy: Key.self)
                var inner = outer.nestedContainer(keyedBy: Key.self, forKey: .a)
                try inner.encode(1, forKey: .b)
                var list = inner.nestedUnkeyedContainer(forKey: .c)
                try list.encode("x")
                _ = list.nestedContainer(keyedBy: Key.self)
                try outer.encodeNil(forKey: .b)
                _ = outer.nestedUnkeyedContainer(forKey: .c)
                var again = encoder.container(keyedBy: Key.self)
                try again.encode(Float(0.1), forKey: .d)
            }
        }
        struct Nothing: Codable {}
        struct Silent: Encodable { func encode(to encoder: any Encoder) throws {} }
        #expect(text(Nested()) == #"{"a":{"b":1,"c":["x",{}]},"b":null,"c":[],"d":0.1}"#)
        #expect(text([Nothing(), Nothing()]) == "[{},{}]")
        #expect(text([Silent(), Silent()]) == "[{},{}]")
        #expect(text([[Int]]()) == "[]" && text("a\"b") == #""a\"b""# && text(Int8.min) == "-128")
        #expect(text([UInt64.max]) == "[18446744073709551615]" && text([Double.nan]) == "[null]")
    }

    @Test func `encoded bytes are put in as they are, behind what is there already`() {
        struct Envelope: Encodable { var time: Int; var data: EncodedJSON; var more: [EncodedJSON] }
        let inner = EncodedJSON([1, 2])
        var writer = ByteWriter()
        writer.append("x=" as StaticString)
        JSONCoder.encode(Envelope(time: 1, data: inner, more: [inner, inner]), into: &writer)
        #expect(
            String(decoding: writer.array(), as: UTF8.self)
                == #"x={"time":1,"data":[1,2],"more":[[1,2],[1,2]]}"#)
    }

    @Test func `a schema is what the type asks for`() throws {
        let expected = try parse(
            #"""
            {"type":"object","properties":{
              "name":{"type":"string","maxLength":8},
              "title":{"type":["string","null"]},
              "colour":{"type":"string","enum":["red","green"]},
              "count":{"type":"integer"},
              "small":{"type":"integer","minimum":0,"maximum":255},
              "ratio":{"type":"number"},
              "flag":{"type":"boolean"},
              "names":{"type":"array","items":{"type":"string","maxLength":8}},
              "place":{"type":["array","null"],"items":{"type":"number"}},
              "spans":{"type":"array","items":{"type":"object","properties":{
                "first":{"type":"integer"},"last":{"type":"integer"}},"required":["first","last"]}},
              "labels":{"type":"object","additionalProperties":{"type":"integer"}},
              "created":{"type":"integer","description":"Unix time in milliseconds"},
              "extra":{},
              "nick":{"type":["string","null"],"maxLength":8},
              "note":{"type":["string","null"]}},
             "required":["name","colour","count","small","ratio","flag","names","spans","labels",
               "created","extra"]}
            """#)
        #expect(JSONCoder.schema(Everything.self) == expected)
        #expect(
            JSONCoder.schema([Colour?].self)["items"] == [
                "type": ["string", "null"], "enum": ["red", "green", nil],
            ])
        #expect(JSONCoder.schema(JSONValue?.self) == ["anyOf": [[:], ["type": "null"]]])
    }

    @Test func `a type that holds itself has a schema that ends`() {
        #expect(
            JSONCoder.schema(Tree.self) == [
                "type": "object",
                "properties": [
                    "children": ["type": "array", "items": [:]],
                    "parent": ["type": ["array", "null"], "items": [:]],
                ],
                "required": ["children"],
            ])
    }
}
