/// Hexadecimal, RFC 4648 §8, lower case out, either case in.
public enum Hex {
    // Here and below the generic fronts are inlinable and hand over arrays: generic code is not
    // specialised across modules, and costs fifty times as much for each byte.

    /// Two digits for each byte.
    @inlinable public static func encode(_ bytes: some Sequence<UInt8>) -> String {
        encode(array: Array(bytes))
    }

    @usableFromInline static func encode(array bytes: [UInt8]) -> String {
        unsafe String(unsafeUninitializedCapacity: bytes.count * 2) { text in
            for (index, byte) in bytes.enumerated() {
                unsafe text[index * 2] = digit(byte >> 4)
                unsafe text[index * 2 + 1] = digit(byte & 15)
            }
            return bytes.count * 2
        }
    }

    /// The digit of a value below 16.
    static func digit(_ value: UInt8) -> UInt8 {
        value + (value < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10)
    }

    /// The bytes, or nil when a digit is missing or is none.
    @inlinable public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        decode(array: Array(text.utf8))
    }

    @usableFromInline static func decode(array text: [UInt8]) -> [UInt8]? {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 2)
        var high: UInt8?
        for character in text {
            guard let digit = value(character) else { return nil }
            if let first = high {
                bytes.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        return high == nil ? bytes : nil
    }

    /// The value of one digit.
    public static func value(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
        case _: nil
        }
    }
}

/// Base64 in its two alphabets, RFC 4648 §4 and §5; only the canonical spelling is read.
public enum Base64 {
    private static let plain = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    private static let url = Array(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)

    /// The URL alphabet without padding.
    public static func encodeURL(_ bytes: [UInt8]) -> String { encode(bytes, url, padded: false) }

    /// The plain alphabet with padding.
    public static func encode(_ bytes: [UInt8]) -> String { encode(bytes, plain, padded: true) }

    /// Reads the URL alphabet without padding; nil for anything not canonical.
    @inlinable public static func decodeURL(_ text: some StringProtocol) -> [UInt8]? {
        decodeURL(array: Array(text.utf8))
    }

    @usableFromInline static func decodeURL(array text: [UInt8]) -> [UInt8]? {
        decode(text, urlValues)
    }

    /// Reads the plain alphabet with padding; nil for anything not canonical.
    @inlinable public static func decode(_ text: some StringProtocol) -> [UInt8]? {
        decode(array: Array(text.utf8))
    }

    @usableFromInline static func decode(array text: [UInt8]) -> [UInt8]? {
        var characters = text
        guard characters.count % 4 == 0 else { return nil }
        var padding = 0
        while padding < 2, characters.last == UInt8(ascii: "=") {
            characters.removeLast()
            padding += 1
        }
        return decode(characters, plainValues)
    }

    private static let urlValues = values(url)
    private static let plainValues = values(plain)

    private static func values(_ alphabet: [UInt8]) -> [UInt8] {
        var table = [UInt8](repeating: 255, count: 256)
        for (value, character) in alphabet.enumerated() { table[Int(character)] = UInt8(value) }
        return table
    }

    private static func encode(_ bytes: [UInt8], _ alphabet: [UInt8], padded: Bool) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        var index = 0
        while index < bytes.count {
            let left = bytes.count - index
            let first = UInt32(bytes[index]) << 16
            let second = left > 1 ? UInt32(bytes[index + 1]) << 8 : 0
            let third = left > 2 ? UInt32(bytes[index + 2]) : 0
            let group = first | second | third
            for place in 0..<min(4, left + 1) {
                text.append(alphabet[Int(group >> UInt32(18 - 6 * place) & 63)])
            }
            if padded, left < 3 {
                for _ in 0..<(3 - left) { text.append(UInt8(ascii: "=")) }
            }
            index += 3
        }
        return String(decoding: text, as: UTF8.self)
    }

    private static func decode(_ characters: [UInt8], _ table: [UInt8]) -> [UInt8]? {
        guard characters.count % 4 != 1 else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(characters.count * 3 / 4)
        var group: UInt32 = 0
        var bits: UInt32 = 0
        for character in characters {
            let value = table[Int(character)]
            if value == 255 { return nil }
            group = group << 6 | UInt32(value)
            bits += 6
            if bits >= 8 {
                bits -= 8
                bytes.append(UInt8(truncatingIfNeeded: group >> bits))
                group &= (1 << bits) - 1
            }
        }
        // Left-over bits that are not zero would be a second spelling of the same bytes.
        return group == 0 ? bytes : nil
    }
}

/// Percent coding, RFC 3986 §2.1.
public enum Percent {
    private static let digits = Array("0123456789ABCDEF".utf8)

    /// Escapes all but the unreserved characters.
    @inlinable public static func encode(_ text: some StringProtocol) -> String {
        encode(array: Array(text.utf8))
    }

    @usableFromInline static func encode(array text: [UInt8]) -> String {
        var bytes: [UInt8] = []
        for byte in text {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                UInt8(ascii: "_"), UInt8(ascii: "~"):
                bytes.append(byte)
            case _:
                bytes.append(UInt8(ascii: "%"))
                bytes.append(digits[Int(byte >> 4)])
                bytes.append(digits[Int(byte & 15)])
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The text behind the escapes; nil for a broken escape or what is not UTF-8.
    @inlinable public static func decode(
        _ bytes: some Sequence<UInt8>, plusIsSpace: Bool = false
    ) -> String? {
        decode(array: Array(bytes), plusIsSpace)
    }

    @usableFromInline static func decode(array bytes: [UInt8], _ plusIsSpace: Bool) -> String? {
        var isPlain = true
        for byte in bytes {
            let isSpecial = byte == UInt8(ascii: "%") || plusIsSpace && byte == UInt8(ascii: "+")
            if isSpecial || byte > 127 { isPlain = false }
        }
        if isPlain { return String(decoding: bytes, as: UTF8.self) }
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var iterator = bytes.makeIterator()
        while let byte = iterator.next() {
            if byte == UInt8(ascii: "%") {
                guard let high = iterator.next().flatMap(Hex.value),
                    let low = iterator.next().flatMap(Hex.value)
                else { return nil }
                out.append(high << 4 | low)
            } else if plusIsSpace, byte == UInt8(ascii: "+") {
                out.append(UInt8(ascii: " "))
            } else {
                out.append(byte)
            }
        }
        return String(validating: out, as: UTF8.self)
    }
}
