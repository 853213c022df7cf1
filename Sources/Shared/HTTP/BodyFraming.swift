import Base

/// How a request's body ends, RFC 9112 §6.3; a request has no other ways.
enum RequestFraming: Sendable, Equatable {
    case none
    case length(Int64)
    case chunked
}

/// Where a message's body ends: the one place that decides it, RFC 9112 §6.
///
/// | Transfer-Encoding | Content-Length | request | response |
/// | --- | --- | --- | --- |
/// | none | none | no body | until close |
/// | none | one, digits alone | so many bytes | so many bytes |
/// | none | several, or anything else | refused | refused |
/// | exactly `chunked`, HTTP/1.1 | none | chunked | chunked |
/// | any | any | refused | refused |
/// | anything else | none | refused | refused |
///
/// A response to HEAD, and 1xx, 204, 304, has none whatever its fields say.
enum BodyFraming {
    static func request(
        _ span: Span<UInt8>, _ scanner: HeadScanner, minor: UInt8
    ) throws(RequestRejection) -> RequestFraming {
        let marks = scanner.marks
        if let coding = marks.coding {
            guard marks.length == nil, minor == 1 else { throw .ambiguousLength }
            guard marks.codings == 1, isChunked(span, scanner.slots[coding]) else {
                throw .unknownTransferCoding
            }
            return .chunked
        }
        guard let length = marks.length else { return .none }
        guard marks.lengths == 1, let bytes = number(span, scanner.slots[length]) else {
            throw .badContentLength
        }
        return bytes == 0 ? .none : .length(bytes)
    }

    /// Nil when it is refused. `length` is what Content-Length says, also where there is no body.
    static func response(
        _ span: Span<UInt8>, _ scanner: HeadScanner, status: Status, minor: UInt8, toHead: Bool
    ) -> (framing: BodyReader.Framing, length: Int64?)? {
        let marks = scanner.marks
        var length: Int64?
        if let slot = marks.length {
            guard marks.lengths == 1, marks.coding == nil,
                let bytes = number(span, scanner.slots[slot])
            else { return nil }
            length = bytes
        }
        if toHead || status.isInformational || status == .noContent || status == .notModified {
            return (.length(0), length)
        }
        if let coding = marks.coding {
            guard marks.codings == 1, minor == 1, isChunked(span, scanner.slots[coding]) else {
                return nil
            }
            return (.chunked, nil)
        }
        return length.map { (.length($0), $0) } ?? (.untilClose, nil)
    }

    private static func isChunked(_ span: Span<UInt8>, _ slot: RequestHead.Slot) -> Bool {
        guard slot.valueEnd - slot.value == 7 else { return false }
        var key: UInt64 = 0
        for index in Int(slot.value)..<Int(slot.valueEnd) {
            key = key << 8 | UInt64(Octet.lowercased(span[index]))
        }
        return key == 0x63_6875_6E6B_6564
    }

    /// Digits and nothing else, without overflow.
    private static func number(_ span: Span<UInt8>, _ slot: RequestHead.Slot) -> Int64? {
        guard slot.valueEnd > slot.value, slot.valueEnd - slot.value <= 18 else { return nil }
        var number: Int64 = 0
        for index in Int(slot.value)..<Int(slot.valueEnd) {
            guard Octet.isDigit(span[index]) else { return nil }
            number = number * 10 + Int64(span[index] - 48)
        }
        return number
    }
}

/// Bytes from the peer that nobody has taken yet. Empty, it holds no memory.
struct InputBuffer: ~Copyable {
    private var bytes = ByteWriter()
    private var start = 0

    var count: Int { bytes.count - start }
    var isEmpty: Bool { count == 0 }

    mutating func append(_ span: Span<UInt8>) {
        if start > 0, start >= bytes.count / 2 {
            bytes.removeFirst(start)
            start = 0
        }
        bytes.append(span)
    }

    mutating func removeFirst(_ length: Int) {
        start += length
        precondition(start <= bytes.count, "taking \(length) of \(count + length) bytes")
        if start == bytes.count {
            bytes.removeAll(keeping: 0)
            start = 0
        }
    }

    mutating func removeAll() { removeFirst(count) }

    func withSpan<Result>(_ body: (Span<UInt8>) -> Result) -> Result {
        bytes.withSpan { span in body(span.extracting(start..<span.count)) }
    }

    mutating func take(_ length: Int) -> [UInt8] {
        let taken = withSpan { span in span.extracting(0..<length).array() }
        removeFirst(length)
        return taken
    }
}

/// Takes a body out of the bytes of a connection.
struct BodyReader {
    enum Framing: Equatable {
        case length(Int64)
        case chunked
        case untilClose
    }

    private var framing: Framing
    private var decoder: ChunkedDecoder
    private(set) var isComplete: Bool
    private(set) var error: BodyError?

    /// The most bytes that are given out at once.
    static let largestChunk = 64 * 1_024

    init(_ framing: Framing, limits: borrowing HTTPLimits) {
        self.framing = framing
        decoder = ChunkedDecoder(extensions: limits.chunkExtensions, trailers: limits.trailers)
        isComplete = framing == .length(0)
    }

    init(_ framing: RequestFraming, limits: borrowing HTTPLimits) {
        switch framing {
        case .none: self.init(Framing.length(0), limits: limits)
        case .length(let length): self.init(Framing.length(length), limits: limits)
        case .chunked: self.init(Framing.chunked, limits: limits)
        }
    }

    /// Bytes still to come, when that is known.
    var remaining: Int64? {
        switch framing {
        case .length(let length): length
        case .chunked, .untilClose: isComplete ? 0 : nil
        }
    }

    /// Whether its end is the connection's.
    var endsWithConnection: Bool { framing == .untilClose }

    mutating func fail(_ error: BodyError) {
        if self.error == nil, !isComplete { self.error = error }
    }

    /// The next bytes; `ended` says that the peer sends no more.
    mutating func take(from input: inout InputBuffer, ended: Bool) -> BodyChunk {
        if let error { return .failed(error) }
        if isComplete { return .end }
        switch framing {
        case .length(let remaining):
            let length = Int(min(Int64(min(input.count, Self.largestChunk)), remaining))
            if length > 0 {
                framing = .length(remaining - Int64(length))
                isComplete = remaining == Int64(length)
                return .bytes(input.take(length))
            }
        case .untilClose:
            if !input.isEmpty { return .bytes(input.take(min(input.count, Self.largestChunk))) }
            if ended {
                isComplete = true
                return .end
            }
        case .chunked:
            var bytes: [UInt8] = []
            let used = Self.decode(input, &decoder, &bytes)
            input.removeFirst(used)
            if decoder.isMalformed { error = .malformed }
            isComplete = decoder.isDone
            if !bytes.isEmpty { return .bytes(bytes) }
            if let error { return .failed(error) }
            if isComplete { return .end }
        }
        guard ended else { return .wait }
        error = .closed
        return .failed(.closed)
    }

    private static func decode(
        _ input: borrowing InputBuffer, _ decoder: inout ChunkedDecoder, _ bytes: inout [UInt8]
    ) -> Int {
        input.withSpan { span in decoder.decode(span, into: &bytes, most: largestChunk) }
    }
}

/// Chunked bodies to bytes, RFC 9112 §7.1. Extensions and trailers are read over, within limits;
/// a line end is CR LF and nothing else.
struct ChunkedDecoder {
    private enum State {
        /// The digits of a chunk's size.
        case size(digits: Int)
        /// After the size: an extension up to CR.
        case lineExtension
        /// The LF behind a size.
        case sizeEnd
        /// Inside a chunk.
        case data
        /// The CR, then the LF behind a chunk.
        case dataReturn
        case dataEnd
        /// The first byte of a trailer line, inside it, its LF, the LF of the empty line.
        case trailerStart
        case trailer
        case trailerEnd
        case lastEnd
        case done
        case malformed
    }

    private var state = State.size(digits: 0)
    private var remaining: UInt64 = 0
    private var extensions: Int
    private var trailers: Int

    init(extensions: Int, trailers: Int) {
        self.extensions = extensions
        self.trailers = trailers
    }

    var isDone: Bool { if case .done = state { true } else { false } }
    var isMalformed: Bool { if case .malformed = state { true } else { false } }

    /// Decodes until the bytes or the body end, or `most` bytes are out; says how many were used.
    mutating func decode(_ span: Span<UInt8>, into output: inout [UInt8], most: Int) -> Int {
        var index = 0
        while index < span.count {
            if case .data = state {
                let room = most - output.count
                if room <= 0 { return index }
                let length = Int(min(remaining, UInt64(min(span.count - index, room))))
                output.append(span.extracting(index..<index + length))
                index += length
                remaining -= UInt64(length)
                if remaining == 0 { state = .dataReturn }
                continue
            }
            step(span[index])
            switch state {
            case .malformed: return index
            case .done: return index + 1
            case .size, .lineExtension, .sizeEnd, .data, .dataReturn, .dataEnd, .trailerStart,
                .trailer, .trailerEnd, .lastEnd:
                index += 1
            }
        }
        return index
    }

    private mutating func step(_ byte: UInt8) {
        switch state {
        case .size(let digits):
            if let digit = Hex.value(byte), digits < 15 {
                remaining = remaining << 4 | UInt64(digit)
                state = .size(digits: digits + 1)
            } else if digits > 0, byte == Octet.cr {
                state = .sizeEnd
            } else if digits > 0, byte == UInt8(ascii: ";") {
                state = .lineExtension
            } else {
                state = .malformed
            }
        case .lineExtension:
            extensions -= 1
            if byte == Octet.cr {
                state = .sizeEnd
            } else if !Octet.isValue(byte) || extensions < 0 {
                state = .malformed
            }
        case .sizeEnd:
            state =
                byte != Octet.lf ? .malformed : remaining > 0 ? .data : .trailerStart
        case .data:
            break
        case .dataReturn:
            state = byte == Octet.cr ? .dataEnd : .malformed
        case .dataEnd:
            state = byte == Octet.lf ? .size(digits: 0) : .malformed
        case .trailerStart:
            if byte == Octet.cr {
                state = .lastEnd
            } else {
                trailers -= 1
                state = Octet.isToken(byte) && trailers >= 0 ? .trailer : .malformed
            }
        case .trailer:
            trailers -= 1
            if byte == Octet.cr {
                state = .trailerEnd
            } else if !Octet.isValue(byte) || trailers < 0 {
                state = .malformed
            }
        case .trailerEnd:
            state = byte == Octet.lf ? .trailerStart : .malformed
        case .lastEnd:
            state = byte == Octet.lf ? .done : .malformed
        case .done, .malformed:
            break
        }
    }
}
