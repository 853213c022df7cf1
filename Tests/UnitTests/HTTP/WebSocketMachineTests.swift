import Base
import HTTP
import Testing

/// A WebSocket's end as transcripts, in the order in which Autobahn's cases go: framing, pings,
/// reserved bits, opcodes, fragments, UTF-8, closing, limits. Everything comes in one read, byte by
/// byte, and cut at every place, with the same outcome.
struct WebSocketMachineTests {
    /// An end, driven without a socket.
    final class End {
        var machine: WebSocketMachine
        var now = Instant(nanoseconds: 1_000_000_000_000)
        var output = ByteWriter()
        var events: [String] = []
        var most = 0
        var isOpen: Bool { machine.isOpen }
        var heldBytes: Int { machine.heldBytes }
        var deadline: Instant? { machine.deadline }
        var written: Int { output.count }

        init(_ role: WebSocketMachine.Role = .server, _ limits: WebSocketLimits = WebSocketLimits())
        {
            machine = WebSocketMachine(
                role: role, limits: limits, random: SeededRandom(seed: 1), now: now)
        }

        func receive(_ bytes: some Sequence<UInt8>) {
            let bytes = Array(bytes)
            machine.receive(bytes.span, now: now)
            perform()
        }

        func end() {
            machine.receiveEnd(now: now)
            perform()
        }

        func pass(_ time: Duration) {
            now = now + time
            machine.tick(now: now, into: &output)
            perform()
        }

        func close(_ code: CloseCode, _ reason: String = "") {
            machine.close(code, reason: reason, now: now, into: &output)
            perform()
        }

        func perform() {
            while let effect = machine.next(now: now, into: &output) {
                switch effect {
                case .text(let bytes):
                    events.append("text \(String(decoding: bytes, as: UTF8.self))")
                case .binary(let bytes): events.append("binary \(Hex.encode(bytes))")
                case .closed(let code, let reason):
                    events.append(reason.isEmpty ? "closed \(code)" : "closed \(code) \(reason)")
                case .shutdownWrite: events.append("shutdown")
                case .disconnect: events.append("disconnect")
                }
            }
            most = max(most, machine.heldBytes)
        }

        /// What was sent since the last look, in hex.
        func sent() -> String {
            defer { output.removeAll() }
            return Hex.encode(output.array())
        }
    }

    private static let mask: UInt32 = 0x37FA_213D

    /// A masked frame as a client sends it; `first` is its first byte.
    private func frame(_ first: UInt8, _ payload: [UInt8]) -> [UInt8] {
        var bytes = [first]
        if payload.count <= 125 {
            bytes.append(0x80 | UInt8(payload.count))
        } else if payload.count <= 0xFFFF {
            bytes += [0xFE, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        } else {
            bytes.append(0xFF)
            for shift in stride(from: 56, through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: payload.count >> shift))
            }
        }
        bytes += [0x37, 0xFA, 0x21, 0x3D]
        for (index, byte) in payload.enumerated() {
            bytes.append(
                byte ^ UInt8(truncatingIfNeeded: Self.mask >> UInt32(24 - 8 * (index & 3))))
        }
        return bytes
    }

    private func frame(_ first: UInt8, _ text: String) -> [UInt8] { frame(first, Array(text.utf8)) }

    /// What a server makes of these bytes, the same whole, byte by byte, and cut at every place.
    private func outcome(
        of bytes: [UInt8], limits: WebSocketLimits = WebSocketLimits()
    ) -> (events: [String], sent: String) {
        let whole = End(.server, limits)
        whole.receive(bytes)
        let sent = whole.sent()
        let single = End(.server, limits)
        for byte in bytes { single.receive([byte]) }
        #expect(single.events == whole.events && single.sent() == sent)
        for cut in 0...min(bytes.count, 200) {
            let parts = End(.server, limits)
            parts.receive(bytes[..<cut])
            parts.receive(bytes[cut...])
            #expect(parts.events == whole.events && parts.sent() == sent, "cut at \(cut)")
        }
        return (whole.events, sent)
    }

    @Test func `1: messages of every length come through`() {
        for size in [0, 1, 7, 8, 9, 125, 126, 127, 128, 65_535, 65_536] {
            let payload = [UInt8](repeating: UInt8(ascii: "*"), count: size)
            let end = End()
            end.receive(frame(0x81, payload) + frame(0x82, payload))
            #expect(
                end.events == [
                    "text \(String(decoding: payload, as: UTF8.self))",
                    "binary \(Hex.encode(payload))",
                ])
            end.machine.send(binary: payload, into: &end.output)
            let header = size <= 125 ? 2 : size <= 65_535 ? 4 : 10
            #expect(end.written == size + header)
            #expect(end.isOpen)
        }
        // RFC 6455 §5.7's own examples.
        #expect(outcome(of: Hex.decode("818537fa213d7f9f4d5158") ?? []).events == ["text Hello"])
        let end = End(.client)
        end.receive(Hex.decode("010348656c" + "80026c6f" + "8a0548656c6c6f") ?? [])
        #expect(end.events == ["text Hello"])
    }

    @Test func `2: a ping is answered with its payload, a pong with nothing`() {
        #expect(outcome(of: frame(0x89, "")) == ([], "8a00"))
        #expect(outcome(of: frame(0x89, "Hi")) == ([], "8a024869"))
        #expect(outcome(of: frame(0x8A, "Hi")) == ([], ""))
        let longest = [UInt8](repeating: 0xFE, count: 125)
        #expect(outcome(of: frame(0x89, longest)).sent == "8a7d" + Hex.encode(longest))
        // 2.5: longer is no control frame.
        let tooLong = outcome(of: frame(0x89, [UInt8](repeating: 0, count: 126)))
        #expect(tooLong == (["closed 1002", "shutdown"], "880203ea"))
        // 2.10: ten pings, ten pongs in order.
        let ten = (0..<10).flatMap { frame(0x89, [$0]) }
        #expect(outcome(of: ten).sent == (0..<10).map { "8a010\($0)" }.joined())
    }

    @Test func `3: reserved bits are refused`() {
        for bits in [0x10, 0x20, 0x30, 0x40, 0x50, 0x60, 0x70] as [UInt8] {
            for opcode in [0x81, 0x82, 0x88, 0x89, 0x8A] as [UInt8] {
                let result = outcome(of: frame(0x81, "first") + frame(bits | opcode, "x"))
                #expect(result.events == ["text first", "closed 1002", "shutdown"])
            }
        }
    }

    @Test func `4: reserved opcodes are refused`() {
        for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] as [UInt8] {
            let result = outcome(of: frame(0x80 | opcode, "") + frame(0x81, "after"))
            #expect(result == (["closed 1002", "shutdown"], "880203ea"))
        }
    }

    @Test func `5: fragments make one message, control frames between them`() {
        // 5.3–5.8
        #expect(
            outcome(
                of: frame(0x01, "frag") + frame(0x89, "p") + frame(0x00, "men") + frame(0x80, "t"))
                == (["text fragment"], "8a0170"))
        #expect(outcome(of: frame(0x02, [1]) + frame(0x80, [2])).events == ["binary 0102"])
        // 5.1, 5.2: control frames are whole.
        #expect(outcome(of: frame(0x09, "a") + frame(0x80, "b")).events.first == "closed 1002")
        #expect(outcome(of: frame(0x0A, "a")).events.first == "closed 1002")
        #expect(outcome(of: frame(0x08, "")).events.first == "closed 1002")
        // 5.9–5.14: a continuation of nothing.
        #expect(outcome(of: frame(0x80, "a")).events.first == "closed 1002")
        #expect(outcome(of: frame(0x00, "a")).events.first == "closed 1002")
        #expect(
            outcome(of: frame(0x81, "a") + frame(0x80, "b")).events == [
                "text a", "closed 1002", "shutdown",
            ])
        // 5.18: a second message inside the first.
        #expect(outcome(of: frame(0x01, "a") + frame(0x81, "b")).events.first == "closed 1002")
        // 6.1: empty fragments.
        #expect(
            outcome(of: frame(0x01, "") + frame(0x00, "") + frame(0x80, "")).events == ["text "])
    }

    @Test func `6: text is UTF-8, whatever frame a character is cut by`() {
        let text = "Hellö ∂ß ∑ 𝄞 \u{7FF}\u{800}\u{FFFF}\u{10000}\u{10FFFF}"
        let bytes = Array(text.utf8)
        for cut in 0...bytes.count {
            let end = End()
            end.receive(frame(0x01, Array(bytes[..<cut])) + frame(0x80, Array(bytes[cut...])))
            #expect(end.events == ["text \(text)"])
        }
    }

    @Test(arguments: [
        "ff", "80", "bf", "c080", "c1bf", "c2", "c2c2", "e08080", "e09fbf", "eda080", "edbfbf",
        "f0808080", "f08fbfbf", "f4908080", "f5808080", "f8888080", "fe", "e282", "f09f98",
        "cebae1bdb9cf83cebcceb5eda080656469746564", "6162636465666768696a80", "c0", "e1a0c0",
    ])
    func `6: what is not UTF-8 closes with 1007`(hex: String) {
        let bytes = Hex.decode(hex) ?? []
        let result = outcome(of: frame(0x81, bytes))
        #expect(result == (["closed 1007", "shutdown"], "880203ef"))
        // In a reason too.
        let close = outcome(of: frame(0x88, [0x03, 0xE8] + bytes))
        #expect(close == (["closed 1007", "shutdown"], "880203ef"))
        // And as bytes it is fine.
        #expect(outcome(of: frame(0x82, bytes)).events == ["binary \(hex)"])
    }

    @Test func `6: a bad byte is seen before the message ends`() {
        // 6.4: fail fast.
        let end = End()
        end.receive(frame(0x01, [0xCE, 0xBA, 0xF4]))
        #expect(end.events == [])
        end.receive(frame(0x00, [0x90]))
        #expect(end.events == ["closed 1007", "shutdown"])
        let inside = End()
        inside.receive(frame(0x81, [0x41, 0xFF, 0x41, 0x41]).dropLast(2))
        #expect(inside.events == ["closed 1007", "shutdown"])
    }

    @Test func `7: a close is answered with its code, and the server hangs up`() {
        #expect(outcome(of: frame(0x88, "")) == (["closed 1005", "disconnect"], "8800"))
        #expect(
            outcome(of: frame(0x88, [0x03, 0xE8] + Array("bye".utf8)))
                == (["closed 1000 bye", "disconnect"], "880203e8"))
        // 7.1.3–7.1.5: nothing after a close counts.
        let after = frame(0x88, [3, 232]) + frame(0x81, "late") + frame(0x89, "")
        #expect(outcome(of: after) == (["closed 1000", "disconnect"], "880203e8"))
        #expect(
            outcome(of: frame(0x01, "a") + frame(0x88, "") + frame(0x80, "b")).events
                == ["closed 1005", "disconnect"])
        // 7.3.2: half a code.
        #expect(outcome(of: frame(0x88, [3])) == (["closed 1002", "shutdown"], "880203ea"))
        let longest = [0x03, 0xE8] + [UInt8](repeating: UInt8(ascii: "*"), count: 123)
        #expect(outcome(of: frame(0x88, longest)).events.last == "disconnect")
    }

    @Test func `7: only codes that may be sent are taken`() {
        let valid = [
            1_000, 1_001, 1_002, 1_003, 1_007, 1_008, 1_009, 1_010, 1_011, 3_000, 3_999, 4_000,
            4_999,
        ]
        for code in valid {
            let bytes = [UInt8(code >> 8), UInt8(code & 255)]
            #expect(outcome(of: frame(0x88, bytes)).events == ["closed \(code)", "disconnect"])
        }
        for code in [0, 999, 1_004, 1_005, 1_006, 1_015, 1_016, 1_100, 2_000, 2_999, 5_000, 65_535]
        {
            let bytes = [UInt8(code >> 8), UInt8(code & 255)]
            #expect(outcome(of: frame(0x88, bytes)) == (["closed 1002", "shutdown"], "880203ea"))
        }
    }

    @Test func `7: our own close waits for the peer's, five seconds long`() {
        let end = End()
        end.receive(frame(0x01, "unfinished "))
        end.close(.denied, "no")
        #expect(end.sent() == "880411336e6f")
        #expect(!end.isOpen)
        end.machine.send(text: [65], into: &end.output)
        // What is under way is dropped, and breaks no rule.
        end.receive(frame(0x00, "more") + frame(0x89, "p") + frame(0x81, "late"))
        #expect(end.events == [] && end.sent() == "" && end.heldBytes == 0)
        end.receive(frame(0x88, [0x11, 0x33]))
        #expect(end.events == ["closed 4403", "disconnect"])

        let silent = End()
        silent.close(.goingAway)
        silent.pass(.milliseconds(4_999))
        #expect(silent.events == [])
        silent.pass(.milliseconds(1))
        #expect(silent.events == ["closed 1006", "disconnect"])
        #expect(silent.deadline == nil)
    }

    @Test func `a reason is cut between characters`() {
        let end = End()
        end.close(.normal, String(repeating: "é", count: 100))
        #expect(end.written == 2 + 2 + 122)
        let none = End()
        none.close(.noStatus)
        #expect(none.sent() == "8800")
    }

    @Test func `9: a message and its fragments are bounded`() {
        var limits = WebSocketLimits(message: 1_000)
        limits.fragments = 10
        let big = [UInt8](repeating: 65, count: 1_001)
        #expect(outcome(of: frame(0x82, Array(big.dropLast())), limits: limits).events.count == 1)
        // The header alone decides: nothing of it is waited for.
        #expect(
            outcome(of: Array(frame(0x82, big).prefix(8)), limits: limits)
                == (["closed 1009", "shutdown"], "880203f1"))
        let half = Array(big.prefix(600))
        #expect(
            outcome(of: frame(0x01, half) + frame(0x80, half), limits: limits).events.first
                == "closed 1009")
        // 64-bit lengths that no memory has.
        let huge: [UInt8] = [0x82, 0xFF, 0x7F] + [UInt8](repeating: 0xFF, count: 7) + [1, 2, 3, 4]
        #expect(outcome(of: huge, limits: limits).events.first == "closed 1009")
        let negative: [UInt8] =
            [0x82, 0xFF, 0x80] + [UInt8](repeating: 0, count: 7) + [1, 2, 3, 4]
        #expect(outcome(of: negative, limits: limits).events.first == "closed 1002")
        let fragments = frame(0x02, [1]) + (0..<9).flatMap { _ in frame(0x00, []) }
        #expect(outcome(of: fragments, limits: limits).events == [])
        #expect(
            outcome(of: fragments + frame(0x00, []), limits: limits).events.first == "closed 1009")
    }

    @Test func `lengths are spelled as short as can be`() {
        #expect(outcome(of: [0x82, 0xFE, 0, 125, 1, 2, 3, 4]).events.first == "closed 1002")
        let wide: [UInt8] = [0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 1, 2, 3, 4]
        #expect(outcome(of: wide).events.first == "closed 1002")
    }

    @Test func `10: a peer that masks wrongly is refused`() {
        #expect(outcome(of: [0x81, 0x01, 0x41]).events == ["closed 1002", "shutdown"])
        let client = End(.client)
        client.receive(frame(0x81, "a"))
        #expect(client.events == ["closed 1002", "shutdown"])
        client.end()
        #expect(client.events.last == "disconnect")
    }

    @Test func `after a breach nothing is taken, and the peer has five seconds to go`() {
        let end = End()
        end.receive(frame(0x83, ""))
        end.receive(frame(0x81, "a"))
        #expect(end.heldBytes == 0)
        #expect(end.events == ["closed 1002", "shutdown"])
        end.pass(.seconds(5))
        #expect(end.events == ["closed 1002", "shutdown", "disconnect"])
    }

    @Test func `two ends understand each other`() throws {
        let client = End(.client, WebSocketLimits(message: 100_000))
        let server = End(.server, WebSocketLimits(message: 100_000))
        let random = SeededRandom(seed: 3)
        func exchange() {
            let out = client.output.array()
            client.output.removeAll()
            server.receive(out)
            let back = server.output.array()
            server.output.removeAll()
            client.receive(back)
        }
        for size in [0, 1, 3, 125, 126, 1_000, 65_536, 99_999] {
            let bytes = random.bytes(size)
            client.machine.send(binary: bytes, into: &client.output)
            server.machine.send(binary: bytes, into: &server.output)
            exchange()
            #expect(
                server.events == ["binary \(Hex.encode(bytes))"] && client.events == server.events)
            client.events = []
            server.events = []
        }
        client.close(.normal, "done")
        exchange()
        #expect(server.events == ["closed 1000 done", "disconnect"])
        #expect(client.events == ["closed 1000"])
        client.end()
        #expect(client.events == ["closed 1000", "disconnect"])
    }

    @Test func `silence is pinged, and the third silence ends it`() {
        let end = End()
        end.pass(.seconds(19))
        #expect(end.sent() == "")
        end.pass(.seconds(1))
        #expect(end.sent() == "8900")
        end.receive(frame(0x8A, ""))
        end.pass(.seconds(20))
        end.pass(.seconds(20))
        #expect(end.sent() == "89008900")
        #expect(end.events == [])
        end.pass(.seconds(20))
        #expect(end.events == ["closed 1006", "disconnect"])
    }

    @Test func `a connection that ends without a close is abnormal`() {
        let end = End()
        end.receive(frame(0x81, "a") + [0x81])
        end.end()
        #expect(end.events == ["text a", "closed 1006", "disconnect"])
    }

    @Test func `masks of every phase and length are undone`() {
        let random = SeededRandom(seed: 5)
        for _ in 0..<2_000 {
            let bytes = random.bytes(random.next(below: 40))
            let mask = UInt32(truncatingIfNeeded: random.next())
            let start = bytes.isEmpty ? 0 : random.next(below: bytes.count)
            let phase = random.next(below: 9)
            var masked = bytes
            masked.mask(start..<bytes.count, with: mask, phase: phase)
            for index in bytes.indices {
                let place = UInt32(24 - 8 * ((index - start + phase) & 3))
                let key = index < start ? 0 : UInt8(truncatingIfNeeded: mask >> place)
                #expect(masked[index] == bytes[index] ^ key)
            }
        }
    }

    @Test func `noise neither crashes nor grows it`() {
        let random = SeededRandom(seed: 13)
        var limits = WebSocketLimits(message: 300)
        limits.fragments = 5
        for _ in 0..<3_000 {
            let end = End(random.next(below: 4) == 0 ? .client : .server, limits)
            for _ in 0..<random.next(below: 25) {
                switch random.next(below: 6) {
                case 0: end.receive(random.bytes(random.next(below: 20)))
                case 1: end.pass(.seconds(random.next(below: 10)))
                case 2 where random.next(below: 4) == 0: end.close(.normal)
                default:
                    let opcodes: [UInt8] = [0x81, 0x82, 0x01, 0x02, 0x00, 0x80, 0x89, 0x8A, 0x88]
                    var bytes = frame(
                        opcodes[random.next(below: 9)],
                        [UInt8](repeating: 65, count: random.next(below: 200)))
                    if random.next(below: 4) == 0 {
                        bytes.removeLast(random.next(below: bytes.count))
                    }
                    end.receive(bytes)
                }
            }
            end.end()
            end.pass(.seconds(5))
            #expect(end.most <= 300 + 250 * 2)
            #expect(end.events.filter { $0.hasPrefix("closed") }.count == 1)
            #expect(end.events.last == "disconnect")
        }
    }
}
