import Base
import Crypto
import Support
import Testing

/// TLS between two machines in memory: however the bytes are cut, both sides see the same; whoever
/// is not the one that was asked for is refused before a byte of plaintext moves.
struct TLSMachineTests {
    static let authority = Result { try TestAuthority() }
    static let issued = Result { try authority.get().issue("server") }

    private func server() throws -> TLSServerConfiguration {
        let issued = try Self.issued.get()
        return try TLSServerConfiguration(
            certificateChainFile: issued.certificateFile, privateKeyFile: issued.keyFile)
    }

    /// Reading the system's authorities takes tens of milliseconds: once is enough.
    static let trusting = Result {
        try TLSClientConfiguration(caFile: try authority.get().certificateFile)
    }

    private func client() throws -> TLSClientConfiguration { try Self.trusting.get() }

    private func pair(hostname: String = "localhost") throws -> TLSPair {
        TLSPair(
            client: TLSMachine(client: try client(), hostname: hostname),
            server: TLSMachine(server: try server()))
    }

    /// Any name of the certificate, and any spelling of an address.
    @Test(arguments: ["localhost", "LOCALHOST", "127.0.0.1", "::1", "0:0:0:0:0:0:0:1"])
    func `a client reaches the server it asked for, and they talk`(hostname: String) throws {
        var pair = try pair(hostname: hostname)
        pair.pump()
        #expect(pair.clientEffects == [.handshakeDone])
        #expect(pair.serverEffects == [.handshakeDone])
        pair.client.write(bytes("ask"))
        pair.pump()
        #expect(pair.serverRead() == bytes("ask"))
        pair.server.write(bytes("answer"))
        pair.pump()
        #expect(pair.clientRead() == bytes("answer"))
    }

    @Test func `byte by byte, both sides see the same`() throws {
        var pair = try pair()
        pair.pump(by: 1)
        let long = SeededRandom(seed: 3).bytes(40_000)
        pair.client.write(long)
        pair.server.write(bytes("meanwhile"))
        pair.pump(by: 1)
        #expect(pair.serverRead() == long)
        #expect(pair.clientRead() == bytes("meanwhile"))
        #expect(pair.serverEffects.first == .handshakeDone)
        #expect(pair.serverEffects.dropFirst().allSatisfy { $0 == .plaintext })
    }

    @Test func `cut anywhere in two, a message of two records arrives`() throws {
        var pair = try pair()
        pair.pump()
        // Each round needs a fresh record, so the same pair serves all cuts.
        let length = 2 * 22 + 9
        for cut in 0...length {
            pair.client.write(bytes("first"))
            pair.client.write(bytes("last"))
            let sent = pair.clientOutput()
            #expect(sent.count == length)
            pair.server.receive(sent[..<cut])
            pair.server.receive(sent[cut...])
            #expect(pair.serverRead() == bytes("firstlast"))
        }
    }

    @Test func `a megabyte goes both ways in odd pieces`() throws {
        var pair = try pair()
        let (up, down) = (
            SeededRandom(seed: 1).bytes(1 << 20), SeededRandom(seed: 2).bytes(1 << 20)
        )
        pair.pump(by: 333)
        pair.client.write(up)
        pair.server.write(down)
        pair.pump(by: 7777)
        #expect(pair.serverRead() == up)
        #expect(pair.clientRead() == down)
    }

    @Test func `plaintext in the segment of the last handshake message is not lost`() throws {
        var pair = try pair()
        pair.server.receive(pair.clientOutput())
        pair.client.receive(pair.serverOutput())
        #expect(pair.clientNext() == .handshakeDone)
        pair.client.write(bytes("early"))
        pair.server.receive(pair.clientOutput())
        #expect(pair.serverNext() == .handshakeDone)
        #expect(pair.serverNext() == .plaintext)
        #expect(pair.serverNext() == nil)
        #expect(pair.serverRead() == bytes("early"))
    }

    @Test func `a close that is announced is told from one that is not`() throws {
        var polite = try pair()
        polite.pump()
        polite.client.write(bytes("bye"))
        polite.client.shutdown()
        polite.pump()
        #expect(polite.serverEffects == [.handshakeDone, .plaintext, .closed])
        #expect(polite.serverRead() == bytes("bye"))
        polite.server.receiveEnd()
        #expect(polite.serverNext() == nil)
        // The other direction still works, RFC 8446 §6.1.
        polite.server.write(bytes("you too"))
        polite.pump()
        #expect(polite.clientRead() == bytes("you too"))

        var cut = try pair()
        cut.pump()
        cut.server.receiveEnd()
        #expect(cut.serverNext() == .failed(.truncated))
        #expect(cut.serverNext() == nil)
    }

    @Test func `after our own close nothing more is written`() throws {
        var pair = try pair()
        pair.pump()
        pair.client.shutdown()
        _ = pair.clientOutput()
        pair.client.write(bytes("late"))
        pair.client.shutdown()
        let hasOutput = pair.client.hasOutput
        #expect(!hasOutput)
    }

    @Test(arguments: ["example.org", "127.0.0.2", "::2", "localhost.example.org", ""])
    func `a server that is somebody else is refused`(hostname: String) throws {
        var pair = try pair(hostname: hostname)
        pair.pump()
        #expect(pair.clientEffects == [.failed(.wrongName(expected: hostname))])
        #expect(!pair.serverEffects.contains(.handshakeDone) || hostname.isEmpty)
    }

    @Test func `a wildcard covers one label and no more`() throws {
        let wild = try Self.authority.get().issue("wild", for: ["DNS:*.example.org"])
        let server = try TLSServerConfiguration(
            certificateChainFile: wild.certificateFile, privateKeyFile: wild.keyFile)
        for (hostname, isCovered) in [
            ("a.example.org", true), ("a.b.example.org", false), ("example.org", false),
        ] {
            var pair = TLSPair(
                client: TLSMachine(client: try client(), hostname: hostname),
                server: TLSMachine(server: server))
            pair.pump()
            #expect(pair.clientEffects.contains(.handshakeDone) == isCovered)
        }
    }

    @Test func `an authority nobody told us of is refused`() throws {
        let foreign = try TestAuthority()
        for caFile in [nil, foreign.certificateFile] {
            var pair = TLSPair(
                client: TLSMachine(
                    client: try TLSClientConfiguration(caFile: caFile), hostname: "localhost"),
                server: TLSMachine(server: try server()))
            pair.pump()
            guard case .failed(.untrusted) = pair.clientEffects.first else {
                Issue.record("\(pair.clientEffects)")
                continue
            }
            // The alert tells the server, which is over too.
            #expect(pair.serverEffects.contains { if case .failed = $0 { true } else { false } })
        }
    }

    @Test func `a certificate that has ended is refused by both sides`() throws {
        // It ends in the second in which it begins; only a clock that stands there loads it.
        let old = try Self.authority.get().issue("old", days: 0)
        var ended: Timestamp?
        do {
            _ = try TLSServerConfiguration(
                certificateChainFile: old.certificateFile, privateKeyFile: old.keyFile,
                clock: ManualClock(timestamp: SystemClock().timestamp() + .seconds(1)))
        } catch {
            if case .expired(_, let since) = error { ended = since }
        }
        let server = try TLSServerConfiguration(
            certificateChainFile: old.certificateFile, privateKeyFile: old.keyFile,
            clock: ManualClock(timestamp: try #require(ended)))
        var pair = TLSPair(
            client: TLSMachine(client: try client(), hostname: "localhost"),
            server: TLSMachine(server: server))
        pair.pump()
        #expect(pair.clientEffects == [.failed(.untrusted(reason: "certificate has expired"))])
        #expect {
            try TLSServerConfiguration(
                certificateChainFile: old.certificateFile, privateKeyFile: old.keyFile,
                clock: ManualClock(timestamp: try #require(ended) - .seconds(1)))
        } throws: { error in
            if case TLSError.notYetValid = error { true } else { false }
        }
    }

    @Test func `ciphertext that was bent ends the connection without a byte of it`() throws {
        for index in [0, 3, 5, 10, 30] {
            var pair = try pair()
            pair.pump()
            pair.client.write(bytes("pay him 1"))
            var bent = pair.clientOutput()
            bent[index] ^= 1
            pair.server.receive(bent)
            pair.server.receiveEnd()
            guard case .failed = pair.server.next() else {
                Issue.record("byte \(index) was not noticed")
                continue
            }
            #expect(pair.serverRead().isEmpty)
            pair.server.write(bytes("still there?"))
            #expect(pair.serverNext() == nil)
        }
    }

    @Test func `what is not TLS is refused at once`() throws {
        for text in ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\0\0\0\0\0\0\0\0", "SSH-2.0-x\r\n"] {
            var machine = TLSMachine(server: try server())
            machine.receive(bytes(text))
            guard case .failed(.violation) = machine.next() else {
                Issue.record("\(text) was not refused")
                continue
            }
        }
    }

    @Test func `noise, also behind a handshake, never crashes a machine`() throws {
        let random = SeededRandom(seed: 11)
        let configuration = try server()
        for round in 0..<300 {
            var client = TLSMachine(client: try client(), hostname: "localhost")
            var machine = TLSMachine(server: configuration)
            var hello = ByteWriter()
            client.takeOutput(into: &hello)
            var bent = hello.array()
            for _ in 0..<1 + round % 5 {
                bent[random.next(below: bent.count)] = random.bytes(1)[0]
            }
            bent.append(contentsOf: random.bytes(random.next(below: 60)))
            machine.receive(bent)
            while machine.next() != nil {}
            var answer = ByteWriter()
            machine.takeOutput(into: &answer)
            client.receive(answer.array())
            client.receive(random.bytes(40))
            while client.next() != nil {}
        }
    }

    @Test func `a renewed certificate is shown after reload, a broken one never`() throws {
        let folder = try TestAuthority()
        let first = try folder.issue("renewed", days: 5)
        let configuration = try TLSServerConfiguration(
            certificateChainFile: first.certificateFile, privateKeyFile: first.keyFile)
        let before = configuration.expires
        _ = try folder.issue("renewed", days: 20)
        try configuration.reload()
        #expect(configuration.expires > before)
        let after = configuration.expires
        _ = try folder.write("nonsense", to: "renewed.pem")
        #expect(throws: TLSError.self) { try configuration.reload() }
        #expect(configuration.expires == after)
        var pair = TLSPair(
            client: TLSMachine(
                client: try TLSClientConfiguration(caFile: folder.certificateFile),
                hostname: "localhost"),
            server: TLSMachine(server: configuration))
        pair.pump()
        #expect(pair.clientEffects == [.handshakeDone])
    }
}

/// What is wrong with files is told by the file and the fault.
struct TLSConfigurationTests {
    @Test func `each fault of certificate and key has its name`() throws {
        let authority = try TestAuthority()
        let one = try authority.issue("one")
        let two = try authority.issue("two")
        let nothing = try authority.write("no PEM here\n", to: "nothing.pem")
        func fault(_ certificate: String, _ key: String) -> TLSError? {
            do {
                _ = try TLSServerConfiguration(
                    certificateChainFile: certificate, privateKeyFile: key)
                return nil
            } catch {
                return error
            }
        }
        #expect(fault(one.certificateFile, one.keyFile) == nil)
        #expect(
            fault(one.certificateFile, two.keyFile)
                == .keyDoesNotFit(certificate: one.certificateFile, key: two.keyFile))
        #expect(
            fault(nothing, one.keyFile) == .malformed(file: nothing, expected: "certificate"))
        #expect(
            fault(one.certificateFile, nothing)
                == .malformed(file: nothing, expected: "unencrypted private key"))
        let missing = nothing + ".missing"
        #expect(
            fault(missing, one.keyFile)
                == .unreadable(file: missing, reason: "No such file or directory"))
        #expect(
            fault(one.certificateFile, missing)
                == .unreadable(file: missing, reason: "No such file or directory"))
    }

    @Test func `authorities that cannot be read are told at start`() throws {
        #expect(throws: TLSError.self) { try TLSClientConfiguration(caFile: "/nowhere/ca.pem") }
    }
}

private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

extension TLSMachine {
    fileprivate mutating func receive(_ bytes: [UInt8]) { receive(bytes.span) }
    fileprivate mutating func receive(_ bytes: ArraySlice<UInt8>) { receive(bytes.span) }
    fileprivate mutating func write(_ bytes: [UInt8]) { write(bytes.span) }
}

/// Two machines, and what they said.
private struct TLSPair: ~Copyable {
    var client: TLSMachine
    var server: TLSMachine
    var clientEffects: [TLSEffect] = []
    var serverEffects: [TLSEffect] = []

    init(client: consuming TLSMachine, server: consuming TLSMachine) {
        self.client = client
        self.server = server
    }

    mutating func clientNext() -> TLSEffect? { client.next() }
    mutating func serverNext() -> TLSEffect? { server.next() }

    mutating func clientOutput() -> [UInt8] {
        var output = ByteWriter()
        client.takeOutput(into: &output)
        return output.array()
    }

    mutating func serverOutput() -> [UInt8] {
        var output = ByteWriter()
        server.takeOutput(into: &output)
        return output.array()
    }

    mutating func clientRead() -> [UInt8] {
        var plaintext = ByteWriter()
        client.read(into: &plaintext)
        return plaintext.array()
    }

    mutating func serverRead() -> [UInt8] {
        var plaintext = ByteWriter()
        server.read(into: &plaintext)
        return plaintext.array()
    }

    /// Carries bytes both ways, in pieces of `length`, until both are silent.
    mutating func pump(by length: Int = .max) {
        while true {
            let (up, down) = (clientOutput(), serverOutput())
            for start in stride(from: 0, to: up.count, by: min(length, max(1, up.count))) {
                server.receive(up[start..<start + min(length, up.count - start)])
            }
            for start in stride(from: 0, to: down.count, by: min(length, max(1, down.count))) {
                client.receive(down[start..<start + min(length, down.count - start)])
            }
            while let effect = client.next() { clientEffects.append(effect) }
            while let effect = server.next() { serverEffects.append(effect) }
            if up.isEmpty, down.isEmpty { return }
        }
    }
}
