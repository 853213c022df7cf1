// Foundation: looks for the executables and reads the files of keys.
import API
import Base
import Crypto
import Domain
import Foundation
import Glibc
import HTTP
import Net
import Testing

/// The executables under test.
public enum Executables {
    /// Where they are: `REILETA_TEST_BIN`, else the newer of what was built in release and in debug.
    public static let folder: String = {
        if let set = ProcessInfo.processInfo.environment["REILETA_TEST_BIN"] { return set }
        let build = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent(".build")
        let built = ["release", "debug"].map { build.appendingPathComponent($0).path }
            .compactMap { path -> (path: String, time: Date)? in
                let facts = try? FileManager.default.attributesOfItem(atPath: path + "/reil")
                return (facts?[.modificationDate] as? Date).map { (path, $0) }
            }
        guard let newest = built.max(by: { $0.time < $1.time }) else {
            preconditionFailure("build eta, reil and ins first, or set REILETA_TEST_BIN")
        }
        return newest.path
    }()

    /// The path of one.
    public static func path(_ role: String) -> String { "\(folder)/\(role)" }
}

/// What a node of a test is like.
public struct NodeShape: Sendable {
    /// How many Ins.
    public var ins = 1
    /// Settings of Eta beside those that every test's has.
    public var eta: [(String, String)] = []
    /// The same of Reil.
    public var reil: [(String, String)] = []
    /// The same of each Ins.
    public var insSettings: [(String, String)] = []
    /// Whether rates bind callers from this machine.
    public var isLimited = false
    /// Whose certificates it speaks TLS by.
    public var authority: TestAuthority?
    /// Whether Reil reaches Eta, and each Ins Reil, through a proxy.
    public var hasProxies = false

    /// The usual: one Ins, no rates, no TLS.
    public init() {}
}

/// One node in processes of its own: an Eta, a Reil and some Ins, on free ports, in a folder of
/// its own that is gone with it. Before that `eta check` looks at what it leaves, and fails the test
/// where anything is damaged, missing or nobody's.
public final class TestNode: Sendable {
    /// The folder of all that it keeps.
    public let folder: TestFolder
    /// The gateway's port.
    public let port: UInt16
    /// Eta's port.
    public let etaPort: UInt16
    /// In front of Eta, where the shape says so.
    public let etaProxy: FaultProxy?
    /// In front of Reil for Ins, where the shape says so.
    public let linkProxy: FaultProxy?
    /// Without a credential.
    public let client: TypedClient
    private let shape: NodeShape
    private let processes = Lock<[String: TestProcess]>([:])
    private let environment = ["REILETA_TESTING": "true"]
    private let excuse = Lock<String?>(nil)
    private let certificate: TestAuthority.Issued?

    private init(_ shape: NodeShape) throws {
        self.shape = shape
        folder = try TestFolder("node")
        port = FreePort.next()
        etaPort = FreePort.next()
        etaProxy = shape.hasProxies ? FaultProxy(to: etaPort) : nil
        linkProxy = shape.hasProxies ? FaultProxy(to: port) : nil
        certificate = try shape.authority?.issue("node-\(port)")
        let tls = try shape.authority.map { try TLSClientConfiguration(caFile: $0.certificateFile) }
        client = TypedClient(
            SocketAddress(.v4(0x7F00_0001), port: port), secure: tls != nil,
            http: TestLoops.client(tls: tls))
        NodeEnds.began(data: data)
    }

    deinit {
        kill()
        let problem = NodeEnds.ended(data: data, isExcused: excuse.withLock { $0 } != nil)
        if let problem { Issue.record("\(problem)") }
    }

    /// Has nobody look at what this node leaves, for that reason.
    public func leavesDamage(because reason: String) { excuse.withLock { $0 = reason } }

    /// Starts one and waits until it is healthy. A port that somebody took in between is no reason
    /// to fail: it is tried once more, with others.
    public static func start(_ shape: NodeShape = NodeShape()) async throws -> TestNode {
        do {
            return try await startOnce(shape)
        } catch {
            guard "\(error)".contains("cannot be had") else { throw error }
            return try await startOnce(shape)
        }
    }

    /// One of which nothing runs yet.
    public static func unstarted(_ shape: NodeShape = NodeShape()) throws -> TestNode {
        try TestNode(shape)
    }

    private static func startOnce(_ shape: NodeShape) async throws -> TestNode {
        let node = try TestNode(shape)
        try await node.start("eta")
        try await node.start("reil")
        for number in 1...max(1, shape.ins) where shape.ins > 0 {
            try await node.start("ins-\(number)")
        }
        try await node.healthy()
        return node
    }

    /// `127.0.0.1:port`, the node's name in the federation.
    public var address: String { "127.0.0.1:\(port)" }
    /// Eta's data folder.
    public var data: String { "\(folder.path)/data" }
    /// The node's clusterkey file.
    public var clusterKey: String { "\(data)/keys/cluster.key" }
    /// The names of its processes.
    public var names: [String] { ["eta", "reil"] + (0..<shape.ins).map { "ins-\($0 + 1)" } }

    /// One of its processes: `eta`, `reil`, `ins-1`.
    public func process(_ name: String) -> TestProcess {
        guard let process = processes.withLock({ $0[name] }) else {
            preconditionFailure("\(name) was never started")
        }
        return process
    }

    /// Starts one of its processes, again if need be, and waits for its ready line.
    /// `more` are settings beside those that it has, or instead of them.
    public func start(
        _ name: String, with more: [(String, String)] = [], waiting: Bool = true
    ) async throws {
        if name.hasPrefix("ins-"), name != "ins-1", !hasCredential(name) {
            try await eta("ins", "add", name, "--out", credential(name))
        }
        let role = name.hasPrefix("ins") ? "ins" : name
        let usual = settings(name).filter { usual in !more.contains { $0.0 == usual.0 } }
        let process = try await TestProcess.start(
            Executables.path(role), Self.flags(usual + more), name: name, in: folder.path,
            environment: environment)
        processes.withLock { $0[name] = process }
        if waiting { _ = try await process.ready() }
    }

    /// Kills Eta, or what is left of it, starts it again, with `more` settings, and waits until the
    /// Reil that it had asks it again.
    public func restartEta(with more: [(String, String)] = []) async throws {
        process("eta").kill()
        try await start("eta", with: more)
        try await Eventually.holds("Eta to be asked again", within: .seconds(20)) { status in
            let answer = try await client.send(.get, "/api/worlds?limit=1")
            status.text = "\(answer)"
            return answer.status == 200
        }
        try await healthy()
    }

    /// Waits until every role says that it is up and every Ins is linked.
    public func healthy(within deadline: Duration = .seconds(20)) async throws {
        let ins = Int64(shape.ins)
        try await Eventually.holds("health of node \(address)", within: deadline) { status in
            let answer = try await client.send(.get, "/api/health")
            status.text = "\(answer)"
            guard answer.status == 200 else { return false }
            return ins == 0 || answer.data?["ins"]?.integerValue ?? 0 >= ins
        }
    }

    /// Runs a subcommand of `eta` on this node's data and returns its answer in JSON.
    @discardableResult
    public func eta(_ words: String...) async throws -> JSONValue {
        let ended = try await command(words + ["--json"])
        guard ended.exit == .code(0) else {
            throw NeverCame("eta \(words.joined(separator: " ")): \(ended.exit) \(ended.log)")
        }
        return try JSONParser.parse(Array(ended.output.utf8))
    }

    /// Runs a subcommand of `eta` on this node's data, or another's, however it ends.
    public func command(
        _ words: [String], data: String? = nil, within deadline: Duration = .seconds(60)
    ) async throws -> (exit: ProcessExit, output: String, log: String) {
        let flags = Self.flags([
            ("eta.data", data ?? self.data), ("passwords.scrypt_log_n", "4"),
            ("node.address", address),
        ])
        let process = try await TestProcess.start(
            Executables.path("eta"), words + flags, name: "command-\(SystemRandom().next())",
            in: folder.path, environment: environment)
        let exit = try await process.exit(within: deadline)
        return (exit, process.output, process.log)
    }

    /// The flags by which a process of this node is started.
    public func settings(_ name: String) -> [(String, String)] {
        let etaAddress = "127.0.0.1:\(etaProxy?.address.port ?? etaPort)"
        switch name {
        case "eta":
            return [
                ("node.address", address), ("node.secure", "\(certificate != nil)"),
                ("node.title", "Node \(port)"), ("eta.listen", "127.0.0.1:\(etaPort)"),
                ("eta.data", data), ("passwords.scrypt_log_n", "4"),
            ] + shape.eta
        case "reil":
            var all = [
                ("reil.listen", address), ("reil.eta", etaAddress), ("cluster.key", clusterKey),
                ("federation.allow_networks", "127.0.0.0/8"),
                ("federation.insecure_peers", "\(certificate == nil)"),
            ]
            if let linkProxy { all.append(("reil.link_address", "\(linkProxy.address)")) }
            if !shape.isLimited { all.append(("limits.exempt", "127.0.0.0/8")) }
            if let certificate, let authority = shape.authority {
                all += [
                    ("reil.tls_certificate", certificate.certificateFile),
                    ("reil.tls_key", certificate.keyFile),
                    ("federation.ca_file", authority.certificateFile),
                ]
            }
            return all + shape.reil
        case _:
            var all = [
                ("ins.reil", "127.0.0.1:\(linkProxy?.address.port ?? port)"),
                ("ins.credential", credential(name)), ("ins.name", name),
            ]
            if let authority = shape.authority {
                all += [("ins.secure", "true"), ("federation.ca_file", authority.certificateFile)]
            }
            return all + shape.insSettings
        }
    }

    /// `reil.listen` as `--reil-listen`.
    public static func flags(_ settings: [(String, String)]) -> [String] {
        settings.flatMap { key, value in
            [
                "--"
                    + key.replacingOccurrences(of: ".", with: "-")
                    .replacingOccurrences(of: "_", with: "-"), value,
            ]
        }
    }

    /// The first Ins has the credential that Eta makes by itself.
    private func credential(_ name: String) -> String {
        "\(data)/keys/\(name == "ins-1" ? "ins" : name).credential"
    }

    private func hasCredential(_ name: String) -> Bool {
        FileManager.default.fileExists(atPath: credential(name))
    }

    /// All log lines of all its processes, for what must never be in them.
    public var logs: String {
        processes.withLock { $0.values.map(\.log) }.joined(separator: "\n")
    }

    /// Ends everything at once.
    public func kill() {
        for process in processes.withLock({ $0.values.map { $0 } }) { process.kill() }
    }

    /// An account of this node, logged in.
    public func user(_ name: String? = nil, email: String? = nil) async throws -> TestUser {
        let name = name ?? "u\(String(SystemRandom().next() & 0xFFFF_FFFF_FFFF, radix: 36))"
        var body: JSONObject = [
            "username": .string(name), "password": .string(TestUser.password(name)),
        ]
        if let email { body["email"] = .string(email) }
        let login = try await patiently { [body] in
            try await client.call(AuthAPI.register, body: .object(body))
        }
        return TestUser(name: name, node: self, login: login)
    }

    /// An administrator, made by the operator's subcommand and logged in.
    public func administrator() async throws -> TestUser {
        let name = "a\(String(SystemRandom().next() & 0xFFFF_FFFF_FFFF, radix: 36))"
        let made = try await eta("user", "add", name, "--admin")
        guard let password = made["password"]?.stringValue else {
            throw NeverCame("eta user add: no password in \(made)")
        }
        let login = try await patiently {
            try await client.call(
                AuthAPI.login, body: ["username": .string(name), "password": .string(password)])
        }
        return TestUser(name: name, node: self, login: login, password: password)
    }

    /// Again while the node says that it has too much to do (70): many suites at once make it hash
    /// more passwords than it lets wait.
    func patiently(_ login: () async throws -> Login) async throws -> Login {
        try await Eventually.get("a login") { status in
            do {
                return try await login()
            } catch let refusal as Refusal {
                guard refusal.code == 70 else { throw GaveUp("\(refusal)") }
                status.text = "\(refusal)"
                return nil
            }
        }
    }
}

/// A person with an account, logged in.
public struct TestUser: Sendable {
    /// Their name.
    public let name: String
    /// Their home.
    public let node: TestNode
    /// What logging in gave.
    public let login: Login
    /// Their password.
    public let password: String
    /// A client with their access token.
    public let client: TypedClient

    init(name: String, node: TestNode, login: Login, password: String? = nil) {
        self.name = name
        self.node = node
        self.login = login
        self.password = password ?? Self.password(name)
        client = node.client.with(token: login.token.text)
    }

    /// The password of a made-up user.
    public static func password(_ name: String) -> String { "wordless-\(name)-9" }

    /// Their id.
    public var id: String { "\(login.user.user.id)" }
    /// `u_…@home`.
    public var reference: String { "\(id)@\(node.address)" }
    /// The access token.
    public var token: String { login.token.text }

    /// A login of its own, with a session of its own.
    public func again() async throws -> TestUser {
        let login = try await node.patiently {
            try await node.client.call(
                AuthAPI.login, body: ["username": .string(name), "password": .string(password)])
        }
        return TestUser(name: name, node: node, login: login, password: password)
    }

    /// A grant to act on another node.
    public func integrity(at host: TestNode) async throws -> Integrity {
        try await client.call(IntegrityAPI.request, body: ["server": .string(host.address)])
    }

    /// A client of `host` as a visitor.
    public func visiting(_ host: TestNode) async throws -> TypedClient {
        let grant = try await integrity(at: host)
        guard let token = grant.token else { throw NeverCame("a grant without a token") }
        return host.client.with(token: token.text)
    }
}
