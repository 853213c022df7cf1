import Base
import HTTP
import Testing

/// The client's half of a connection, as transcripts.
struct ClientMachineTests {
    /// A client, driven without a socket.
    final class Client {
        var machine: ClientMachine
        var now = Instant(nanoseconds: 1_000_000_000_000)
        var output = ByteWriter()
        var events: [String] = []
        var head: ResponseHead?
        var wantsBytes: Bool { machine.wantsBytes }
        var heldBytes: Int { machine.heldBytes }

        init(limits: HTTPLimits = HTTPLimits()) { machine = ClientMachine(limits: limits) }

        func ask(
            _ method: Method = .get, body: String? = nil, known: Bool = true, waits: Bool = false,
            upgrade: Bool = false
        ) throws {
            let bytes = Array((body ?? "").utf8)
            try machine.beginRequest(
                method: method, target: Array("/a".utf8), fields: Fields((.host, "x")),
                length: known ? Int64(bytes.count) : nil, expectContinue: waits, upgrade: upgrade,
                now: now, into: &output)
            if !waits { finish(body ?? "") }
        }

        func finish(_ body: String) {
            machine.write(Array(body.utf8)[...], into: &output)
            #expect(machine.finishRequest(into: &output, now: now))
        }

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
                case .response(let head):
                    self.head = head
                    events.append("response \(head.status.code)")
                case .upgraded(let head): events.append("upgraded \(head.status.code)")
                case .bodyReady: events.append("ready")
                case .sendBody: events.append("send")
                case .done(let reusable): events.append(reusable ? "done" : "done, closed")
                case .failed(let failure): events.append("failed \(failure)")
                }
            }
        }

        /// All of the body that is there, as text; then what came instead of more.
        func body() -> (text: String, last: BodyChunk) {
            var text = ""
            while true {
                let chunk = machine.takeBody(now: now)
                perform()
                guard case .bytes(let bytes) = chunk else { return (text, chunk) }
                text += String(decoding: bytes, as: UTF8.self)
            }
        }

        func sent() -> String {
            defer { output.removeAll() }
            return String(decoding: output.array(), as: UTF8.self).replacing("\r\n", with: "|")
        }
    }

    @Test func `a request goes out, a response comes in, the connection is kept`() throws {
        let client = Client()
        try client.ask()
        #expect(client.sent() == "GET /a HTTP/1.1|Host: x||")
        client.receive("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag:  \"a\" \r\n\r\nhel")
        #expect(client.events == ["response 200"])
        #expect(client.head?.fields[.eTag] == "\"a\"")
        #expect(client.body() == ("hel", .wait))
        client.receive("lo")
        #expect(client.body() == ("lo", .end))
        #expect(client.events == ["response 200", "ready", "done"])
        try client.ask(.post, body: "hello", known: false)
        #expect(client.sent() == "POST /a HTTP/1.1|Host: x|Transfer-Encoding: chunked||5|hello|0||")
    }

    @Test func `a body is framed by its length, and none is said to be none`() throws {
        for (method, line) in [
            (.post, "Content-Length: 0|"), (.put, "Content-Length: 0|"), (.delete, ""), (.head, ""),
        ] as [(Method, String)] {
            let client = Client()
            try client.ask(method)
            #expect(client.sent() == "\(method.name) /a HTTP/1.1|Host: x|\(line)|")
        }
        let client = Client()
        try client.ask(.delete, body: "x")
        #expect(client.sent() == "DELETE /a HTTP/1.1|Host: x|Content-Length: 1||x")
    }

    @Test func `a response is the same at every cut`() throws {
        let bytes = Array(
            ("HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201\r\n"
                + "Transfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\n0\r\nT: u\r\n\r\n").utf8)
        for cut in 0...bytes.count {
            let client = Client()
            try client.ask()
            client.receive(Array(bytes[..<cut]))
            var text = client.head == nil ? "" : client.body().text
            client.receive(Array(bytes[cut...]))
            let rest = client.body()
            text += rest.text
            #expect(text == "wiki" && rest.last == .end, "cut at \(cut)")
            #expect(client.events.first == "response 201" && client.events.last == "done")
        }
    }

    @Test func `some responses have no body whatever they say`() throws {
        for (method, head) in [
            (.head, "200 OK\r\nContent-Length: 5"), (.head, "200 OK\r\nTransfer-Encoding: chunked"),
            (.get, "204 No Content"), (.get, "304 Not Modified\r\nContent-Length: 5"),
            (.head, "200 OK"),
        ] as [(Method, String)] {
            let client = Client()
            try client.ask(method)
            client.receive("HTTP/1.1 \(head)\r\n\r\n")
            #expect(client.head?.bodyLength == 0)
            #expect(client.body() == ("", .end))
            #expect(client.events.last == "done", "\(head)")
            if head.contains("5") { #expect(client.head?.declaredLength == 5) }
        }
    }

    @Test func `without a length the body ends with the connection`() throws {
        let client = Client()
        try client.ask()
        client.receive("HTTP/1.1 200 OK\r\n\r\nhel")
        #expect(client.head?.bodyLength == .some(nil))
        #expect(client.body() == ("hel", .wait))
        client.receive("lo")
        client.end()
        #expect(client.body() == ("lo", .end))
        #expect(client.events.last == "done, closed")
    }

    @Test func `a body cut short fails`() throws {
        for head in ["Content-Length: 10", "Transfer-Encoding: chunked"] {
            let client = Client()
            try client.ask()
            client.receive(
                "HTTP/1.1 200 OK\r\n\(head)\r\n\r\n" + (head.contains("T") ? "9\r\nabc" : "abc"))
            client.end()
            #expect(client.body() == ("abc", .failed(.closed)))
            #expect(client.events.last == "done, closed")
        }
    }

    @Test func `a connection is not kept when either side says so, or more came than was asked`()
        throws
    {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
        ] {
            let client = Client()
            try client.ask()
            client.receive(text)
            #expect(client.body().last == .end)
            #expect(client.events.last == "done, closed")
        }
        let kept = Client()
        try kept.ask()
        kept.receive("HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n")
        #expect(kept.body().last == .end)
        #expect(kept.events.last == "done")
        // A server's timeout, while the connection is in the pool.
        kept.receive("HTTP/1.1 408 Request Timeout\r\n\r\n")
        #expect(kept.events.last == "done, closed")
        let ended = Client()
        ended.end()
        #expect(ended.events == ["done, closed"])
    }

    @Test(arguments: [
        "HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1  200 OK\r\n\r\n",
        "hello\r\n\r\n",
        "HTTP/1.1 200OK\r\n\r\n", "HTTP/1.1 099 OK\r\n\r\n", "HTTP/1.1 200 OK\n\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n", "HTTP/1.1 200 OK\r\nA: \u{0}\r\n\r\n",
        "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    ])
    func `what is no response fails`(text: String) throws {
        let client = Client()
        try client.ask()
        client.receive(text)
        #expect(client.events == ["failed malformed"])
    }

    @Test func `silence, an end, and a head without end fail in their own words`() throws {
        let silent = Client()
        try silent.ask()
        silent.pass(.seconds(29))
        #expect(silent.events == [])
        silent.pass(.seconds(1))
        #expect(silent.events == ["failed timeout"])
        let ended = Client()
        try ended.ask()
        ended.end()
        #expect(ended.events == ["failed closedBeforeResponse"])
        let half = Client()
        try half.ask()
        half.receive("HTTP/1.1 2")
        half.end()
        #expect(half.events == ["failed closedInHead"])
        let endless = Client()
        try endless.ask()
        while endless.events.isEmpty { endless.receive("HTTP/1.1 200 OK\r\nA: bbbbbbbbb\r\n") }
        #expect(endless.events == ["failed malformed"])
        let long = Client()
        try long.ask()
        long.receive("HTTP/1.1 200 OK\r\n")
        while long.events.isEmpty {
            long.receive("A: " + String(repeating: "b", count: 997) + "\r\n")
        }
        #expect(long.events == ["failed headTooLarge"])
    }

    @Test func `a body waits for 100 Continue, not forever`() throws {
        let client = Client()
        try client.ask(.post, body: "hello", waits: true)
        #expect(
            client.sent() == "POST /a HTTP/1.1|Host: x|Expect: 100-continue|Content-Length: 5||")
        client.receive("HTTP/1.1 100 Continue\r\n\r\n")
        #expect(client.events == ["send"])
        client.finish("hello")
        #expect(client.sent() == "hello")
        let silent = Client()
        try silent.ask(.post, body: "hello", waits: true)
        silent.pass(.seconds(1))
        #expect(silent.events == ["send"])
        // Refused: the body is not sent, and the connection not kept.
        let refused = Client()
        try refused.ask(.post, body: "hello", waits: true)
        refused.receive("HTTP/1.1 413 No\r\nContent-Length: 0\r\n\r\n")
        #expect(refused.body().last == .end)
        #expect(refused.events == ["response 413", "done, closed"])
    }

    @Test func `an upgrade hands over what came behind it`() throws {
        let client = Client()
        try client.ask(upgrade: true)
        client.receive("HTTP/1.1 101 Switching Protocols\r\n\r\nfirst")
        #expect(client.events == ["upgraded 101"])
        let leftover = client.machine.takeLeftover()
        #expect(leftover == Array("first".utf8))
    }

    @Test func `a target or field that would break out of its line is refused`() {
        var machine = ClientMachine()
        var output = ByteWriter()
        let now = Instant(nanoseconds: 0)
        for target in ["", "/a b", "/a\r\nX: y", "/é", "/\u{0}"] {
            #expect(throws: SerializerError.refusedTarget) {
                try machine.beginRequest(
                    method: .get, target: Array(target.utf8), fields: Fields(), length: 0, now: now,
                    into: &output)
            }
        }
        #expect(throws: SerializerError.refusedField) {
            try machine.beginRequest(
                method: .get, target: Array("/".utf8), fields: Fields((.host, "a\r\nb")), length: 0,
                now: now, into: &output)
        }
        let written = output.count
        #expect(written == 0)
    }

    @Test func `a response's body is read no faster than it is taken`() throws {
        var limits = HTTPLimits()
        limits.readAhead = 100
        let client = Client(limits: limits)
        try client.ask()
        client.receive(
            "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + String(repeating: "a", count: 100))
        #expect(!client.wantsBytes)
        _ = client.body()
        #expect(client.wantsBytes)
        // And one that trickles fails.
        for _ in 0..<10 {
            client.pass(.seconds(1))
            client.receive("b")
            _ = client.body()
        }
        client.pass(.seconds(1))
        #expect(client.body().last == .failed(.tooSlow))
    }

    @Test func `noise neither crashes nor grows it`() throws {
        let random = SeededRandom(seed: 17)
        let pieces = [
            "HTTP/1.1 200 OK\r\n", "HTTP/1.1 100 Continue\r\n\r\n", "Content-Length: 5\r\n", "\r\n",
            "Transfer-Encoding: chunked\r\n", "hello", "5\r\n", "0\r\n\r\n", "\r", "A: b\r\n",
            "Connection: close\r\n", "HTTP/1.0 204 No\r\n", "\u{0}", "HTTP/1.1 304 N\r\n\r\n",
        ]
        for _ in 0..<3_000 {
            let client = Client()
            try client.ask(random.next(below: 4) == 0 ? .head : .get)
            for _ in 0..<random.next(below: 20) {
                switch random.next(below: 6) {
                case 0: _ = client.body()
                case 1: client.pass(.seconds(random.next(below: 5)))
                case 2 where random.next(below: 5) == 0: client.end()
                default:
                    if client.machine.wantsBytes {
                        client.receive(pieces[random.next(below: pieces.count)])
                    }
                }
                #expect(client.heldBytes < 1_000)
            }
        }
    }
}
