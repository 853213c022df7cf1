import API
import Base
import Domain
import HTTP

/// What a client sends: `{state?, command, subgroup?, data?}`, found in the message and left there.
struct SocketFrame: Sendable {
    /// What came of a message.
    enum Reading {
        case frame(SocketFrame)
        /// Not an envelope; what could be found of it is repeated in the answer.
        case malformed(SocketFrame)
    }

    /// Whom a command is for.
    enum Subgroup: Equatable {
        /// The node itself, `avr` or nothing.
        case node
        case instance(InstanceID)
        /// What may be a service.
        case service(ServiceID)
        /// Nobody.
        case other
    }

    /// The most bytes of `state`, docs/client/socket.md.
    static let stateLimit = 256
    /// The most bytes of `command` and `subgroup`: none that there is has more.
    private static let nameLimit = 80

    /// The whole message.
    let bytes: [UInt8]
    /// Where `state` stands.
    private(set) var state: Range<Int>?
    /// Where `command` stands, with its quotes.
    private(set) var command: Range<Int>?
    /// Where `subgroup` stands, with its quotes.
    private(set) var subgroup: Range<Int>?
    /// Where `data` stands, an object.
    private(set) var data: Range<Int>?
    /// Whom it is for.
    private(set) var target = Subgroup.node

    private init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Finds the parts of a message.
    static func read(_ bytes: [UInt8]) -> Reading {
        var frame = SocketFrame(bytes)
        guard let object = try? JSONScanner.object(bytes, in: bytes.indices) else {
            return .malformed(frame)
        }
        var isSound = true
        func part(
            _ name: StaticString, begins first: Unicode.Scalar? = nil, limit: Int = .max
        ) -> Range<Int>? {
            guard let value = object[name] else { return nil }
            // Null is as good as nothing, but in what is only repeated.
            if first != nil, bytes[value.lowerBound] == UInt8(ascii: "n") { return nil }
            let isOfKind = first.map { bytes[value.lowerBound] == UInt8(ascii: $0) } ?? true
            guard isOfKind, value.count <= limit else {
                isSound = false
                return nil
            }
            return value
        }
        frame.state = part("state", limit: stateLimit)
        frame.command = part("command", begins: "\"", limit: nameLimit)
        frame.subgroup = part("subgroup", begins: "\"", limit: nameLimit)
        frame.data = part("data", begins: "{")
        frame.target = aim(frame)
        return isSound && frame.command != nil ? .frame(frame) : .malformed(frame)
    }

    /// Whether it is for a service, whatever its command is called.
    var isForService: Bool { if case .service = target { true } else { false } }

    /// The command's name as the client wrote it.
    var name: String { command.flatMap { JSONScanner.text(bytes, $0) } ?? "" }

    private static func aim(_ frame: SocketFrame) -> Subgroup {
        guard let subgroup = frame.subgroup else { return .node }
        let inner = frame.bytes[subgroup].dropFirst().dropLast()
        if inner.elementsEqual(nodeName) { return .node }
        if let instance = InstanceID(utf8: inner) { return .instance(instance) }
        return JSONScanner.text(frame.bytes, subgroup).flatMap { ServiceID($0) }
            .map { .service($0) } ?? .other
    }

    private static let nodeName = Array("avr".utf8)

    /// `data` as a value of its type; without one it is empty.
    func decode<Input: Decodable>(_ type: Input.Type) throws(InvalidFields) -> Input {
        var value = JSONValue.object([:])
        if let data {
            do throws(JSONError) {
                value = try JSONParser.parse(bytes[data])
            } catch {
                throw InvalidFields(problems: [
                    FieldProblem(field: "data", message: error.reason.message)
                ])
            }
        }
        return try JSONCoder.decode(type, from: value)
    }

    /// The answer with `data` as `write` writes it.
    func answer(_ write: (inout ByteWriter) -> Void) -> [UInt8] {
        var out = open()
        out.append(#""data":"#)
        write(&out)
        out.append(UInt8(ascii: "}"))
        return out.array()
    }

    /// The answer with `data`.
    func answer(_ data: some Encodable) -> [UInt8] {
        answer { JSONCoder.encode(data, into: &$0) }
    }

    /// The answer that tells what is wrong.
    func refusal(_ error: APIError) -> [UInt8] {
        var out = open()
        out.append(#""error":"#)
        Envelope.appendError(error, into: &out)
        out.append(UInt8(ascii: "}"))
        return out.array()
    }

    /// The frame as the service is given it that it is for: with who sent it.
    func passed(from user: UserReference, socket: String) -> [UInt8] {
        var out = open()
        out.append(#""data":"#)
        if let data { out.append(bytes[data]) } else { out.append("{}") }
        out.append(#","from":{"user":"\#(user.text)","socket":"\#(socket)"}}"#)
        return out.array()
    }

    /// The frame of a service as its clients are told it; `error` is where that stands, in place of
    /// `data`.
    func told(error: Range<Int>?) -> [UInt8] {
        var out = open()
        out.append(error == nil ? #""data":"# : #""error":"#)
        if let range = error ?? data { out.append(bytes[range]) } else { out.append("{}") }
        out.append(UInt8(ascii: "}"))
        return out.array()
    }

    private func open() -> ByteWriter {
        var out = ByteWriter(capacity: 256)
        out.append(UInt8(ascii: "{"))
        append(#""command":"#, command, to: &out)
        append(#""state":"#, state, to: &out)
        append(#""subgroup":"#, subgroup, to: &out)
        return out
    }

    /// Repeats a part as it came.
    private func append(_ key: StaticString, _ range: Range<Int>?, to out: inout ByteWriter) {
        guard let range else { return }
        out.append(key)
        out.append(bytes[range])
        out.append(UInt8(ascii: ","))
    }
}

/// What the node tells unasked: `{command, subgroup, seq?, data, redirect?}`.
enum EventFrame {
    /// What the members of an instance are told whose Ins was away: the room as it is now, whose
    /// `seq` may start anew. A whole WebSocket frame, the same for all.
    static func rehosted(_ instance: InstanceID, snapshot: [UInt8]) -> [UInt8] {
        var data = ByteWriter(capacity: 128 + snapshot.count)
        data.append(#"{"id":"\#(instance.text)","rehosted":true,"snapshot":"#)
        data.append(snapshot)
        data.append(UInt8(ascii: "}"))
        return FrameSerializer.frame(
            .text,
            make(
                .updateInstance, subgroup: instance.text, sequence: nil,
                data: EncodedJSON(bytes: data.array())))
    }

    /// An event of the node's own subgroup, or of an instance's.
    static func make(
        _ event: SocketEvent, subgroup: String = "avr", sequence: Int64?,
        redirect: Gateway? = nil, data: EncodedJSON
    ) -> [UInt8] {
        var out = ByteWriter(capacity: 128 + data.bytes.count)
        out.append(#"{"command":""#)
        out.append(event.rawValue)
        out.append(#"","subgroup":""#)
        out.append(subgroup)
        out.append(#"","#)
        if let sequence {
            out.append(#""seq":"#)
            out.append(decimal: sequence)
            out.append(UInt8(ascii: ","))
        }
        out.append(#""data":"#)
        out.append(data.bytes)
        if let redirect {
            out.append(#","redirect":"#)
            JSONCoder.encode(redirect, into: &out)
        }
        out.append(UInt8(ascii: "}"))
        return out.array()
    }
}
