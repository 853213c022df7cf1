import API
import Base
import Crypto
import Glibc
import HTTP
import Net
import Support
import Testing

/// What an operator tells a process by signals, docs/operate/README.md: SIGTERM stops it, a second
/// one at once; SIGHUP has certificates read again.
@Suite struct SignalTests {
    /// A request whose body is still on its way, and what is missing of it.
    private static let begun =
        "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        + "Content-Length: \(rest.utf8.count + 1)\r\n\r\n{"
    private static let rest = #""username":"nobody_here","password":"wordless-nine-9"}"#

    private func small(_ authority: TestAuthority? = nil) async throws -> TestNode {
        var shape = NodeShape()
        shape.ins = 0
        shape.authority = authority
        return try await TestNode.start(shape)
    }

    /// A node whose Reil is told to stop while a request is under way.
    private func stopping() async throws -> (TestNode, TestProcess, RawConnection) {
        let node = try await small()
        let connection = try await RawConnection(node.client.address)
        // Behind a request whose answer shows that the gateway reads what comes here.
        await connection.send("GET /api/time HTTP/1.1\r\nHost: a\r\n\r\n" + Self.begun)
        #expect(await connection.receive(until: "\"data\"") != nil)
        let reil = node.process("reil")
        reil.send(SIGTERM)
        try await reil.says("stopping")
        try await Eventually.holds("a port that is given up") { _ in
            (try? await RawConnection(node.client.address)) == nil
        }
        #expect(reil.isRunning)
        return (node, reil, connection)
    }

    @Test func `told to stop, it finishes what was begun and takes nothing new`() async throws {
        let (node, reil, connection) = try await stopping()
        defer { withExtendedLifetime(node) {} }
        await connection.send(Self.rest)
        let answer = await connection.receiveAll()
        #expect(answer?.hasPrefix("HTTP/1.1 4") == true, "\(answer ?? "nothing")")
        #expect(try await reil.exit(within: .seconds(5)) == .code(0), "\(reil.log)")
        #expect(reil.log.contains("stopped") && !reil.log.contains("at once"), "\(reil.log)")
    }

    @Test func `told twice, it does not wait for anything`() async throws {
        let (node, reil, connection) = try await stopping()
        defer { withExtendedLifetime(node) {} }
        reil.send(SIGTERM)
        #expect(try await reil.exit(within: .seconds(3)) == .code(0), "\(reil.log)")
        #expect(reil.log.contains("stopping at once"), "\(reil.log)")
        #expect(await connection.receiveAll()?.isEmpty != false)
    }

    @Test(arguments: ["eta", "reil", "ins-1"]) func `what has no certificates goes on after SIGHUP`(
        name: String
    ) async throws {
        let node = try await Shared.plain.get()
        node.process(name).send(SIGHUP)
        try await node.process(name).says("reloading")
        try await node.healthy()
        #expect(node.process(name).isRunning)
    }

    @Test func `SIGHUP has the certificate read again, and a bad one changes nothing`()
        async throws
    {
        let (old, new) = (try TestAuthority(), try TestAuthority())
        let node = try await small(old)
        let reil = node.process("reil")
        let settings = Dictionary(
            node.settings("reil").map { ($0.0, $0.1) }, uniquingKeysWith: { $1 })
        let certificate = try #require(settings["reil.tls_certificate"])
        let key = try #require(settings["reil.tls_key"])
        /// Whether a new connection that trusts that authority alone gets through.
        func isTrusted(by authority: TestAuthority) async throws -> Bool {
            let client = TypedClient(
                node.client.address, secure: true,
                http: TestLoops.client(
                    tls: try TLSClientConfiguration(caFile: authority.certificateFile)))
            do throws(ClientError) {
                return try await client.send(.get, "/api/time").status == 200
            } catch {
                guard case .tls = error else { throw error }
                return false
            }
        }
        #expect(try await isTrusted(by: old))
        #expect(try await !isTrusted(by: new))
        let socket = try await TestSocket.open(try await node.user().client)
        let warning = "every user of this machine can read the private key"
        #expect(!reil.log.contains(warning))
        let fresh = try new.issue("fresh")
        try TestFolder.copy(fresh.certificateFile, over: certificate)
        try TestFolder.copy(fresh.keyFile, over: key)
        unsafe chmod(key, 0o604)
        reil.send(SIGHUP)
        try await reil.says(warning)
        try await Eventually.holds("the new certificate") { _ in try await isTrusted(by: new) }
        #expect(try await !isTrusted(by: old))
        // What stood before goes on.
        try await socket.command("ping")

        try TestFolder.copy(old.certificateFile, over: certificate)
        reil.send(SIGHUP)
        try await reil.says("the old certificate stays")
        #expect(try await isTrusted(by: new))
        #expect(reil.isRunning)
    }
}
