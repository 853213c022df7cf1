import API
import Base
import Domain
import HTTP
import Support
import Testing

/// How another node is found, which of its gateways is asked, and when it is left alone,
/// docs/federation §2, §3 and §6.
@Suite struct AbroadNodeTests {
    private func read(_ address: String) async throws -> Answer {
        let place = try await AbroadTests.Place()
        return try await place.read("/api/users/\(FakePeer.id("u"))@\(address)")
    }

    @Test func `a node that cannot be found, or may not be asked, has a code for each reason`()
        async throws
    {
        let closed = try await read("127.0.0.1:\(FreePort.next())")
        #expect(closed.status == 504 && closed.code == 6, "\(closed)")
        for address in ["10.0.0.1:8080", "169.254.169.254:8080", "[::1]:9999", "127.0.0.1:22"] {
            let answer = try await read(address)
            #expect(answer.status == 403 && answer.code == 61, "\(address): \(answer)")
        }
        for document in ["{}", "no JSON", String(repeating: " ", count: 2 << 20)] {
            let peer = try FakePeer.start()
            peer.publish(Array(document.utf8))
            let answer = try await read(peer.address)
            #expect(answer.status == 404 && answer.code == 5, "\(answer)")
            // Failures are remembered too: who asks again at once does not ask the peer.
            #expect(try await read(peer.address).code == 5)
            #expect(peer.asked.count == 1, "\(peer.asked)")
        }
        let missing = try FakePeer.start()
        missing.on("GET \(ServerAPI.DiscoveryPath.template)") { _ in Response(status: .notFound) }
        let none = try await read(missing.address)
        #expect(none.status == 404 && none.code == 5, "\(none)")
        let liar = try FakePeer.start()
        liar.publish(liar.document(of: "127.0.0.1:9"))
        let other = try await read(liar.address)
        #expect(other.status == 502 && other.code == 8, "\(other)")
    }

    @Test func `a node that takes the request and says nothing is given up in seconds`()
        async throws
    {
        let place = try await AbroadTests.Place()
        let (id, barrier) = (FakePeer.id("u"), Barrier())
        place.peer.on("GET /api/users/\(id)") { _ in
            try? await barrier.wait()
            return Response(status: .noContent)
        }
        let answer = try await place.read("/api/users/\(id)@\(place.peer.address)")
        barrier.open()
        #expect(answer.status == 504 && answer.code == 6, "\(answer)")
    }

    @Test func `a gateway that the document names is gone over to, and kept to`() async throws {
        let place = try await AbroadTests.Place()
        let (peer, gateway) = (place.peer, try FakePeer.start())
        peer.publish(peer.document(further: [gateway.address]))
        let moved: JSONValue = ["secure": false, "address": .string(gateway.address)]
        let (first, second) = (FakePeer.id("u"), FakePeer.id("u"))
        peer.on("GET /api/users/\(first)") { _ in FakePeer.refusal(10, redirect: moved) }
        for id in [first, second] { gateway.on("GET /api/users/\(id)", data: peer.user(id)) }
        for id in [first, second] {
            let answer = try await place.read("/api/users/\(id)@\(peer.address)")
            #expect(answer.status == 200, "\(answer)")
            #expect(gateway.count(of: "GET /api/users/\(id)") == 1)
        }
        #expect(peer.count(of: "GET /api/users/\(second)") == 0, "\(peer.asked)")
        let (world, asset) = (FakePeer.id("w"), FakePeer.id("f"))
        let file = "/api/worlds/\(world)/assets/\(asset)/file"
        let sent = try await place.read("\(file)?server=\(peer.address)")
        #expect(sent["Location"] == "http://\(gateway.address)\(file)", "\(sent.fields)")
    }

    @Test func `gateways that send a request to and fro are asked once each`() async throws {
        let place = try await AbroadTests.Place()
        let (peer, gateway) = (place.peer, try FakePeer.start())
        peer.publish(peer.document(further: [gateway.address]))
        let id = FakePeer.id("u")
        for (here, there) in [(peer, gateway), (gateway, peer)] {
            let target: JSONValue = ["secure": false, "address": .string(there.address)]
            here.on("GET /api/users/\(id)") { _ in FakePeer.refusal(10, redirect: target) }
        }
        let answer = try await place.read("/api/users/\(id)@\(peer.address)")
        #expect(answer.status == 502 && answer.code == 9, "\(answer)")
        for asked in [peer, gateway] { #expect(asked.count(of: "GET /api/users/\(id)") == 1) }
    }

    @Test func `a node that failed five times is left alone until it is heard of`() async throws {
        let place = try await AbroadTests.Place()
        let (node, peer) = (place.node, place.peer)
        let proxy = FaultProxy(to: FakePeer.address(peer.address).port)
        let address = "\(proxy.address)"
        peer.publish(peer.document(of: address))
        let token = try await peer.token(at: node, claiming: address)
        func read() async throws -> Answer {
            let id = FakePeer.id("u")
            peer.on("GET /api/users/\(id)", data: peer.user(id, ["server": .string(address)]))
            return try await place.read("/api/users/\(id)@\(address)")
        }
        #expect(try await read().status == 200)
        proxy.become(.broken)
        for _ in 0..<5 {
            let answer = try await read()
            #expect(answer.status == 504 && answer.code == 6, "\(answer)")
        }
        // It could be reached again, and is not asked.
        proxy.become(.clear)
        let before = peer.asked.count
        let rested = try await read()
        #expect(rested.status == 504 && rested.code == 6, "\(rested)")
        #expect(peer.asked.count == before, "\(peer.asked)")
        let heard = try await peer.send(.get, "/api/challenges", to: node, token: token)
        #expect(heard.status == 200, "\(heard)")
        let again = try await read()
        #expect(again.status == 200, "\(again)")
    }
}
