import Base
import HTTP
import Testing

/// The opening of a WebSocket, RFC 6455 §4: both sides of it, and what either refuses.
struct HandshakeTests {
    private static let good =
        "GET /chat HTTP/1.1\r\nHost: x\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
        + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        + "Sec-WebSocket-Protocol: avr.1+bin, avr.1\r\n\r\n"

    private func answer(_ text: String) -> (status: Status, fields: Fields)? {
        let server = ServerTranscript()
        server.receive(text)
        return server.heads.first.map { Handshake.answer(to: $0, subprotocol: nil) }
    }

    @Test func `the RFC's example is answered as it says`() throws {
        let server = ServerTranscript()
        server.receive(Self.good)
        let head = try #require(server.heads.first)
        #expect(Handshake.isAsked(by: head))
        #expect(Handshake.subprotocols(of: head) == ["avr.1+bin", "avr.1"])
        let (status, fields) = Handshake.answer(to: head, subprotocol: "avr.1")
        server.answer("", status: status, fields: fields)
        #expect(
            server.written()
                == "HTTP/1.1 101 Switching Protocols|Upgrade: websocket|Connection: Upgrade|"
                + "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=|Sec-WebSocket-Protocol: avr.1||"
        )
        #expect(server.happened().last == "upgrade")
    }

    @Test(arguments: [
        ("GET", "POST", 400), ("HTTP/1.1", "HTTP/1.0", 400),
        ("keep-alive, Upgrade", "keep-alive", 400),
        ("WebSocket", "h2c", 400), ("Upgrade: WebSocket\r\n", "", 400),
        ("Version: 13", "Version: 8", 426), ("Version: 13", "Version: 13, 8", 426),
        ("Sec-WebSocket-Version: 13\r\n", "", 426), ("==\r\n", "\r\n", 400), ("dGhl", "", 400),
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400),
        ("Host: x\r\n", "Host: x\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", 400),
        ("Host: x\r\n", "Host: x\r\nContent-Length: 1\r\n", 400),
    ])
    func `what is no handshake is refused`(from: String, to: String, status: Int) {
        let text = Self.good.replacing(from, with: to, maxReplacements: 1)
        let answer = answer(text)
        #expect(answer.map { Int($0.status.code) } == status)
        if status == 426 { #expect(answer?.fields[.secWebSocketVersion] == "13") }
    }

    @Test func `a client completes what a server answers, and nothing else`() throws {
        let (fields, key) = Handshake.request(
            subprotocols: ["a", "b"], random: SeededRandom(seed: 1))
        func check(_ change: (String) -> String) throws -> String? {
            // The client's request goes through the server's machine, its answer comes back.
            var client = ClientMachine()
            let now = Instant(nanoseconds: 0)
            var output = ByteWriter()
            var asked = Fields((.host, "x"))
            asked.append(fields)
            try client.beginRequest(
                method: .get, target: Array("/".utf8), fields: asked, length: 0, upgrade: true,
                now: now, into: &output)
            #expect(client.finishRequest(into: &output, now: now))
            let server = ServerTranscript()
            server.receive(output.array())
            let head = try #require(server.heads.first)
            let answer = Handshake.answer(to: head, subprotocol: "b")
            server.answer("", status: answer.status, fields: answer.fields)
            let text = change(String(decoding: server.output.array(), as: UTF8.self))
            client.receive(Array(text.utf8).span, now: now)
            switch client.next(now: now) {
            case .upgraded(let head), .response(let head):
                return try Handshake.check(head, key: key, subprotocols: ["a", "b"])
            case .bodyReady, .sendBody, .done, .failed, .none: return "nothing"
            }
        }
        #expect(try check { $0 } == "b")
        #expect(try check { $0.replacing("Sec-WebSocket-Protocol: b\r\n", with: "") } == nil)
        for (from, to) in [
            ("Accept: ", "Accept: x"), ("websocket", "h2c"), ("Connection: Upgrade\r\n", ""),
            ("Protocol: b", "Protocol: c"), ("Protocol: b", "Extensions: permessage-deflate"),
        ] {
            #expect(throws: Handshake.Failure.self) {
                try check { $0.replacing(from, with: to, maxReplacements: 1) }
            }
        }
        #expect(throws: Handshake.Failure.refused(.forbidden)) {
            try check { _ in "HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n" }
        }
    }
}
