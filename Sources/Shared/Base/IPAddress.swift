/// An IP address without a port or zone, in host byte order.
public enum IPAddress: Sendable, Hashable {
    /// Version 4.
    case v4(UInt32)
    /// Version 6, the first and the last eight bytes.
    case v6(high: UInt64, low: UInt64)

    /// Reads dotted decimal (four numbers, no leading zeros) or RFC 4291 §2.2; no zone, no brackets.
    public init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        if bytes.contains(UInt8(ascii: ":")) {
            guard let words = Self.words(bytes[...]) else { return nil }
            var halves: (UInt64, UInt64) = (0, 0)
            for word in words[..<4] { halves.0 = halves.0 << 16 | UInt64(word) }
            for word in words[4...] { halves.1 = halves.1 << 16 | UInt64(word) }
            self = .v6(high: halves.0, low: halves.1)
        } else {
            guard let number = Self.dotted(bytes[...]) else { return nil }
            self = .v4(number)
        }
    }

    /// The v4 address behind a v4-mapped one (`::ffff:a.b.c.d`), else the address itself.
    public var unmapped: IPAddress {
        if case .v6(0, let low) = self, low >> 32 == 0xFFFF {
            return .v4(UInt32(truncatingIfNeeded: low))
        }
        return self
    }

    /// What counts as one client: an address of version 4, the /64 of one of version 6, since who has
    /// one address of it has all of them.
    public var rateUnit: IPAddress {
        if case .v6(let high, _) = unmapped { return .v6(high: high, low: 0) }
        return unmapped
    }

    /// Whether it is of this machine itself.
    public var isLoopback: Bool {
        switch unmapped {
        case .v4(let number): number >> 24 == 127
        case .v6(let high, let low): high == 0 && low == 1
        }
    }

    /// How many bits an address of its version has.
    public var width: Int {
        switch self {
        case .v4: 32
        case .v6: 128
        }
    }

    private static func dotted(_ bytes: ArraySlice<UInt8>) -> UInt32? {
        let parts = bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var number: UInt32 = 0
        for part in parts {
            guard (1...3).contains(part.count), part.allSatisfy({ (48...57).contains($0) }),
                part.count == 1 || part.first != UInt8(ascii: "0")
            else { return nil }
            let value = part.reduce(UInt32(0)) { $0 * 10 + UInt32($1 - 48) }
            guard value <= 255 else { return nil }
            number = number << 8 | value
        }
        return number
    }

    /// The eight words of a v6 address.
    private static func words(_ bytes: ArraySlice<UInt8>) -> [UInt16]? {
        let colon = UInt8(ascii: ":")
        let gap = bytes.indices.dropLast().first { bytes[$0] == colon && bytes[$0 + 1] == colon }
        guard let gap else {
            guard let all = group(bytes, mayEndDotted: true), all.count == 8 else { return nil }
            return all
        }
        let front = bytes[..<gap]
        let back = bytes[(gap + 2)...]
        guard let before = front.isEmpty ? [] : group(front, mayEndDotted: false),
            let after = back.isEmpty ? [] : group(back, mayEndDotted: true),
            before.count + after.count <= 7
        else { return nil }
        return before + [UInt16](repeating: 0, count: 8 - before.count - after.count) + after
    }

    private static func group(_ bytes: ArraySlice<UInt8>, mayEndDotted: Bool) -> [UInt16]? {
        let parts = bytes.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count <= 8 else { return nil }
        var words: [UInt16] = []
        for (index, part) in parts.enumerated() {
            if mayEndDotted, index == parts.count - 1, part.contains(UInt8(ascii: ".")) {
                guard let number = dotted(part) else { return nil }
                words.append(UInt16(truncatingIfNeeded: number >> 16))
                words.append(UInt16(truncatingIfNeeded: number))
                continue
            }
            guard (1...4).contains(part.count) else { return nil }
            var word: UInt16 = 0
            for byte in part {
                guard let digit = Hex.value(byte) else { return nil }
                word = word << 4 | UInt16(digit)
            }
            words.append(word)
        }
        return words
    }
}

extension IPAddress: CustomStringConvertible {
    /// The one canonical spelling, RFC 5952.
    public var description: String {
        switch self {
        case .v4(let number):
            return "\(number >> 24).\(number >> 16 & 255).\(number >> 8 & 255).\(number & 255)"
        case .v6(let high, let low):
            if case .v4(let number) = unmapped { return "::ffff:\(IPAddress.v4(number))" }
            let words = (0..<8).map { index in
                UInt16(truncatingIfNeeded: (index < 4 ? high : low) >> UInt64(48 - index % 4 * 16))
            }
            let gap = Self.longestZeros(words)
            let text = { (range: Range<Int>) in
                words[range].map { String($0, radix: 16) }.joined(separator: ":")
            }
            if gap.count < 2 { return text(0..<8) }
            return text(0..<gap.lowerBound) + "::" + text(gap.upperBound..<8)
        }
    }

    /// The first of the longest runs of zeros.
    private static func longestZeros(_ words: [UInt16]) -> Range<Int> {
        var best = 0..<0
        var start = 0
        for index in 0...8 where index == 8 || words[index] != 0 {
            if index - start > best.count { best = start..<index }
            start = index + 1
        }
        return best
    }
}
