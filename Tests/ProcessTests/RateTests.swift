import Base
import HTTP
import Support
import Testing

/// Whose requests are counted, docs/client/http.md: the socket's address, or what a proxy says that
/// the operator trusts.
@Suite struct RateTests {
    private static let strangers = (1...40).map { "203.0.113.\($0)" }

    private func start(isTrusted: Bool) async throws -> TestNode {
        var shape = NodeShape()
        shape.ins = 0
        // This machine is exempt where it is the proxy: who is behind it is not.
        shape.isLimited = !isTrusted
        shape.reil = [("limits.requests_burst", "30"), ("limits.requests", "1")]
        if isTrusted { shape.reil.append(("reil.trusted_proxies", "127.0.0.0/8")) }
        return try await TestNode.start(shape)
    }

    private func ask(_ node: TestNode, for client: String?) async throws -> Answer {
        try await node.client.send(
            .get, "/api/time", fields: client.map { [("X-Forwarded-For", $0)] } ?? [])
    }

    @Test func `behind a trusted proxy each client has a rate of its own`() async throws {
        let node = try await start(isTrusted: true)
        var answers: [Answer] = []
        for _ in 0..<60 {
            answers.append(try await ask(node, for: "198.51.100.1, 203.0.113.9"))
        }
        #expect(answers.prefix(30).allSatisfy { $0.status == 200 })
        let last = try #require(answers.last)
        #expect(last.status == 429 && last.code == 55, "\(last)")
        #expect(last["Retry-After"] == "1", "\(last.fields)")
        // What the client wrote itself makes nobody of it who it is not.
        let disguised = try await ask(node, for: "192.0.2.77, 203.0.113.9")
        #expect(disguised.status == 429, "\(disguised)")
        for other in ["203.0.113.10", "198.51.100.1"] {
            let answer = try await ask(node, for: other)
            #expect(answer.status == 200, "\(other): \(answer)")
        }
        // The proxy itself is exempt, being of this machine.
        for _ in 0..<60 { #expect(try await ask(node, for: nil).status == 200) }
        // It is this address that is shown to the user, and by which failed logins are counted.
        let login = try await node.client.data(
            .post, "/api/auth/register", ["username": "forwarded", "password": "wordless-nine-9"],
            fields: [("X-Forwarded-For", "203.0.113.200")])
        let client = node.client.with(token: login["token"]?.stringValue)
        let sessions = try await client.data(.get, "/api/auth/sessions")
        #expect(sessions["items"]?[0]?["address_prefix"] == "203.0.113.0/24", "\(sessions)")
    }

    @Test func `from anybody else the field changes nothing`() async throws {
        let node = try await start(isTrusted: false)
        var answers: [Answer] = []
        for client in Self.strangers + Self.strangers {
            answers.append(try await ask(node, for: client))
        }
        let last = try #require(answers.last)
        #expect(last.status == 429 && last.code == 55, "\(last)")
        #expect(try await ask(node, for: nil).status == 429)
    }

    @Test(arguments: [false, true]) func `an address has so many connections, a proxy any number`(
        isTrusted: Bool
    ) async throws {
        var shape = NodeShape()
        shape.ins = 0
        shape.isLimited = true
        shape.reil = [("limits.connections", "3")]
        if isTrusted { shape.reil.append(("reil.trusted_proxies", "127.0.0.0/8")) }
        let node = try await TestNode.start(shape)
        var open: [RawConnection] = []
        var answered = 0
        for _ in 0..<12 {
            let connection = try await RawConnection(node.client.address)
            await connection.send("GET /api/time HTTP/1.1\r\nHost: a\r\n\r\n")
            let answer = await connection.receive(until: "\r\n\r\n")
            if answer?.hasPrefix("HTTP/1.1 200") == true { answered += 1 }
            open.append(connection)
        }
        // One may be the client's own, which has asked for health.
        #expect(isTrusted ? answered == 12 : (2...3).contains(answered), "\(answered)")
        #expect(open.count == 12)
    }
}
