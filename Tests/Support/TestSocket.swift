import Base
import HTTP
import Net

/// A command was answered with an error.
public struct SocketRefusal: Error, CustomStringConvertible {
    /// The command.
    public let command: String
    /// The whole answer.
    public let answer: JSONValue
    /// The error's number.
    public var code: Int? { answer["error"]?["code"]?.integerValue.map { Int($0) } }
    /// Command and answer.
    public var description: String { "\(command) → \(answer)" }
}

/// A client's WebSocket: commands with their answers, events in their order.
public final class TestSocket: MessageReceiver {
    private struct State {
        var answers: [Int64: JSONValue] = [:]
        var events: [JSONValue] = []
        var seen = 0
        var code: CloseCode?
        var last: Int64 = 0
        var strange: [String] = []
    }

    private let state = Lock(State())
    private let sink = Lock<(any WebSocketSink)?>(nil)

    private init() {}

    /// Dials `/api/ws` of the client's gateway with the client's credential.
    public static func open(
        _ client: TypedClient, target: String = "/api/ws", subprotocols: [String] = ["avr.1"],
        fields: [(String, String)] = []
    ) async throws(ClientError) -> TestSocket {
        let socket = TestSocket()
        _ = try await WebSocketClient.connect(
            client.request(.get, target, fields: fields), subprotocols: subprotocols,
            limits: WebSocketLimits(message: 4 << 20), client: client.http,
            on: TestLoops.group.next()
        ) { sink in
            socket.sink.withLock { $0 = sink }
            return socket
        }
        Exercised.noteSocket(target)
        return socket
    }

    /// Sends text as it is.
    public func send(text: String) { send(text: Array(text.utf8)) }

    /// Sends bytes as text, whether they are any or not.
    public func send(text: [UInt8]) {
        onLoop { $0.send(text: text) }
    }

    /// Sends bytes.
    public func send(binary: [UInt8]) {
        onLoop { $0.send(binary: binary) }
    }

    /// Closes it properly.
    public func close() {
        onLoop { $0.close(.normal, reason: "") }
    }

    /// Sends a command and does not wait; its answer, if there is one, is kept from the events.
    public func post(_ command: String, _ data: JSONValue = [:], subgroup: String? = nil) {
        _ = dispatch(command, data, subgroup)
    }

    /// Sends a command and returns the whole of its answer.
    public func exchange(
        _ command: String, _ data: JSONValue = [:], subgroup: String? = nil,
        within deadline: Duration = .seconds(10)
    ) async throws -> JSONValue {
        let number = dispatch(command, data, subgroup)
        return try await Eventually.get("the answer to \(command)", within: deadline) { status in
            status.text = summary
            if let answer = state.withLock({ $0.answers.removeValue(forKey: number) }) {
                return answer
            }
            if let code = state.withLock(\.code) { throw GaveUp("closed with \(code)") }
            return nil
        }
    }

    /// Sends a command and returns the `data` of its answer.
    @discardableResult
    public func command(
        _ command: String, _ data: JSONValue = [:], subgroup: String? = nil,
        within deadline: Duration = .seconds(10)
    ) async throws -> JSONValue {
        let answer = try await exchange(command, data, subgroup: subgroup, within: deadline)
        guard let data = answer["data"] else {
            throw SocketRefusal(command: command, answer: answer)
        }
        return data
    }

    /// Sends a command that must be refused and returns the error's number; nil where it was not.
    public func refusal(
        _ command: String, _ data: JSONValue = [:], subgroup: String? = nil
    ) async throws -> Int? {
        let answer = try await exchange(command, data, subgroup: subgroup)
        return SocketRefusal(command: command, answer: answer).code
    }

    /// The next event of that name for which `matches`, behind those that were returned before;
    /// others stay for who asks for them.
    @discardableResult
    public func event(
        _ name: String, within deadline: Duration = .seconds(10),
        where matches: (JSONValue) -> Bool = { _ in true }
    ) async throws -> JSONValue {
        try await Eventually.get("the event \(name)", within: deadline) { status in
            status.text = summary
            let found = state.withLock { state -> JSONValue? in
                let index = state.events.firstIndex { event in
                    event["command"] == .string(name) && matches(event)
                }
                return index.map { state.events.remove(at: $0) }
            }
            if let found { return found }
            if let code = state.withLock(\.code) { throw GaveUp("closed with \(code)") }
            return nil
        }
    }

    /// Events that came and nobody asked for yet.
    public var waiting: [JSONValue] { state.withLock(\.events) }

    /// Forgets the events that came so far.
    public func forget() { state.withLock { $0.events = [] } }

    /// The close code, once it is closed.
    public var closeCode: CloseCode? { state.withLock(\.code) }

    /// Waits until it is closed.
    public func closed(within deadline: Duration = .seconds(10)) async throws -> CloseCode {
        try await Eventually.get("the close of a socket", within: deadline) { status in
            status.text = summary
            return closeCode
        }
    }

    private func dispatch(_ command: String, _ data: JSONValue, _ subgroup: String?) -> Int64 {
        let number = state.withLock { state in
            state.last += 1
            return state.last
        }
        var object: JSONObject = [
            "state": .integer(number), "command": .string(command), "data": data,
        ]
        if let subgroup { object["subgroup"] = .string(subgroup) }
        var out = ByteWriter()
        out.append(json: .object(object))
        let bytes = out.array()
        onLoop { $0.send(text: bytes) }
        return number
    }

    private var summary: String {
        state.withLock { state in
            "events \(state.events.suffix(5)), close \(state.code.map { "\($0)" } ?? "-"), "
                + "strange \(state.strange)"
        }
    }

    private func onLoop(_ act: @escaping @Sendable (any WebSocketSink) -> Void) {
        guard let sink = sink.withLock({ $0 }) else { return }
        sink.loop.execute { act(sink) }
    }

    /// Sorts answers from events.
    public func received(text: [UInt8]) {
        guard let frame = try? JSONParser.parse(text) else {
            let text = String(decoding: text.prefix(200), as: UTF8.self)
            return state.withLock { $0.strange.append(text) }
        }
        Exercised.note(frame)
        Exercised.noteTransform(frame)
        state.withLock { state in
            if let number = frame["state"]?.integerValue {
                state.answers[number] = frame
            } else {
                state.events.append(frame)
            }
        }
    }

    /// Kept as something strange: no binary frame is expected yet.
    public func received(binary: [UInt8]) {
        state.withLock { $0.strange.append("\(binary.count) bytes") }
    }

    /// Nothing.
    public func writable() {}

    /// Remembers the code.
    public func closed(_ code: CloseCode) {
        state.withLock { $0.code = code }
        sink.withLock { $0 = nil }
    }
}
