import Base
import HTTP
import Testing

/// The server's half of a connection, as transcripts: what comes in, what happens, what goes out.
struct ServerMachineTests {
    @Test func `a request is answered and the connection kept`() {
        let server = ServerTranscript()
        server.receive("GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(server.happened() == ["request /a?b"])
        server.answer("hello", fields: Fields((.contentType, "text/plain")))
        #expect(
            server.written()
                == "HTTP/1.1 200 OK|Content-Type: text/plain|Content-Length: 5||hello")
        #expect(server.happened() == [])
        #expect(server.isIdle)
        server.receive("GET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(server.happened() == ["request /2"])
    }

    @Test func `pipelined requests come one after the other's answer`() {
        // RFC 9112 §9.3.2: answers leave in the order of the requests.
        let server = ServerTranscript()
        let one = "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
        server.receive(
            one + one.replacing(" /1 ", with: " /2 ") + one.replacing(" /1 ", with: " /3 "))
        #expect(server.happened() == ["request /1"])
        server.answer("a")
        #expect(server.happened() == ["request /2"])
        server.end()
        server.answer("b")
        #expect(server.happened() == ["request /3"])
        server.answer("c")
        #expect(server.happened() == ["close"])
        #expect(server.held == 0)
    }

    @Test func `read-ahead is bounded and resumes`() {
        var limits = HTTPLimits()
        limits.readAhead = 1_000
        let server = ServerTranscript(limits: limits)
        let one = "GET /1 HTTP/1.1\r\nHost: x\r\n\r\n"
        server.receive(one)
        var sent = 0
        while server.wantsBytes {
            server.receive(one)
            sent += 1
        }
        #expect(server.held < 1_000 + one.utf8.count)
        for _ in 0..<sent {
            server.answer("")
            #expect(server.heads.count > 1)
        }
        #expect(server.heads.count == sent + 1)
        #expect(server.wantsBytes)
        server.answer("")
        #expect(server.isIdle)
    }

    @Test func `a body is pulled, and read no faster than it is`() {
        var limits = HTTPLimits()
        limits.readAhead = 10
        let server = ServerTranscript(limits: limits)
        server.receive("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 25\r\n\r\n01234")
        #expect(server.body() == .bytes(Array("01234".utf8)))
        #expect(server.body() == .wait)
        #expect(server.happened() == ["request /"])
        server.receive("5678901234")
        #expect(server.happened() == ["bodyReady"])
        #expect(!server.wantsBytes)
        #expect(server.body() == .bytes(Array("5678901234".utf8)))
        #expect(server.wantsBytes)
        server.receive("5678901234GET /next HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(server.wholeBody() == ("5678901234", .end))
        #expect(server.happened() == [])
        server.answer("ok")
        #expect(server.happened() == ["request /next"])
    }

    @Test func `a chunked body is decoded at every cut`() {
        let head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        let coded = "5;a=b\r\nhello\r\n1\r\n \r\n00A\r\n0123456789\r\n0;x\r\nA: b\r\nC:\r\n\r\n"
        let bytes = Array((head + coded + "GET /n HTTP/1.1\r\nHost: x\r\n\r\n").utf8)
        for cut in 0...bytes.count {
            let server = ServerTranscript()
            server.receive(Array(bytes[..<cut]))
            var text = ""
            if !server.heads.isEmpty { text = server.wholeBody().text }
            server.receive(Array(bytes[cut...]))
            let rest = server.wholeBody()
            #expect(text + rest.text == "hello 0123456789" && rest.last == .end, "cut at \(cut)")
            server.answer("")
            #expect(server.happened().last == "request /n", "cut at \(cut)")
        }
    }

    @Test(arguments: [
        "5 \r\nhello\r\n0\r\n\r\n", "+5\r\nhello\r\n0\r\n\r\n", "5\nhello\r\n0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n", "5\r\nhelloX\r\n0\r\n\r\n", "\r\n\r\n", ";a\r\n\r\n", "g\r\n",
        "FFFFFFFFFFFFFFFFF\r\n", "1000000000000000\r\n", "0\r\nA : \u{0}\r\n\r\n",
        "0\r\n b\r\n\r\n", "0\r\n\n", "5;a\u{0}\r\nhello\r\n0\r\n\r\n", "0x5\r\nhello\r\n0\r\n\r\n",
        "5\rhello", "0\r\nA: b\n\r\n",
    ])
    func `a malformed chunk fails the body and ends the connection`(coded: String) {
        let server = ServerTranscript()
        server.receive("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        server.receive(coded + "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(server.wholeBody().last == .failed(.malformed))
        server.answer("", status: .badRequest)
        #expect(server.written().contains("Connection: close"))
        #expect(server.happened() == ["request /", "shutdown"])
    }

    @Test func `chunk extensions and trailers are bounded`() {
        var limits = HTTPLimits()
        limits.chunkExtensions = 100
        limits.trailers = 100
        let head = "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        for coded in [
            "1;" + String(repeating: "a", count: 101) + "\r\nx\r\n",
            String(repeating: "1;aaaaaaaaaa\r\nx\r\n", count: 12),
            "0\r\n" + String(repeating: "A: bcdefg\r\n", count: 12),
        ] {
            let server = ServerTranscript(limits: limits)
            server.receive(head + coded)
            #expect(server.wholeBody().last == .failed(.malformed))
        }
    }

    @Test func `100 Continue is sent when the body is asked for, and only then`() {
        // RFC 9110 §10.1.1
        let head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nExpect: 100-Continue\r\n\r\n"
        let server = ServerTranscript()
        server.receive(head)
        #expect(server.written() == "")
        #expect(server.body() == .wait)
        #expect(server.written() == "HTTP/1.1 100 Continue||")
        server.receive("ok")
        #expect(server.wholeBody() == ("ok", .end))
        server.answer("")
        #expect(server.written() == "HTTP/1.1 200 OK|Content-Length: 0||")
        #expect(server.isIdle)

        // Sent along with the head, it is not waited for.
        let eager = ServerTranscript()
        eager.receive(head + "o")
        #expect(eager.body() == .bytes([UInt8(ascii: "o")]))
        #expect(eager.body() == .wait)
        #expect(eager.written() == "")

        // An answer that has begun is broken by no word between its pieces.
        let early = ServerTranscript()
        early.receive(head)
        _ = try? early.machine.beginResponse(
            status: .ok, fields: Fields(), length: 4, date: ServerTranscript.date,
            into: &early.output)
        early.machine.write([1, 2], into: &early.output)
        #expect(early.body() == .wait)
        early.machine.write([1, 2], into: &early.output)
        early.machine.finishResponse(into: &early.output, now: early.now)
        early.perform()
        #expect(!early.written().contains("100 Continue"))
        #expect(early.happened() == ["request /", "shutdown"])

        // Refused without: nobody can tell whether the body will come, so the connection ends.
        let other = ServerTranscript()
        other.receive(head)
        other.answer("", status: .contentTooLarge)
        #expect(
            other.written()
                == "HTTP/1.1 413 Content Too Large|Connection: close|Content-Length: 0||")
        #expect(other.happened() == ["request /", "shutdown"])
        // The body that came all the same is not taken for a request.
        other.receive("GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(other.happened() == [])
        other.end()
        #expect(other.happened() == ["close"])
    }

    @Test func `an early answer throws a short body away and keeps the connection`() {
        let server = ServerTranscript()
        server.receive("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234")
        server.answer("no", status: .forbidden)
        #expect(server.written() == "HTTP/1.1 403 Forbidden|Content-Length: 2||no")
        server.receive("56789GET /n HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(server.happened() == ["request /", "request /n"])
    }

    @Test func `an early answer to a long body closes`() {
        let server = ServerTranscript()
        server.receive("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n01234")
        server.answer("no", status: .forbidden)
        #expect(server.written().contains("Connection: close"))
        #expect(server.happened() == ["request /", "shutdown"])

        // Chunked, its length shows only as it comes.
        let chunked = ServerTranscript()
        chunked.receive("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunked.answer("no", status: .forbidden)
        #expect(!chunked.written().contains("Connection: close"))
        let chunk = "10000\r\n" + String(repeating: "x", count: 65_536) + "\r\n"
        for _ in 0..<4 {
            chunked.receive(chunk)
            #expect(chunked.held < 100)
        }
        #expect(chunked.happened() == ["request /"])
        chunked.receive(chunk)
        #expect(chunked.happened() == ["shutdown"])
        // And what lingers is bounded too.
        for _ in 0..<65 { chunked.receive(chunk) }
        #expect(chunked.happened() == ["close"])
    }

    @Test func `a body that ends too soon fails`() {
        let server = ServerTranscript()
        server.receive("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234")
        server.end()
        #expect(server.wholeBody() == ("01234", .failed(.closed)))
        server.answer("", status: .badRequest)
        #expect(server.happened() == ["request /", "close"])
    }

    @Test func `HEAD is answered with a length and without a body`() {
        let server = ServerTranscript()
        server.receive("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        server.answer("hello")
        #expect(server.written() == "HTTP/1.1 200 OK|Content-Length: 5||")
        server.receive("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        server.answer("hello", known: false)
        #expect(server.written() == "HTTP/1.1 200 OK|Transfer-Encoding: chunked||")
        #expect(server.isIdle)
    }

    @Test func `204 and 304 have neither body nor length`() {
        let server = ServerTranscript()
        server.receive("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        server.answer("", status: .noContent)
        server.receive("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        server.answer("", status: .notModified, fields: Fields((.eTag, "\"a\"")))
        #expect(
            server.written() == "HTTP/1.1 204 No Content||HTTP/1.1 304 Not Modified|ETag: \"a\"||")
    }

    @Test func `a body of unknown length is chunked, or ends with the connection for 1.0`() {
        let server = ServerTranscript()
        server.receive("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        server.answer("hello world, again", known: false)
        #expect(
            server.written()
                == "HTTP/1.1 200 OK|Transfer-Encoding: chunked||12|hello world, again|0||")
        server.receive("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        server.answer("hello", known: false)
        #expect(server.written() == "HTTP/1.1 200 OK|Connection: close||hello")
        #expect(server.happened().last == "shutdown")
    }

    @Test func `HTTP 1.0 closes unless asked, 1.1 keeps unless asked`() {
        let one = ServerTranscript()
        one.receive("GET / HTTP/1.0\r\n\r\n")
        one.answer("a")
        #expect(one.written() == "HTTP/1.1 200 OK|Connection: close|Content-Length: 1||a")
        #expect(one.happened() == ["request /", "shutdown"])
        let kept = ServerTranscript()
        kept.receive("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n")
        kept.answer("a")
        #expect(kept.written() == "HTTP/1.1 200 OK|Connection: keep-alive|Content-Length: 1||a")
        #expect(kept.isIdle)
        let closing = ServerTranscript()
        closing.receive("GET / HTTP/1.1\r\nHost: x\r\nConnection: foo , CLOSE\r\n\r\n")
        closing.answer("a")
        #expect(closing.happened() == ["request /", "shutdown"])
    }

    @Test func `a rejection is answered and the connection closed`() {
        let server = ServerTranscript()
        server.receive("GET / HTTP/1.1\r\n\r\n")
        #expect(server.happened() == ["reject 400"])
        server.answer("", status: .badRequest)
        #expect(
            server.written() == "HTTP/1.1 400 Bad Request|Connection: close|Content-Length: 0||")
        #expect(server.happened() == ["shutdown"])
        server.receive("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(server.happened() == [])
        server.pass(.seconds(2))
        #expect(server.happened() == ["close"])
        #expect(server.deadline == nil)
    }

    @Test func `an upgrade hands over what came behind the request`() {
        let server = ServerTranscript()
        server.receive(
            "GET /s HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: y\r\n\r\nfirst")
        server.answer(
            "", status: .switchingProtocols,
            fields: Fields((.connection, "upgrade"), (.upgrade, "y")))
        #expect(
            server.written()
                == "HTTP/1.1 101 Switching Protocols|Connection: upgrade|Upgrade: y||")
        #expect(server.happened() == ["request /s", "upgrade"])
        let leftover = server.machine.takeLeftover()
        #expect(leftover == Array("first".utf8))
        #expect(server.deadline == nil)
    }

    @Test func `a refused field stops the head, and another answer may be given`() {
        let server = ServerTranscript()
        server.receive("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        for value in ["a\r\nSet-Cookie: b", "a\nb", "a\u{0}", "\u{7F}"] {
            let fields = Fields((.location, value))
            #expect(fields.isRefused)
            #expect(throws: SerializerError.refusedField) {
                _ = try server.machine.beginResponse(
                    status: .found, fields: fields, length: 0, date: ServerTranscript.date,
                    into: &server.output)
            }
        }
        server.answer("", status: .internalServerError)
        #expect(server.written() == "HTTP/1.1 500 Internal Server Error|Content-Length: 0||")
    }

    @Test func `a body shorter or longer than told ends the connection`() throws {
        for text in ["ab", "abcdef"] {
            let server = ServerTranscript()
            server.receive("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            _ = try server.machine.beginResponse(
                status: .ok, fields: Fields(), length: 4, date: ServerTranscript.date,
                into: &server.output)
            server.machine.write(Array(text.utf8)[...], into: &server.output)
            server.machine.finishResponse(into: &server.output, now: server.now)
            server.perform()
            #expect(server.written().hasSuffix("||\(text.prefix(4))"))
            #expect(server.happened().last == (text.count < 4 ? "abort" : "shutdown"))
        }
    }

    @Test func `the head has ten seconds, silence seventy-five`() {
        let server = ServerTranscript()
        server.pass(.seconds(74))
        #expect(server.happened() == [])
        server.receive("G")
        server.pass(.seconds(9))
        server.receive("ET / HT")
        #expect(server.happened() == [])
        server.pass(.seconds(1))
        #expect(server.happened() == ["reject 408"])

        let blank = ServerTranscript()
        blank.receive("\r\n\r")
        blank.pass(.seconds(10))
        #expect(blank.happened() == ["close"])

        let idle = ServerTranscript()
        idle.receive("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        idle.pass(.seconds(1_000))
        #expect(idle.happened() == ["request /"])
        idle.answer("")
        idle.pass(.seconds(74))
        #expect(idle.happened() == [])
        idle.pass(.seconds(1))
        #expect(idle.happened() == ["close"])
    }

    @Test func `a body that trickles fails, one that is not asked for does not`() {
        let server = ServerTranscript()
        server.receive("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        server.pass(.seconds(60))
        #expect(server.happened() == ["request /"])
        for _ in 0..<9 {
            #expect(server.body() == .wait)
            server.pass(.seconds(1))
            server.receive("x")
            #expect(server.happened() == ["bodyReady"])
            #expect(server.body() == .bytes([UInt8(ascii: "x")]))
        }
        #expect(server.body() == .wait)
        server.pass(.seconds(1))
        #expect(server.happened() == ["bodyReady"])
        #expect(server.body() == .failed(.tooSlow))
        server.answer("", status: .requestTimeout)
        #expect(server.written().contains("Connection: close"))
        #expect(server.happened() == ["shutdown"])

        // Fast enough, it goes on as long as it likes.
        let steady = ServerTranscript()
        steady.receive("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n")
        for _ in 0..<60 {
            #expect(steady.body() == .wait)
            steady.pass(.seconds(4))
            steady.receive(String(repeating: "x", count: 1_500))
            guard case .bytes = steady.body() else {
                Issue.record("no bytes")
                return
            }
        }
    }

    @Test func `a stopping server ends kept connections and finishes requests`() {
        let idle = ServerTranscript()
        idle.machine.drain()
        idle.perform()
        #expect(idle.happened() == ["close"])
        let busy = ServerTranscript()
        busy.receive("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        busy.machine.drain()
        busy.answer("a")
        #expect(busy.written().contains("Connection: close"))
        #expect(busy.happened() == ["request /", "shutdown"])
    }

    @Test func `nothing that comes makes it crash or grow`() {
        // A seeded mixture of good requests, broken ones and noise, cut anywhere, answered at any
        // time; the machine never holds more than its limits allow.
        let random = SeededRandom(seed: 7)
        let pieces = [
            "GET / HTTP/1.1\r\n", "POST /a HTTP/1.1\r\n", "Host: x\r\n", "Content-Length: 5\r\n",
            "Transfer-Encoding: chunked\r\n", "Connection: close\r\n", "Expect: 100-continue\r\n",
            "\r\n", "\r\n", "5\r\nhello\r\n", "0\r\n\r\n", "hello", "\n", "\r", "\u{0}", ": ", "é",
            "GET / HTTP/1.1\r\nHost: x\r\n", "POST / HTTP/1.1\r\nHost: x\r\n",
            "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n",
            "Upgrade: websocket\r\nConnection: upgrade\r\n", " HTTP/1.0\r\n", "X: y\r\n",
        ]
        for _ in 0..<3_000 {
            let server = ServerTranscript()
            var over = false
            for _ in 0..<random.next(below: 30) where !over {
                switch random.next(below: 8) {
                case 0: _ = server.body()
                case 1:
                    if server.effects.contains(where: { $0.hasPrefix("re") }) {
                        server.effects = []
                        server.answer("x", known: random.next(below: 2) == 0)
                    }
                case 2: server.pass(.seconds(random.next(below: 12)))
                case 3 where random.next(below: 5) == 0: server.end()
                default:
                    guard server.wantsBytes else { continue }
                    let piece = Array(pieces[random.next(below: pieces.count)].utf8)
                    let cut = random.next(below: 5) == 0
                    server.receive(cut ? Array(piece.prefix(1 + piece.count / 2)) : piece)
                }
                over = server.effects.contains("close") || server.effects.contains("abort")
                #expect(server.held <= 64 * 1_024 + 64)
            }
        }
    }
}
