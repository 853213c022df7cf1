import Base
import HTTP

/// Drives a `ServerMachine` as a shell would, without a socket, and writes down what happens.
final class ServerTranscript {
    var machine: ServerMachine
    var now = Instant(nanoseconds: 1_000_000_000_000)
    var output = ByteWriter()
    /// The effects since the last look, one word each.
    var effects: [String] = []
    var heads: [RequestHead] = []
    /// Answers at once whatever is asked, when set.
    var autoAnswer: String?
    static let date = Array("Sun, 06 Nov 1994 08:49:37 GMT".utf8)

    init(limits: HTTPLimits = HTTPLimits()) {
        machine = ServerMachine(limits: limits, now: now)
    }

    var held: Int { machine.heldBytes }
    var wantsBytes: Bool { machine.wantsBytes }
    var isIdle: Bool { machine.isIdle }
    var deadline: Instant? { machine.deadline }

    func receive(_ text: String) { receive(Array(text.utf8)) }

    func receive(_ bytes: [UInt8]) {
        machine.receive(bytes.span, now: now)
        perform()
    }

    func end() {
        machine.receiveEnd(now: now)
        perform()
    }

    func pass(_ time: Duration) {
        now = now + time
        machine.tick(now: now)
        perform()
    }

    func perform() {
        while let effect = machine.next(now: now) {
            switch effect {
            case .request(let head):
                heads.append(head)
                effects.append("request \(String(decoding: head.targetBytes, as: UTF8.self))")
                if let autoAnswer { answer(autoAnswer) }
            case .reject(let rejection):
                effects.append("reject \(rejection.status.code)")
                if autoAnswer != nil { answer("", status: rejection.status) }
            case .sendContinue: output.append(ServerMachine.continueLine)
            case .bodyReady: effects.append("bodyReady")
            case .upgrade: effects.append("upgrade")
            case .shutdownWrite: effects.append("shutdown")
            case .close: effects.append("close")
            case .abort: effects.append("abort")
            }
        }
    }

    func body() -> BodyChunk {
        let chunk = machine.takeBody(now: now)
        perform()
        return chunk
    }

    /// All of the body that is there, as text; then what came instead of more.
    func wholeBody() -> (text: String, last: BodyChunk) {
        var text = ""
        while true {
            let chunk = body()
            guard case .bytes(let bytes) = chunk else { return (text, chunk) }
            text += String(decoding: bytes, as: UTF8.self)
        }
    }

    func answer(
        _ text: String, status: Status = .ok, fields: Fields = Fields(), known: Bool = true
    ) {
        let bytes = Array(text.utf8)
        let writes = try? machine.beginResponse(
            status: status, fields: fields, length: known ? Int64(bytes.count) : nil,
            date: Self.date, into: &output)
        if writes == true { machine.write(bytes[...], into: &output) }
        machine.finishResponse(into: &output, now: now)
        perform()
    }

    /// What was written since the last look, without the Date lines.
    func written() -> String {
        let text = String(decoding: output.array(), as: UTF8.self)
        output.removeAll()
        return text.replacing("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n", with: "")
            .replacing("\r\n", with: "|")
    }

    /// The effects since the last look.
    func happened() -> [String] {
        defer { effects = [] }
        return effects
    }
}

extension FieldName {
    /// A name that a test spells.
    static func spelled(_ text: String) -> FieldName {
        guard let name = FieldName(text) else { preconditionFailure("\(text) is no token") }
        return name
    }
}
