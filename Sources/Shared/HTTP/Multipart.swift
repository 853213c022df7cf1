import Base

/// What a multipart/form-data body comes to, step by step.
public enum MultipartEffect: Sendable, Equatable {
    /// The part `file` begins; the name and the type that its sender gives it.
    case fileBegan(filename: String?, contentType: String?)
    /// Bytes of it.
    case bytes([UInt8])
    /// The last delimiter came. `hadFile`: the part was there and is whole.
    case finished(hadFile: Bool)
    /// It is no such body, or beyond the limits.
    case malformed
}

/// Finds the part `file` in a multipart/form-data body that comes in pieces, RFC 7578 and RFC 2046
/// §5.1; other parts are read over. It holds a part's head at most, and a delimiter's beginning.
public struct MultipartParser: Sendable {
    /// Bytes of a part's head, and of what stands before the first delimiter.
    public static let longestHead = 8 * 1_024
    /// Parts of a body.
    public static let mostParts = 64

    private enum State: Sendable {
        /// Before the first delimiter; what stands there means nothing.
        case preamble
        /// Behind a delimiter: two dashes, or the end of the line.
        case delimiter
        /// In a part's fields.
        case head
        /// In the part `file`, or in another.
        case file
        case other
        /// Behind the last delimiter, or in ruins.
        case over
    }

    private var state = State.preamble
    /// CR, LF, two dashes and the boundary: what ends a part.
    private let delimiter: [UInt8]
    // The first delimiter needs no line before it, so one is made up.
    private var buffer: [UInt8] = [Octet.cr, Octet.lf]
    private var preamble = 0
    private var parts = 0
    private var hadFile = false

    /// A parser for the body of that type; nil when it is not multipart/form-data with a boundary.
    public init?(_ type: MediaType) {
        guard type.essence == MediaType.formData, let boundary = type["boundary"],
            (1...70).contains(boundary.utf8.count), boundary.utf8.last != Octet.space,
            boundary.utf8.allSatisfy({ $0 &- 32 < 95 })
        else { return nil }
        delimiter = Array("\r\n--\(boundary)".utf8)
    }

    /// Bytes held between calls.
    public var heldBytes: Int { buffer.count }

    /// Takes the next bytes of the body.
    public mutating func receive(_ bytes: [UInt8]) {
        if case .over = state { return }
        buffer.append(contentsOf: bytes)
    }

    /// The next thing; nil when more bytes are needed, and after `.finished` and `.malformed`.
    public mutating func next() -> MultipartEffect? {
        while true {
            switch state {
            case .preamble:
                let (found, end) = search()
                preamble += end
                guard preamble <= Self.longestHead else { return ruin() }
                drop(found ? end + delimiter.count : end)
                guard found else { return nil }
                state = .delimiter
            case .delimiter:
                guard buffer.count >= 2 else { return nil }
                if buffer.starts(with: "--".utf8) {
                    state = .over
                    buffer = []
                    return .finished(hadFile: hadFile)
                }
                // RFC 2046 §5.1.1: blanks may stand between a delimiter and its line's end.
                let blanks = buffer.prefix(while: Octet.isBlank).count
                guard blanks <= 256 else { return ruin() }
                guard buffer.count >= blanks + 2 else { return nil }
                guard buffer[blanks] == Octet.cr, buffer[blanks + 1] == Octet.lf else {
                    return ruin()
                }
                parts += 1
                guard parts <= Self.mostParts else { return ruin() }
                // The line's end stays: with it, an empty head is found as any other.
                drop(blanks)
                state = .head
            case .head:
                guard let end = headEnd() else {
                    return buffer.count > Self.longestHead ? ruin() : nil
                }
                guard end <= Self.longestHead, let part = Part(buffer[2..<max(2, end - 2)]) else {
                    return ruin()
                }
                drop(end)
                guard part.name == "file" else {
                    state = .other
                    continue
                }
                if hadFile { return ruin() }
                hadFile = true
                state = .file
                return .fileBegan(filename: part.filename, contentType: part.contentType)
            case .file, .other:
                let (found, end) = search()
                let bytes = Array(buffer[..<end])
                let isFile = if case .file = state { true } else { false }
                drop(found ? end + delimiter.count : end)
                if found { state = .delimiter }
                if isFile, !bytes.isEmpty { return .bytes(bytes) }
                if !found { return nil }
            case .over: return nil
            }
        }
    }

    /// Where the delimiter begins; without one, up to where the bytes can be none of it.
    private func search() -> (found: Bool, end: Int) {
        var index = 0
        while index < buffer.count {
            guard let start = buffer[index...].firstIndex(of: Octet.cr) else { break }
            let rest = buffer[start...].prefix(delimiter.count)
            if rest.elementsEqual(delimiter) { return (true, start) }
            if rest.count < delimiter.count, delimiter.starts(with: rest) { return (false, start) }
            index = start + 1
        }
        return (false, buffer.count)
    }

    /// Behind the empty line that ends a head, whose first line begins with a line's end.
    private func headEnd() -> Int? {
        var index = 0
        while index + 4 <= buffer.count {
            if buffer[index] == Octet.cr, buffer[index + 1] == Octet.lf,
                buffer[index + 2] == Octet.cr, buffer[index + 3] == Octet.lf
            {
                return index + 4
            }
            index += 1
        }
        return nil
    }

    private mutating func drop(_ count: Int) { buffer.removeFirst(count) }

    private mutating func ruin() -> MultipartEffect {
        state = .over
        buffer = []
        return .malformed
    }

    /// What a part's fields say.
    private struct Part {
        var name: String?
        var filename: String?
        var contentType: String?

        init?(_ head: ArraySlice<UInt8>) {
            var lines: [ArraySlice<UInt8>] = []
            var start = head.startIndex
            var index = start
            while index < head.endIndex {
                if head[index] == Octet.lf || head[index] == 0 { return nil }
                if head[index] == Octet.cr {
                    guard index + 1 < head.endIndex, head[index + 1] == Octet.lf else { return nil }
                    lines.append(head[start..<index])
                    index += 1
                    start = index + 1
                }
                index += 1
            }
            if start < head.endIndex { lines.append(head[start...]) }
            for line in lines {
                let key = line.prefix { $0 != UInt8(ascii: ":") }
                guard !key.isEmpty, key.count < line.count, key.allSatisfy(Octet.isToken) else {
                    return nil
                }
                let value = Octet.trimmed(line.dropFirst(key.count + 1))
                if FieldName.contentDisposition.matches(key) {
                    let kind = Octet.trimmed(value.prefix { $0 != UInt8(ascii: ";") })
                    guard Octet.equal(kind, ignoringCase: "form-data"),
                        let parameters = MediaType.parameters(value[kind.endIndex...])
                    else { return nil }
                    name = parameters.first { $0.name == "name" }?.value
                    filename = parameters.first { $0.name == "filename" }?.value
                } else if FieldName.contentType.matches(key) {
                    contentType = String(decoding: value, as: UTF8.self)
                }
            }
        }
    }
}

/// Writes multipart/byteranges, RFC 9110 §14.6: several parts of a file in one answer.
public enum MultipartRanges {
    /// The media type to send it as.
    public static func contentType(boundary: String) -> String {
        "multipart/byteranges; boundary=\(boundary)"
    }

    /// The pieces: each part's head, the part of the file, and the last delimiter. The boundary has
    /// to be such that the file cannot have it: random.
    public static func pieces(
        _ parts: [Range<Int64>], size: Int64, contentType: String, boundary: String
    ) -> [FileSlice.Piece] {
        var pieces: [FileSlice.Piece] = []
        for (index, part) in parts.enumerated() {
            let range = ContentRange(range: part, size: size).text
            let head =
                "\(index == 0 ? "" : "\r\n")--\(boundary)\r\nContent-Type: \(contentType)\r\n"
                + "Content-Range: \(range)\r\n\r\n"
            pieces.append(.bytes(Array(head.utf8)))
            pieces.append(.range(part))
        }
        pieces.append(.bytes(Array("\r\n--\(boundary)--\r\n".utf8)))
        return pieces
    }
}
