import API
import Base
import Crypto
import Domain
import HTTP
import Support
import Testing

/// What another node may try, each refused with the code of docs/client/errors.md.
@Suite struct AttackTests {
    /// A peer with a server token, and a body by which it vouches for a user of its own.
    private func peer(_ node: TestNode) async throws -> (FakePeer, String) {
        let peer = try FakePeer.start()
        return (peer, try await peer.token(at: node))
    }

    private func vouching(_ peer: String) -> JSONValue {
        let id = EndpointFacts.unknown("u")
        return [
            "user": .string("\(id)@\(peer)"),
            "profile": [
                "id": .string(id), "username": "visitor", "displayname": "A visitor",
                "server": .string(peer), "created_at": 1, "updated_at": 1,
            ],
        ]
    }

    @Test func `a peer that proves its address may vouch for its users`() async throws {
        let node = try await Shared.plain.get()
        let (peer, token) = try await peer(node)
        let answer = try await peer.send(
            .put, "/api/integrity", vouching(peer.address), to: node, token: token)
        #expect(answer.status == 201, "\(answer)")
    }

    @Test func `a request that is not signed, or not as it is sent, is refused`() async throws {
        let node = try await Shared.plain.get()
        let (peer, token) = try await peer(node)
        let body = vouching(peer.address)
        var flaws: [(String, FakePeer.Flaw)] = []
        func flaw(_ name: String, _ change: (inout FakePeer.Flaw) -> Void) {
            var flaw = FakePeer.Flaw()
            change(&flaw)
            flaws.append((name, flaw))
        }
        flaw("unsigned") { $0.isUnsigned = true }
        flaw("another key") { $0.key = Ed25519PrivateKey.generate() }
        flaw("another method") { $0.method = "POST" }
        flaw("another path") { $0.path = "/api/users" }
        flaw("another node") { $0.authority = "127.0.0.1:1" }
        flaw("another body") { $0.body = Array("{}".utf8) }
        flaw("an old one") { $0.clock = .seconds(-200) }
        flaw("one of tomorrow") { $0.clock = .seconds(200) }
        flaw("a short nonce") { $0.nonce = [1, 2, 3] }
        for (name, flaw) in flaws {
            let answer = try await peer.send(
                .put, "/api/integrity", body, to: node, token: token, flaw: flaw)
            #expect(answer.status == 401 && answer.code == 60, "\(name): \(answer)")
        }
    }

    @Test func `a captured request is of no use, also after a restart of the gateway`()
        async throws
    {
        var shape = NodeShape()
        shape.ins = 0
        let node = try await TestNode.start(shape)
        let (peer, token) = try await peer(node)
        var flaw = FakePeer.Flaw()
        flaw.nonce = SystemRandom().bytes(16)
        let body = vouching(peer.address)
        let first = try await peer.send(
            .put, "/api/integrity", body, to: node, token: token, flaw: flaw)
        #expect(first.status == 201, "\(first)")
        let second = try await peer.send(
            .put, "/api/integrity", body, to: node, token: token, flaw: flaw)
        #expect(second.code == 60, "\(second)")
        for name in ["reil", "eta"] {
            node.process(name).kill()
            try await node.start(name)
            try await node.healthy()
        }
        let third = try await Eventually.get("an answer of the whole node") { status in
            let answer = try await peer.send(
                .put, "/api/integrity", body, to: node, token: token, flaw: flaw)
            status.text = "\(answer)"
            return answer.code == 70 ? nil : answer
        }
        #expect(third.code == 60, "\(third)")
    }

    @Test func `a server token without its marker, or in other hands, is refused`() async throws {
        let node = try await Shared.plain.get()
        let (peer, token) = try await peer(node)
        let marked = try await node.client.with(token: token, agent: "AVR(User)").send(
            .get, "/api/challenges")
        #expect(marked.code == 54, "\(marked)")
        // Another node that got hold of it signs with its own key.
        let (thief, _) = try await self.peer(node)
        let stolen = try await thief.send(
            .put, "/api/integrity", vouching(peer.address), to: node, token: token)
        #expect(stolen.code == 60, "\(stolen)")
    }

    @Test func `a challenge answered with another node's key fails, and is spent`() async throws {
        let node = try await Shared.plain.get()
        let (peer, other) = (try FakePeer.start(), try FakePeer.start())
        let challenge = try await peer.challenge(at: node)
        let proof = try peer.proof(challenge, for: node.address, by: other.key)
        let answer = try await node.client.send(
            .post, "/api/challenges/\(challenge.id)", proof)
        #expect(answer.status == 401 && answer.code == 60, "\(answer)")
        let late = try await node.client.send(
            .post, "/api/challenges/\(challenge.id)",
            try peer.proof(challenge, for: node.address))
        #expect(late.status == 404 && late.code == 59, "\(late)")
    }

    @Test func `a proof that was meant for another node is worthless`() async throws {
        let (node, other) = (try await Shared.plain.get(), try await Shared.other.get())
        let peer = try FakePeer.start()
        let challenge = try await peer.challenge(at: node)
        let answer = try await node.client.send(
            .post, "/api/challenges/\(challenge.id)",
            try peer.proof(challenge, for: other.address))
        #expect(answer.code == 60, "\(answer)")
    }

    @Test func `a claimed address must be the asker's`() async throws {
        let node = try await Shared.plain.get()
        let (peer, victim) = (try FakePeer.start(), try FakePeer.start())
        // The victim's address with the attacker's key.
        let challenge = try await peer.challenge(at: node, claiming: victim.address)
        let answer = try await node.client.send(
            .post, "/api/challenges/\(challenge.id)",
            try peer.proof(challenge, for: node.address))
        #expect(answer.status == 401 && answer.code == 60, "\(answer)")
        // A document that says that it is somebody else's, and one that nobody signed.
        let liar = try FakePeer.start()
        liar.publish(liar.document(of: victim.address))
        let lied = try await node.client.send(
            .put, "/api/challenges", ["server": .string(liar.address)])
        #expect(lied.code == 8, "\(lied)")
        let broken = try FakePeer.start()
        broken.publish(Array("{}".utf8))
        let none = try await node.client.send(
            .put, "/api/challenges", ["server": .string(broken.address)])
        #expect(none.code == 5, "\(none)")
    }

    @Test func `nobody vouches for a user of a third node`() async throws {
        let (node, third) = (try await Shared.plain.get(), try await Shared.other.get())
        let (peer, token) = try await peer(node)
        let answer = try await peer.send(
            .put, "/api/integrity", vouching(third.address), to: node, token: token)
        #expect(answer.status == 403 && answer.code == 41, "\(answer)")
        // Nor for one of the node itself.
        let user = try await node.user()
        let own = try await peer.send(
            .put, "/api/integrity", ["user": .string(user.reference)], to: node, token: token)
        #expect(own.code == 41, "\(own)")
    }

    @Test func `an integrity token counts where it was given and nowhere else`() async throws {
        let (node, home) = (try await Shared.plain.get(), try await Shared.other.get())
        let guest = try await home.user()
        let grant = try await guest.integrity(at: node)
        let token = try #require(grant.token)
        let there = try await node.client.with(token: token.text).send(.get, "/api/integrity")
        #expect(there.status == 200, "\(there)")
        let elsewhere = try await home.client.with(token: token.text).send(.get, "/api/integrity")
        #expect(elsewhere.code == 3, "\(elsewhere)")
        // The end of the session at home ends it.
        try await guest.client.data(.delete, "/api/auth/logout")
        try await Eventually.holds("the end of a grant") { status in
            let answer = try await node.client.with(token: token.text).send(
                .get, "/api/integrity")
            status.text = "\(answer)"
            return answer.code == 3
        }
    }

    /// Eta is asked about a credential that nobody has seen, and a signature costs arithmetic and a
    /// nonce: neither has a caller yet by whom it could be counted.
    @Test func `what nobody has proved yet is counted by the address that sends it`() async throws {
        var shape = NodeShape()
        shape.ins = 0
        shape.isLimited = true
        shape.reil = [
            ("limits.requests", "1"), ("limits.requests_burst", "8"),
            ("limits.server_requests", "1"), ("limits.server_requests_burst", "4"),
        ]
        let node = try await TestNode.start(shape)
        let (peer, token) = try await peer(node)
        var flaw = FakePeer.Flaw()
        flaw.key = Ed25519PrivateKey.generate()
        var codes: [Int?] = []
        for _ in 0..<8 {
            let answer = try await peer.send(
                .put, "/api/integrity", vouching(peer.address), to: node, token: token, flaw: flaw)
            codes.append(answer.code)
        }
        #expect(codes.first == 60 && codes.last == 55, "\(codes)")
        #expect(codes.filter { $0 == 55 }.count >= 2, "\(codes)")

        codes = []
        for _ in 0..<16 {
            let made = "avr_s_" + Base64.encodeURL(SystemRandom().bytes(32))
            codes.append(try await node.client.with(token: made).send(.get, "/api/time").code)
        }
        #expect(codes.last == 55 && Set(codes) == [3, 55], "\(codes)")
    }

    @Test func `what lies in networks that are not public is not asked`() async throws {
        let node = try await Shared.plain.get()
        for address in ["10.0.0.1:8080", "169.254.169.254:8080", "[::1]:9999", "127.0.0.1:22"] {
            let answer = try await node.client.send(
                .put, "/api/challenges", ["server": .string(address)])
            #expect(answer.status == 403 && answer.code == 61, "\(address): \(answer)")
        }
    }
}
