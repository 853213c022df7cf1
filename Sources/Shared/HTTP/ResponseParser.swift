import Base

/// Reads a response's head, RFC 9112 §4, incrementally; as strict as the server's side, as what
/// peers answer is no more to be trusted than what they ask.
struct ResponseParser {
    enum Outcome {
        /// More bytes are needed.
        case incomplete
        /// The head, and how many bytes it took.
        case complete(ResponseHead, consumed: Int)
        case rejected(ClientFailure)
    }

    private var scanner = HeadScanner()

    /// Reads on in `span`, which begins with the same byte on every call until it is complete.
    mutating func parse(
        _ span: Span<UInt8>, toHead: Bool, limits: borrowing HTTPLimits
    ) -> Outcome {
        switch scanner.scan(span, limits: limits) {
        case .incomplete: return .incomplete
        case .tooLarge: return .rejected(.headTooLarge)
        case .badFirstLine, .badField, .badLineEnd: return .rejected(.malformed)
        case .complete(let end):
            guard let head = response(span, toHead) else { return .rejected(.malformed) }
            return .complete(head, consumed: end)
        }
    }

    private func response(_ span: Span<UInt8>, _ toHead: Bool) -> ResponseHead? {
        // `HTTP/1.1 200` and, after a space, whatever words.
        let end = scanner.firstLineEnd
        guard end >= 12, span.word(at: 0) & Self.nameMask == Self.name,
            span[7] == UInt8(ascii: "0") || span[7] == UInt8(ascii: "1"),
            span[8] == Octet.space, end == 12 || span[12] == Octet.space
        else { return nil }
        var code = 0
        for index in 9..<12 {
            guard Octet.isDigit(span[index]) else { return nil }
            code = code * 10 + Int(span[index] - 48)
        }
        let minor = span[7] - 48
        guard let status = Status(code),
            let (framing, length) = BodyFraming.response(
                span, scanner, status: status, minor: minor, toHead: toHead)
        else { return nil }
        var fields = Fields()
        fields.block.reserveCapacity(scanner.fieldsEnd)
        for slot in scanner.slots {
            fields.append(
                parsed: span.extracting(Int(slot.name)..<Int(slot.nameEnd)),
                span.extracting(Int(slot.value)..<Int(slot.valueEnd)))
        }
        let marks = scanner.marks
        let bodyLength: Int64? =
            switch framing {
            case .length(let length): length
            case .chunked, .untilClose: nil
            }
        return ResponseHead(
            status: status, fields: fields, bodyLength: bodyLength, declaredLength: length,
            minorVersion: minor, keepsAlive: !marks.close && (minor == 1 || marks.keepAlive),
            framing: framing)
    }

    /// `HTTP/1.`, and where that is in the first eight bytes.
    private static let name = UInt64(bigEndian: 0x4854_5450_2F31_2E00)
    private static let nameMask = UInt64(bigEndian: 0xFFFF_FFFF_FFFF_FF00)
}
