import Base

/// What stands before a frame's payload, RFC 6455 §5.2.
struct FrameHeader: Equatable {
    let isFinal: Bool
    let opcode: Opcode
    /// In network order; nil when the frame is not masked.
    let mask: UInt32?
    let length: Int
}

/// Bytes to frames' headers. What RFC 6455 §5 forbids is refused here, before a byte of the payload
/// is looked at: reserved bits and opcodes, the wrong masking for the role, a length longer spelled
/// than it must be, control frames that are fragmented or long.
enum FrameParser {
    enum Outcome: Equatable {
        /// More bytes are needed.
        case incomplete
        /// The header, and how many bytes it took.
        case header(FrameHeader, consumed: Int)
        case failed(CloseCode)
    }

    static func parse(_ span: Span<UInt8>, masked: Bool) -> Outcome {
        guard span.count >= 2 else { return .incomplete }
        let first = span[0]
        let second = span[1]
        // No extension was agreed on, so the reserved bits must be zero.
        guard first & 0x70 == 0, let opcode = Opcode(rawValue: first & 0x0F),
            (second & 0x80 != 0) == masked
        else { return .failed(.protocolError) }
        let isFinal = first & 0x80 != 0
        let short = second & 0x7F
        if opcode.isControl, !isFinal || short > 125 { return .failed(.protocolError) }
        var length = UInt64(short)
        var offset = 2
        if short > 125 {
            let width = short == 126 ? 2 : 8
            guard span.count >= 2 + width else { return .incomplete }
            length = 0
            for index in 2..<2 + width { length = length << 8 | UInt64(span[index]) }
            offset = 2 + width
            if length >> 63 != 0 || length <= (short == 126 ? 125 : 0xFFFF) {
                return .failed(.protocolError)
            }
        }
        var mask: UInt32?
        if masked {
            guard span.count >= offset + 4 else { return .incomplete }
            var key: UInt32 = 0
            for index in offset..<offset + 4 { key = key << 8 | UInt32(span[index]) }
            mask = key
            offset += 4
        }
        let header = FrameHeader(
            isFinal: isFinal, opcode: opcode, mask: mask, length: Int(length))
        return .header(header, consumed: offset)
    }
}

/// UTF-8 that comes in pieces, RFC 3629: a bad byte is seen at once, not at the message's end.
struct UTF8Validator {
    /// Continuation bytes still to come, and what the next of them may be.
    private var missing = 0
    private var low: UInt8 = 0x80
    private var high: UInt8 = 0xBF

    /// Whether what was seen does not end in the middle of a character.
    var isWhole: Bool { missing == 0 }

    /// False as soon as a byte cannot be part of UTF-8.
    mutating func accept(_ span: Span<UInt8>) -> Bool {
        var index = 0
        while index < span.count {
            if missing == 0 {
                while span.count - index >= 8, span.word(at: index) & 0x8080_8080_8080_8080 == 0 {
                    index += 8
                }
                if index == span.count { return true }
                let byte = span[index]
                low = 0x80
                high = 0xBF
                switch byte {
                case 0...0x7F: break
                case 0xC2...0xDF: missing = 1
                case 0xE0...0xEF:
                    missing = 2
                    // No longer spelling than needed, no surrogates.
                    if byte == 0xE0 { low = 0xA0 }
                    if byte == 0xED { high = 0x9F }
                case 0xF0...0xF4:
                    missing = 3
                    if byte == 0xF0 { low = 0x90 }
                    if byte == 0xF4 { high = 0x8F }
                case _: return false
                }
            } else {
                guard span[index] >= low, span[index] <= high else { return false }
                low = 0x80
                high = 0xBF
                missing -= 1
            }
            index += 1
        }
        return true
    }

    /// Whether these bytes are UTF-8, whole.
    static func isValid(_ bytes: [UInt8]) -> Bool {
        var validator = UTF8Validator()
        return validator.accept(bytes.span) && validator.isWhole
    }
}
