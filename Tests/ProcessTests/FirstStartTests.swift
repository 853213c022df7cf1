import API
import Base
import Domain
import Glibc
import HTTP
import Net
import Support
import Testing

/// The first start of each role: with nothing told and nothing there, on an empty folder, and what
/// it makes, waits for and takes from the machine.
@Suite struct FirstStartTests {
    private let folder: TestFolder

    init() throws { folder = try TestFolder("first") }

    private func start(
        _ role: String, _ flags: [(String, String)] = []
    ) async throws -> TestProcess {
        try await TestProcess.start(
            Executables.path(role), TestNode.flags(flags),
            name: "\(role)-\(SystemRandom().next())", in: folder.path,
            environment: ["REILETA_TESTING": "true"])
    }

    /// Starts it by a shell, which does `first` before.
    private func start(
        _ role: String, behind first: String, _ flags: [(String, String)] = [],
        environment: [String: String] = [:]
    ) async throws -> TestProcess {
        try await TestProcess.start(
            "/bin/sh",
            ["-c", first + " && exec \"$0\" \"$@\"", Executables.path(role)]
                + TestNode.flags(flags), name: role, in: folder.path, environment: environment)
    }

    /// The default ports are the machine's, not this test's: where somebody has them, a cluster for
    /// example, nothing can be shown.
    @Test func `the three roles find each other without a word of configuration`() async throws {
        guard FreePort.isFree(3_032), FreePort.isFree(3_033) else {
            try Test.cancel("port 3032 or 3033 is taken")
        }
        var all: [TestProcess] = []
        for role in ["eta", "reil", "ins"] {
            all.append(try await start(role, behind: "cd '\(folder.path)'"))
        }
        for process in all { _ = try await process.ready() }
        let client = TypedClient(SocketAddress(.v4(0x7F00_0001), port: 3_032))
        try await Eventually.holds("a healthy node") { status in
            let answer = try await client.send(.get, "/api/health")
            status.text = "\(answer)"
            return answer.data?["ins"]?.integerValue == 1
        }
        let server = try await client.call(ServerAPI.fetch)
        #expect("\(server.address)" == "127.0.0.1:3032" && !server.secure)
        #expect(folder.files(below: "data").contains("eta.sqlite"))
        for process in all.reversed() {
            process.send(SIGTERM)
            #expect(try await process.exit() == .code(0), "\(process.log)")
        }
    }

    @Test func `eta makes all it needs in an empty folder, for its own eyes, and says where`()
        async throws
    {
        let data = "\(folder.path)/made/here/data"
        let eta = try await start("eta", [("eta.listen", "127.0.0.1:0"), ("eta.data", data)])
        _ = try await eta.ready()
        let keys = ["access.key", "cluster.key", "ins.credential", "node.key"]
        #expect(folder.files(below: "made/here/data/keys") == keys)
        for file in keys.map({ "\(data)/keys/\($0)" }) {
            #expect(TestFolder.mode(of: file) == 0o600, "\(file)")
            // The log has a thread of its own.
            try await eta.says(file)
        }
        try await eta.says("\(data)/eta.sqlite")
        // Keys are nobody else's, and the rest of the folder is at most the group's.
        #expect(TestFolder.mode(of: "\(data)/keys") == 0o700)
        #expect((TestFolder.mode(of: data) ?? 0o777) & 0o007 == 0)
        // A second start makes nothing anew.
        eta.send(SIGTERM)
        #expect(try await eta.exit() == .code(0))
        let again = try await start("eta", [("eta.listen", "127.0.0.1:0"), ("eta.data", data)])
        _ = try await again.ready()
        try await again.says("\(data)/eta.sqlite")
        #expect(!again.log.contains("key made"))
    }

    @Test func `keys are shown by their public half and their place`() async throws {
        let node = try await Shared.plain.get()
        let shown = try await node.eta("keys", "show")
        let document = try await node.client.send(.get, "/.well-known/avr")
        #expect(shown["key"] == document.json?["keys"]?[0]?["key"], "\(shown) \(document)")
        #expect(shown["id"] == document.json?["keys"]?[0]?["id"])
        let files = shown["files"]?.objectValue?.members ?? []
        #expect(files.map(\.key).sorted() == ["access", "cluster", "ins", "node"], "\(shown)")
        for file in files {
            let path = file.value.stringValue ?? ""
            #expect(TestFolder.mode(of: path) == 0o600, "\(path)")
            let secret = TestFolder.text(of: path)
            #expect(!secret.isEmpty && !"\(shown)".contains(secret), "\(file.key)")
        }
        // Where no node is, none is made.
        let none = try await TestProcess.start(
            Executables.path("eta"), ["keys", "show", "--eta-data", "\(folder.path)/none"],
            name: "none", in: folder.path)
        #expect(try await none.exit() == .code(2))
        #expect(none.log.contains("eta.data") && none.output.isEmpty, "\(none.log)")
        #expect(TestFolder.mode(of: "\(folder.path)/none") == nil)
    }

    /// Each says what it waits for, and goes on by itself once it is there.
    @Test func `reil waits for its key and then for eta, ins for its credential and then for reil`()
        async throws
    {
        let (key, credential) = ("\(folder.path)/late.key", "\(folder.path)/late.credential")
        let (eta, front) = (FreePort.next(), FreePort.next())
        let reil = try await start(
            "reil",
            [
                ("reil.listen", "127.0.0.1:\(front)"), ("reil.eta", "127.0.0.1:\(eta)"),
                ("cluster.key", key),
            ])
        let ins = try await start(
            "ins", [("ins.reil", "127.0.0.1:\(front)"), ("ins.credential", credential)])
        try await reil.says("the cluster key \(key)")
        try await ins.says("the credential \(credential)")
        _ = try folder.write(String(repeating: "ab", count: 32), to: "late.key")
        _ = try folder.write("avr_n_" + String(repeating: "A", count: 43), to: "late.credential")
        try await reil.says("eta at 127.0.0.1:\(eta)")
        try await ins.says("reil at 127.0.0.1:\(front)")
        // Before Eta's first word: what needs none is answered, without a gateway to go to.
        let client = TypedClient(SocketAddress(.v4(0x7F00_0001), port: front))
        for (target, status) in [("/api/time", 200), ("/api/users", 503), ("/api/nothing", 404)] {
            let answer = try await client.send(.get, target)
            #expect(answer.status == status, "\(target): \(answer)")
            #expect(answer["AVR-Gateway"] == nil && answer["X-Content-Type-Options"] == "nosniff")
            #expect(answer["Access-Control-Allow-Origin"] == "*")
            #expect((answer.code == 70) == (status == 503), "\(answer)")
        }
        for process in [reil, ins] {
            #expect(process.isRunning && process.output.isEmpty)
            // Told to stop before there was anything to stop: at once.
            process.send(SIGTERM)
            #expect(try await process.exit(within: .seconds(3)) == .code(0), "\(process.log)")
        }
    }

    @Test func `a key file that cannot be read ends the start with one line`() async throws {
        let file = try folder.write("here", to: "file")
        let huge = try folder.write(String(repeating: "ab", count: 40_000), to: "huge.key")
        let loop = "\(folder.path)/loop.key"
        #expect(unsafe symlink("loop.key", loop) == 0)
        var cases = [
            ("\(file)/cluster.key", "in what is no folder"), (huge, "is too long"),
            (loop, "symbolic link"),
        ]
        if geteuid() != 0 {
            // Root reads what it likes.
            let shut = try folder.write("here", to: "shut.key", mode: 0)
            cases.append((shut, "may not be opened by this user"))
        }
        for (path, reason) in cases {
            for (role, setting) in [
                ("reil", "cluster.key"), ("eta", "cluster.key"), ("ins", "ins.credential"),
            ] {
                let flags = [(setting, path)]
                let data = [("eta.listen", "127.0.0.1:0"), ("eta.data", "\(folder.path)/data")]
                let process = try await start(role, role == "eta" ? flags + data : flags)
                #expect(try await process.exit() == .code(2), "\(process.log)")
                let lines = process.log.split(separator: "\n").filter {
                    $0.hasPrefix("\(role): \(setting)")
                }
                #expect(lines.count == 1, "\(process.log)")
                #expect(lines.first?.contains(path) == true, "\(process.log)")
                #expect(lines.first?.contains(reason) == true, "\(process.log)")
                #expect(process.output.isEmpty)
            }
        }
    }

    /// Each socket is a descriptor: what the machine grants is taken, whatever the shell set.
    @Test(arguments: ["eta", "reil", "ins"]) func `a role may open as many files as it is granted`(
        role: String
    ) async throws {
        let flags =
            role == "eta"
            ? [("eta.listen", "127.0.0.1:0"), ("eta.data", "\(folder.path)/data")]
            : [(role == "ins" ? "ins.credential" : "cluster.key", "\(folder.path)/none")]
        let process = try await start(role, behind: "ulimit -S -n 256", flags)
        if role == "eta" {
            _ = try await process.ready()
        } else {
            try await process.says("waiting")
        }
        let limit = try #require(process.openFiles)
        #expect(limit.hard > 256 && limit.soft == limit.hard, "\(limit)")
    }

    @Test func `all of it speaks IPv6`() async throws {
        guard TestFolder.text(of: "/proc/net/if_inet6").contains("00000001 01 80") else {
            try Test.cancel("no IPv6 here")
        }
        let (port, eta) = (FreePort.next(), FreePort.next())
        let data = "\(folder.path)/data"
        var all = [
            try await start(
                "eta",
                [
                    ("eta.listen", "[::1]:\(eta)"), ("eta.data", data),
                    ("node.address", "[::1]:\(port)"), ("passwords.scrypt_log_n", "4"),
                ])
        ]
        all.append(
            try await start(
                "reil",
                [
                    ("reil.listen", "[::1]:\(port)"), ("reil.eta", "[::1]:\(eta)"),
                    ("cluster.key", "\(data)/keys/cluster.key"),
                ]))
        let credential = ("ins.credential", "\(data)/keys/ins.credential")
        all.append(try await start("ins", [("ins.reil", "[::1]:\(port)"), credential]))
        let ready = try await all[1].ready()
        #expect(ready["address"] == .string("[::1]:\(port)"))
        _ = try await all[2].ready()
        let client = TypedClient(SocketAddress(.v6(high: 0, low: 1), port: port))
        let time = try await client.send(.get, "/api/time")
        #expect(time.status == 200 && time["AVR-Gateway"] == "false [::1]:\(port)", "\(time)")
        let login = try await client.data(
            .post, "/api/auth/register", ["username": "somebody", "password": "wordless-six-9"])
        let token = try #require(login["token"]?.stringValue)
        let sessions = try await client.with(token: token).data(.get, "/api/auth/sessions")
        #expect(sessions["items"]?[0]?["address_prefix"]?.stringValue?.hasPrefix("::") == true)
        let socket = try await TestSocket.open(client.with(token: token))
        #expect(try await socket.command("ping") != .null)
    }
}
