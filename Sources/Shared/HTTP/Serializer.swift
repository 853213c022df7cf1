import Base

/// Why a head is not written.
public enum SerializerError: Error, Sendable, Equatable {
    /// A field that would break out of its line was appended to the fields.
    case refusedField
    /// A request's target is empty or has bytes that end it.
    case refusedTarget
}

/// Heads and chunks to bytes, RFC 9112.
enum Serializer {
    /// How a body that we send is framed.
    enum Framing: Equatable {
        case none
        case length(Int64)
        case chunked
        case untilClose
    }

    static func statusLine(_ status: Status, into output: inout ByteWriter) {
        text("HTTP/1.1 ", into: &output)
        output.append(decimal: status.code)
        output.append(Octet.space)
        output.append(status.reason)
        lineEnd(&output)
    }

    static func requestLine(
        _ method: Method, _ target: [UInt8], into output: inout ByteWriter
    ) throws(SerializerError) {
        guard !target.isEmpty, target.allSatisfy({ $0 &- 33 < 94 }), method != .other else {
            throw .refusedTarget
        }
        output.append(method.name)
        output.append(Octet.space)
        output.append(target)
        text(" HTTP/1.1\r\n", into: &output)
    }

    static func framing(_ framing: Framing, into output: inout ByteWriter) {
        switch framing {
        case .none, .untilClose: break
        case .length(let length):
            text("Content-Length: ", into: &output)
            output.append(decimal: length)
            lineEnd(&output)
        case .chunked: text("Transfer-Encoding: chunked\r\n", into: &output)
        }
    }

    static func lineEnd(_ output: inout ByteWriter) { text("\r\n", into: &output) }

    /// A constant; left to itself, a literal would be taken for a `String`.
    static func text(_ constant: StaticString, into output: inout ByteWriter) {
        output.append(constant)
    }

    static func chunkSize(_ count: Int64, into output: inout ByteWriter) {
        output.append(String(count, radix: 16))
        lineEnd(&output)
    }

    static let lastChunk: StaticString = "0\r\n\r\n"
}

/// The framing of a body while it is sent: that as many bytes go out as the head told.
struct BodyWriter {
    private(set) var framing: Serializer.Framing = .none
    private var remaining: Int64 = 0
    private var isInChunk = false

    init() {}

    init(_ framing: Serializer.Framing) {
        self.framing = framing
        if case .length(let length) = framing { remaining = length }
    }

    mutating func beginChunk(_ count: Int64, into output: inout ByteWriter) -> Int64 {
        switch framing {
        case .none: return 0
        case .length:
            let allowed = min(count, remaining)
            remaining -= allowed
            return allowed
        case .chunked:
            // A chunk of no bytes would be the last.
            if count > 0 {
                Serializer.chunkSize(count, into: &output)
                isInChunk = true
            }
            return count
        case .untilClose: return count
        }
    }

    mutating func endChunk(into output: inout ByteWriter) {
        if isInChunk { Serializer.lineEnd(&output) }
        isInChunk = false
    }

    /// Whether the body was as long as told.
    mutating func finish(into output: inout ByteWriter) -> Bool {
        if framing == .chunked { output.append(Serializer.lastChunk) }
        return remaining == 0
    }
}
