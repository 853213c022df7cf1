import Base
import HTTP
import Support
import Testing

/// How each role is started, and what it says when it cannot be: one line that names the setting,
/// the value and what would be accepted (exit 2), or the fault and what to do (exit 1).
@Suite struct StartupTests {
    private let folder: TestFolder

    init() throws { folder = try TestFolder("startup") }

    /// Runs a role until it ends by itself and returns the line that it ends by.
    private func lastLine(
        _ role: String, _ flags: [(String, String)] = [], words: [String] = [],
        environment: [String: String] = ["REILETA_TESTING": "true"], exit: Int32
    ) async throws -> String {
        let process = try await TestProcess.start(
            Executables.path(role), words + TestNode.flags(flags),
            name: "\(role)-\(SystemRandom().next())", in: folder.path, environment: environment)
        let end = try await process.exit(within: .seconds(20))
        #expect(end == .code(exit), "\(process.log)")
        #expect(process.output.isEmpty, "nothing but the ready line goes to standard output")
        let lines = process.log.split(separator: "\n").map(String.init)
        #expect(lines.filter { $0.hasPrefix("\(role): ") }.count == 1, "\(process.log)")
        return lines.last ?? ""
    }

    private func expect(
        _ line: String, says parts: String..., at location: SourceLocation = #_sourceLocation
    ) {
        for part in parts {
            #expect(line.contains(part), "\(line)", sourceLocation: location)
        }
    }

    @Test(arguments: ["eta", "reil", "ins"]) func `an unknown flag is named with the nearest one`(
        role: String
    ) async throws {
        let line = try await lastLine(role, words: ["--log-levle", "info"], exit: 2)
        expect(line, says: "--log-levle", "is no setting", "--log-level")
    }

    @Test func `a bad value is named with what would be accepted`() async throws {
        let line = try await lastLine("eta", [("eta.listen", "nowhere")], exit: 2)
        expect(line, says: "eta.listen", "nowhere", "give ")
        let other = try await lastLine("eta", [("passwords.scrypt_log_n", "99")], exit: 2)
        expect(other, says: "passwords.scrypt_log_n", "99")
    }

    @Test func `what is safe only in tests is refused outside of them`() async throws {
        let line = try await lastLine(
            "eta", [("passwords.scrypt_log_n", "4"), ("eta.data", folder.path + "/data")],
            environment: [:], exit: 2)
        expect(line, says: "passwords.scrypt_log_n", "at least 15")
        let open = try await lastLine(
            "reil", [("reil.listen", "0.0.0.0:0")], environment: [:], exit: 2)
        expect(open, says: "reil.listen", "0.0.0.0:0", "insecure")
    }

    @Test func `a key file that others can read is refused`() async throws {
        let key = try folder.write(String(repeating: "ab", count: 32), to: "open.key", mode: 0o644)
        let line = try await lastLine("reil", [("cluster.key", key)], exit: 2)
        expect(line, says: "cluster.key", key, "open to others (mode 644)", "chmod 600")
        let ins = try await lastLine("ins", [("ins.credential", key)], exit: 2)
        expect(ins, says: "ins.credential", key, "mode 644")
    }

    @Test func `a key file that is none, or is a folder, is refused`() async throws {
        let key = try folder.write("not a key", to: "bad.key")
        let line = try await lastLine("reil", [("cluster.key", key)], exit: 2)
        expect(line, says: "cluster.key", key, "holds no cluster key", "64 hexadecimal digits")
        let other = try await lastLine("reil", [("cluster.key", folder.path)], exit: 2)
        expect(other, says: "cluster.key", folder.path, "is a folder")
    }

    @Test func `a port that is taken is named`() async throws {
        let node = try await Shared.plain.get()
        let reil = try await lastLine(
            "reil",
            [
                ("reil.listen", node.address), ("cluster.key", node.clusterKey),
                ("reil.eta", "127.0.0.1:\(node.etaPort)"),
            ], exit: 1)
        expect(reil, says: "reil.listen", node.address, "free the port")
        let eta = try await lastLine(
            "eta",
            [
                ("eta.listen", "127.0.0.1:\(node.etaPort)"), ("eta.data", folder.path + "/other"),
                ("passwords.scrypt_log_n", "4"),
            ], exit: 1)
        expect(eta, says: "eta.listen", "127.0.0.1:\(node.etaPort)", "free the port")
    }

    @Test func `a certificate that does not fit its key is refused`() async throws {
        let authority = try TestAuthority()
        let (one, other) = (try authority.issue("one"), try authority.issue("other"))
        let key = try folder.write(String(repeating: "ab", count: 32), to: "cluster.key")
        let line = try await lastLine(
            "reil",
            [
                ("reil.listen", "127.0.0.1:0"), ("cluster.key", key),
                ("reil.tls_certificate", one.certificateFile), ("reil.tls_key", other.keyFile),
            ], exit: 1)
        expect(line, says: "reil.tls_certificate", "reil.tls_key")
        let missing = try await lastLine(
            "reil", [("cluster.key", key), ("reil.tls_certificate", one.certificateFile)], exit: 2)
        expect(missing, says: "reil.tls_key")
    }

    @Test func `a wrong cluster key ends the start`() async throws {
        let node = try await Shared.plain.get()
        let key = try folder.write(String(repeating: "cd", count: 32), to: "wrong.key")
        let line = try await lastLine(
            "reil",
            [
                ("reil.listen", "127.0.0.1:0"), ("cluster.key", key),
                ("reil.eta", "127.0.0.1:\(node.etaPort)"),
            ], exit: 1)
        expect(line, says: "cluster.key")
    }

    @Test func `a credential that nobody gave ends an Ins`() async throws {
        let node = try await Shared.plain.get()
        let file = try folder.write(
            "avr_n_" + String(repeating: "A", count: 43), to: "foreign.credential")
        let line = try await lastLine(
            "ins", [("ins.reil", node.address), ("ins.credential", file)], exit: 1)
        expect(line, says: "ins.credential", node.address)
    }

    @Test func `a data folder that another Eta holds is refused`() async throws {
        let node = try await Shared.plain.get()
        let line = try await lastLine(
            "eta", [("eta.listen", "127.0.0.1:0"), ("eta.data", node.data)], exit: 1)
        expect(line, says: node.data, "held by", "\(node.process("eta").id)")
    }

    @Test func `a database that is newer than the program is left alone`() async throws {
        var shape = NodeShape()
        shape.ins = 0
        let node = try await TestNode.start(shape)
        node.process("eta").send(15)
        #expect(try await node.process("eta").exit() == .code(0))
        // A clean end leaves all of it in the file itself, whose header has the schema's number.
        let file = "\(node.data)/eta.sqlite"
        #expect(TestFolder.size(of: file + "-wal") ?? 0 == 0)
        try TestFolder.overwrite(file, at: 60, with: [0, 0, 0x27, 0x0F])
        let line = try await lastLine(
            "eta", [("eta.listen", "127.0.0.1:0"), ("eta.data", node.data)], exit: 1)
        expect(line, says: "eta.sqlite", "9999", "newer")
        node.leavesDamage(because: "nobody knows its schema")
    }

    @Test(arguments: ["eta", "reil", "ins"])
    func `help and the configuration go to standard output`(
        role: String
    ) async throws {
        let help = try await TestProcess.start(
            Executables.path(role), ["--help"], name: "\(role)-help", in: folder.path)
        #expect(try await help.exit() == .code(0))
        #expect(help.output.contains("--log-level"))
        #expect(help.output.contains(role))
        let shown = try await TestProcess.start(
            Executables.path(role), ["--print-config", "--log-level", "debug"],
            name: "\(role)-config", in: folder.path)
        #expect(try await shown.exit() == .code(0))
        #expect(shown.output.contains("debug"))
        #expect(!shown.output.contains("ready"))
    }

    /// The order of a start is nobody's business: each waits for the next and says what for.
    @Test(arguments: [
        ["ins-1", "reil", "eta"], ["reil", "ins-1", "eta"], ["eta", "ins-1", "reil"],
    ])
    func `the roles may start in any order`(order: [String]) async throws {
        let node = try TestNode.unstarted()
        for name in order { try await node.start(name, waiting: false) }
        for name in order { _ = try await node.process(name).ready() }
        try await node.healthy()
        if order.last == "eta" {
            #expect(node.process("reil").log.contains("waiting"), "\(node.process("reil").log)")
        }
    }

    @Test func `told to stop, all end with 0, and start again on the same data`() async throws {
        let node = try await TestNode.start()
        let ada = try await node.user()
        for name in node.names.reversed() {
            node.process(name).send(15)
            #expect(try await node.process(name).exit() == .code(0), "\(node.process(name).log)")
        }
        for name in node.names { try await node.start(name) }
        try await node.healthy()
        let me = try await ada.client.data(.get, "/api/users/@me")
        #expect(me["username"] == .string(ada.name))
    }

    @Test func `the ready line says who, where and which process`() async throws {
        let node = try await Shared.plain.get()
        for (name, address) in [
            ("eta", "127.0.0.1:\(node.etaPort)"), ("reil", node.address), ("ins-1", "ins-1"),
        ] {
            let process = node.process(name)
            let line = try await process.ready()
            #expect(line["role"] == .string(name == "ins-1" ? "ins" : name))
            #expect(line["address"] == .string(address))
            #expect(line["pid"] == .integer(Int64(process.id)))
            #expect(process.output.split(separator: "\n").count == 1)
        }
    }
}
