import API
import Base
import Crypto
import HTTP
import Support
import Testing

/// Other nodes as administrators see them, and how one is forgotten: `/api/nodes`.
struct KnownNodesTests {
    @Test func `administrators see the nodes that are known, in pages`() async throws {
        let node = try await TestNode.start()
        let (root, user) = (try await node.administrator(), try await node.user())
        for (method, target) in [
            (.get, "/api/nodes"), (.get, "/api/nodes/b.example"), (.delete, "/api/nodes/b.example"),
        ] as [(Method, String)] {
            #expect(try await user.client.send(method, target).code == 4, "\(target)")
            #expect(try await node.client.send(method, target).code == 3, "\(target)")
        }
        #expect(
            try await root.client.data(.get, "/api/nodes") == [
                "items": [], "next": nil, "total": 0,
            ])
        let peers = [try FakePeer.start(), try FakePeer.start(), try FakePeer.start()]
        for peer in peers {
            _ = try await user.client.send(.get, "/api/worlds?server=\(peer.address)")
        }
        var seen: [String] = []
        var target = "/api/nodes?limit=1"
        for _ in peers {
            let page = try await root.client.data(.get, target)
            #expect(page["total"] == 3, "\(page)")
            seen += (page["items"]?.arrayValue ?? []).compactMap { $0["address"]?.stringValue }
            guard let next = page["next"]?.stringValue else { break }
            target = "/api/nodes?limit=1&after=\(next)"
        }
        #expect(seen == peers.map(\.address).sorted())
        let peer = peers[1]
        let found = try await root.client.data(.get, "/api/nodes?q=\(peer.address)")
        #expect(found["total"] == 1, "\(found)")
        let known = try await root.client.data(.get, "/api/nodes/\(peer.address)")
        #expect(found["items"]?[0] == known)
        #expect(known["secure"] == false && known["error"] == .null, "\(known)")
        #expect(known["gateway"]?["address"] == .string(peer.address), "\(known)")
        #expect(known["keys"]?.arrayValue?.count == 1, "\(known)")
        #expect(
            known["keys"]?[0]?["key"] == .string(peer.key.publicKey.base64URL), "\(known)")
        for target in ["/api/nodes/b.example", "/api/nodes/no%20node"] {
            for method in [.get, .delete] as [Method] {
                let answer = try await root.client.send(method, target)
                #expect(answer.status == 404 && answer.code == 5, "\(method) \(target): \(answer)")
            }
        }
    }

    @Test func `challenges go by their older spelling as well`() async throws {
        let node = try await Shared.plain.get()
        let peer = try FakePeer.start()
        let challenge = try await peer.challenge(at: node)
        let path = "/api/chalnges/\(challenge.id)"
        let proof = try peer.proof(challenge, for: node.address)
        let proved = try await node.client.send(.post, path, proof)
        #expect(proved.status == 200, "\(proved)")
        let token = try #require(proved.data?["token"]?.stringValue)
        let fetched = try await peer.send(.get, path, to: node, token: token)
        #expect(fetched.status == 200 && fetched.data?["state"] == "proved", "\(fetched)")
        #expect(try await node.client.send(.get, path).code == 3)
        #expect(try await peer.send(.delete, path, to: node, token: token).status == 200)
        #expect(try await peer.send(.get, path, to: node, token: token).code == 3)
        let wrong = try await node.client.send(.put, path, [:])
        #expect(wrong.status == 405 && wrong.code == 2, "\(wrong)")
    }

    /// The way back for a node that lost its keys, and whose new ones nobody vouches for.
    @Test func `a forgotten node is met again as if for the first time, and its token is dead`()
        async throws
    {
        let node = try await TestNode.start()
        let (root, user) = (try await node.administrator(), try await node.user())
        let peer = try FakePeer.start()
        let target = "/api/nodes/\(peer.address)"
        let id = FakePeer.id("u")
        peer.on("GET /api/users/\(id)", data: peer.user(id))
        func read() async throws -> Answer {
            try await user.client.send(.get, "/api/users/\(id)@\(peer.address)")
        }
        #expect(try await read().status == 200)
        let token = try await peer.token(at: node)
        #expect(try await peer.send(.get, "/api/challenges", to: node, token: token).status == 200)
        let before = try await root.client.data(.get, target)
        // Another key, and a gateway that has to read the document again.
        let key = Ed25519PrivateKey.generate()
        peer.publish(peer.document(signedBy: key))
        node.process("reil").kill()
        try await node.start("reil")
        try await node.healthy()
        let refused = try await read()
        #expect(refused.code == 5, "\(refused)")
        let waiting = try await root.client.data(.get, target)
        #expect(waiting["error"]?["code"] == 5 && waiting["keys"]?.arrayValue?.count == 2)
        #expect(waiting["error"]?["message"]?.stringValue?.isEmpty == false, "\(waiting)")
        #expect(waiting["error"]?["at"]?.integerValue ?? 0 > 0, "\(waiting)")
        #expect(waiting["seen_at"] == before["seen_at"], "\(before) \(waiting)")

        #expect(try await root.client.send(.delete, target).status == 200)
        #expect(try await root.client.send(.get, target).code == 5)
        #expect(try await root.client.send(.delete, target).code == 5)
        let dead = try await peer.send(.get, "/api/challenges", to: node, token: token)
        #expect(dead.status == 401 && dead.code == 3, "\(dead)")
        let again = try await read()
        #expect(again.status == 200, "\(again)")
        let known = try await root.client.data(.get, target)
        #expect(known["error"] == .null && known["keys"]?.arrayValue?.count == 1, "\(known)")
        #expect(known["keys"]?[0]?["key"] == .string(key.publicKey.base64URL), "\(known)")
    }
}
