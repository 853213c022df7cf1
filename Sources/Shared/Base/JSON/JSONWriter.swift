extension ByteWriter {
    /// Appends a value in its shortest form, members in their own order. A double that is not
    /// finite becomes `null`, as JSON has none.
    public mutating func append(json value: JSONValue) {
        switch value {
        case .null: append("null" as StaticString)
        case .boolean(let flag): append(json: flag)
        case .integer(let number): append(decimal: number)
        case .double(let number): append(json: number)
        case .string(let text): append(jsonString: text)
        case .array(let items):
            append(UInt8(ascii: "["))
            for (index, item) in items.enumerated() {
                if index > 0 { append(UInt8(ascii: ",")) }
                append(json: item)
            }
            append(UInt8(ascii: "]"))
        case .object(let object):
            append(UInt8(ascii: "{"))
            for (index, member) in object.members.enumerated() {
                if index > 0 { append(UInt8(ascii: ",")) }
                append(jsonString: member.key)
                append(UInt8(ascii: ":"))
                append(json: member.value)
            }
            append(UInt8(ascii: "}"))
        }
    }

    /// Appends `true` or `false`.
    mutating func append(json flag: Bool) {
        append(flag ? "true" : "false" as StaticString)
    }

    /// Appends a text in quotes with no more escapes than JSON demands (RFC 8785 §3.2.2.2).
    public mutating func append(jsonString text: String) {
        var text = text
        text.withUTF8 { characters in
            let bytes = UnsafeRawBufferPointer(characters)
            reserve(bytes.count + 2)
            append(UInt8(ascii: "\""))
            var start = 0
            for index in 0..<bytes.count {
                let byte = unsafe bytes[index]
                if byte >= 0x20, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\") { continue }
                unsafe append(copying: UnsafeRawBufferPointer(rebasing: bytes[start..<index]))
                append(escapeOf: byte)
                start = index + 1
            }
            unsafe append(copying: UnsafeRawBufferPointer(rebasing: bytes[start...]))
            append(UInt8(ascii: "\""))
        }
    }

    private mutating func append(escapeOf byte: UInt8) {
        append(UInt8(ascii: "\\"))
        switch byte {
        case 0x08: append(UInt8(ascii: "b"))
        case 0x09: append(UInt8(ascii: "t"))
        case 0x0A: append(UInt8(ascii: "n"))
        case 0x0C: append(UInt8(ascii: "f"))
        case 0x0D: append(UInt8(ascii: "r"))
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): append(byte)
        case _:
            append("u00" as StaticString)
            append(UInt8(ascii: "0") + byte >> 4)
            append(Hex.digit(byte & 15))
        }
    }

    /// Appends a number as ECMAScript writes it (RFC 8785 §3.2.2.3): the shortest digits that read
    /// back as the same double, with an exponent below 1e-6 and from 1e21 on.
    mutating func append(json number: Double) {
        guard number.isFinite else { return append("null" as StaticString) }
        if number < 0 { append(UInt8(ascii: "-")) }
        append(decimal: number.magnitude.description)
    }

    /// The same for a float, whose own shortest digits are fewer.
    mutating func append(json number: Float) {
        guard number.isFinite else { return append("null" as StaticString) }
        if number < 0 { append(UInt8(ascii: "-")) }
        append(decimal: number.magnitude.description)
    }

    private mutating func append(decimal description: String) {
        let (digits, point) = Self.decimal(description)
        let count = digits.count
        if count == 0 { return append(UInt8(ascii: "0")) }
        if point >= count, point <= 21 {
            append(digits)
            append(zeros: point - count)
        } else if (1...21).contains(point) {
            append(digits[..<point])
            append(UInt8(ascii: "."))
            append(digits[point...])
        } else if (-5...0).contains(point) {
            append("0." as StaticString)
            append(zeros: -point)
            append(digits)
        } else {
            append(digits[0])
            if count > 1 {
                append(UInt8(ascii: "."))
                append(digits[1...])
            }
            append(point > 0 ? "e+" : "e" as StaticString)
            append(decimal: point - 1)
        }
    }

    private mutating func append(zeros count: Int) {
        for _ in 0..<count { append(UInt8(ascii: "0")) }
    }

    /// The shortest digits `d` and the place `n` of the point so that the number is 0.d × 10ⁿ,
    /// from a description, whose digits are the shortest too.
    private static func decimal(_ description: String) -> (digits: [UInt8], point: Int) {
        var digits: [UInt8] = []
        var point: Int?
        var exponent = 0
        var bytes = description.utf8[...]
        while let byte = bytes.popFirst() {
            switch byte {
            case UInt8(ascii: "."): point = digits.count
            case UInt8(ascii: "e"):
                exponent = Int(String(Substring(bytes))) ?? 0
                bytes = bytes.suffix(0)
            default: digits.append(byte)
            }
        }
        var place = (point ?? digits.count) + exponent
        let leading = digits.prefix { $0 == UInt8(ascii: "0") }.count
        digits.removeFirst(leading)
        place -= leading
        while digits.last == UInt8(ascii: "0") { digits.removeLast() }
        return (digits, place)
    }
}

/// The one form of a value that is signed, RFC 8785.
public enum CanonicalJSON {
    /// The value's canonical bytes. Numbers are doubles there, so a whole number beyond 2⁵³ is
    /// written as the nearest of them, as every other implementation reads it.
    public static func encode(_ value: JSONValue) -> [UInt8] {
        var writer = ByteWriter(capacity: 256)
        write(value, into: &writer)
        return writer.array()
    }

    private static func write(_ value: JSONValue, into writer: inout ByteWriter) {
        switch value {
        case .null, .boolean, .double, .string: writer.append(json: value)
        case .integer(let number): writer.append(json: Double(number))
        case .array(let items):
            writer.append(UInt8(ascii: "["))
            for (index, item) in items.enumerated() {
                if index > 0 { writer.append(UInt8(ascii: ",")) }
                write(item, into: &writer)
            }
            writer.append(UInt8(ascii: "]"))
        case .object(let object):
            writer.append(UInt8(ascii: "{"))
            // By UTF-16 units, which put the characters beyond U+FFFF before U+E000.
            let sorted = object.members.sorted {
                $0.key.utf16.lexicographicallyPrecedes($1.key.utf16)
            }
            for (index, member) in sorted.enumerated() {
                if index > 0 { writer.append(UInt8(ascii: ",")) }
                writer.append(jsonString: member.key)
                writer.append(UInt8(ascii: ":"))
                write(member.value, into: &writer)
            }
            writer.append(UInt8(ascii: "}"))
        }
    }
}
