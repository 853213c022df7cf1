import Base

/// What requests' and responses' heads have in common, RFC 9112 §2 and §5: a first line, field
/// lines, an empty line. Incremental: it goes on where the bytes ended before.
///
/// Nothing lenient is done for anybody: whatever two parsers could read in two ways is refused,
/// as that is what request smuggling lives on.
struct HeadScanner {
    /// What a scan comes to.
    enum Outcome: Equatable {
        /// More bytes are needed.
        case incomplete
        /// The head ends before that offset.
        case complete(end: Int)
        case tooLarge
        case badFirstLine
        case badField
        case badLineEnd
    }

    /// The fields that decide about framing and the connection.
    struct Marks {
        var host: Int?
        var hosts = 0
        var length: Int?
        var lengths = 0
        var coding: Int?
        var codings = 0
        var expect: Int?
        var hasUpgrade = false
        var close = false
        var keepAlive = false
        var upgrade = false
    }

    private(set) var slots: [RequestHead.Slot] = []
    private(set) var marks = Marks()
    /// Where the first line ends; 0 before it was read.
    private(set) var firstLineEnd = 0
    /// Where the last field line ends, its line end not included.
    private(set) var fieldsEnd = 0
    /// Where the line begins that is to be read next.
    private var line = 0
    /// Bytes that were seen without the end of that line among them.
    private var searched = 0

    /// Reads on in `span`, which begins with the head's first byte on every call.
    mutating func scan(_ span: Span<UInt8>, limits: borrowing HTTPLimits) -> Outcome {
        let end = min(span.count, limits.head)
        if searched > line {
            // Look for the line's end alone: a head that comes byte by byte costs no more in all.
            while searched < end, span[searched] != Octet.lf, span[searched - 1] != Octet.cr {
                searched += 1
            }
            if searched == end { return ran(out: end, of: span.count) }
        }
        if firstLineEnd == 0 {
            var index = line
            index = Self.endOfValue(span, from: index, to: end)
            if index == end || index + 1 == end && span[index] == Octet.cr {
                return ran(out: end, of: span.count)
            }
            guard span[index] == Octet.cr, span[index + 1] == Octet.lf else {
                return span[index] == Octet.lf || span[index] == Octet.cr
                    ? .badLineEnd : .badFirstLine
            }
            guard index > 0 else { return .badFirstLine }
            firstLineEnd = index
            fieldsEnd = index
            line = index + 2
        }
        while true {
            let start = line
            var index = start
            var key: UInt64 = 0
            while index < end {
                let byte = span[index]
                if !Octet.isToken(byte) { break }
                key = key << 8 | UInt64(byte | 0x20)
                index += 1
            }
            if index == end { return ran(out: end, of: span.count) }
            if index == start {
                guard span[index] == Octet.cr else {
                    return span[index] == Octet.lf ? .badLineEnd : .badField
                }
                if index + 1 == end { return ran(out: end, of: span.count) }
                return span[index + 1] == Octet.lf ? .complete(end: index + 2) : .badLineEnd
            }
            guard span[index] == UInt8(ascii: ":") else { return .badField }
            let nameEnd = index
            index += 1
            while index < end, Octet.isBlank(span[index]) { index += 1 }
            let value = index
            index = Self.endOfValue(span, from: index, to: end)
            if index == end || index + 1 == end && span[index] == Octet.cr {
                return ran(out: end, of: span.count)
            }
            guard span[index] == Octet.cr, span[index + 1] == Octet.lf else {
                return span[index] == Octet.lf || span[index] == Octet.cr ? .badLineEnd : .badField
            }
            var valueEnd = index
            while valueEnd > value, Octet.isBlank(span[valueEnd - 1]) { valueEnd -= 1 }
            guard slots.count < limits.fields else { return .tooLarge }
            if slots.isEmpty { slots.reserveCapacity(16) }
            slots.append(
                RequestHead.Slot(
                    name: UInt16(truncatingIfNeeded: start),
                    nameEnd: UInt16(truncatingIfNeeded: nameEnd),
                    value: UInt16(truncatingIfNeeded: value),
                    valueEnd: UInt16(truncatingIfNeeded: valueEnd)))
            note(span, start, nameEnd, key, value..<valueEnd)
            fieldsEnd = index
            line = index + 2
        }
    }

    /// The first byte that may not stand in a value: most heads are values, so eight bytes are
    /// looked at together. Subtracting sets a byte's highest bit where it is below a space, and where
    /// it is DEL once that is flipped to zero; bytes with the bit set before are let through.
    private static func endOfValue(_ span: Span<UInt8>, from start: Int, to end: Int) -> Int {
        var index = start
        while end - index >= 8 {
            let word = UInt64(littleEndian: span.word(at: index))
            let deleted = word ^ 0x7F7F_7F7F_7F7F_7F7F
            let below = (word &- 0x2020_2020_2020_2020) & ~word
            let found =
                (below | (deleted &- 0x0101_0101_0101_0101) & ~deleted) & 0x8080_8080_8080_8080
            if found == 0 {
                index += 8
                continue
            }
            index += found.trailingZeroBitCount >> 3
            if span[index] != Octet.tab { return index }
            index += 1
        }
        while index < end, Octet.isValue(span[index]) { index += 1 }
        return index
    }

    private mutating func ran(out end: Int, of count: Int) -> Outcome {
        searched = end
        return end < count ? .tooLarge : .incomplete
    }

    /// Remembers what matters to the connection. `key` is the name's last eight characters in lower
    /// case; with the length it tells these names apart, the longer ones are compared in full.
    private mutating func note(
        _ span: Span<UInt8>, _ name: Int, _ nameEnd: Int, _ key: UInt64, _ value: Range<Int>
    ) {
        let slot = slots.count - 1
        switch (nameEnd - name, key) {
        case (4, 0x686F_7374):
            marks.host = slot
            marks.hosts += 1
        case (6, 0x6578_7065_6374):
            marks.expect = slot
        case (7, 0x7570_6772_6164_65):
            marks.hasUpgrade = true
        case (10, 0x6E6E_6563_7469_6F6E) where spells(span, name, .connection):
            noteConnection(span, value)
        case (14, 0x742D_6C65_6E67_7468) where spells(span, name, .contentLength):
            marks.length = slot
            marks.lengths += 1
        case (17, 0x656E_636F_6469_6E67) where spells(span, name, .transferEncoding):
            marks.coding = slot
            marks.codings += 1
        case _:
            break
        }
    }

    private func spells(_ span: Span<UInt8>, _ start: Int, _ name: FieldName) -> Bool {
        var index = start
        for byte in name.lowercase {
            if Octet.lowercased(span[index]) != byte { return false }
            index += 1
        }
        return true
    }

    private mutating func noteConnection(_ span: Span<UInt8>, _ value: Range<Int>) {
        var index = value.lowerBound
        while index < value.upperBound {
            var key: UInt64 = 0
            var length = 0
            while index < value.upperBound, span[index] != UInt8(ascii: ",") {
                let byte = span[index]
                if !Octet.isBlank(byte) {
                    key = key << 8 | UInt64(Octet.lowercased(byte))
                    length += 1
                }
                index += 1
            }
            index += 1
            switch (length, key) {
            case (5, 0x63_6C6F_7365): marks.close = true
            // Its last eight characters; whoever else ends so asks for nothing worse than this.
            case (10, 0x6570_2D61_6C69_7665): marks.keepAlive = true
            case (7, 0x75_7067_7261_6465): marks.upgrade = true
            case _: break
            }
        }
    }
}
