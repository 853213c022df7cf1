import API
import Base
import Domain
import HTTP
import Support
import Testing

/// Somebody else holds the node's database: what writes is put off with a word when to come again,
/// what reads goes on, and nothing is lost.
@Suite struct BusyTests {
    @Test func `what has to be written is put off, whichever way it comes`() async throws {
        let node = try await TestNode.start()
        let (user, peer) = (try await node.user(), try FakePeer.start())
        let token = try await peer.token(at: node)
        let world = try await user.client.call(WorldAPI.create, body: ["title": "before"])
        let target = "/api/worlds/\(world.id)"

        let hand = try SecondHand(node)
        try hand.hold()
        // Passed on to Eta; and asked of Eta by Reil, which has to remember a nonce.
        async let changed = user.client.send(.post, target, ["title": "after"])
        async let signed = peer.send(.get, "/api/challenges", to: node, token: token)
        let read = try await user.client.send(.get, target)
        #expect(read.data?["title"] == "before", "\(read)")
        for answer in [try await changed, try await signed] {
            #expect(answer.status == 503 && answer.code == 70, "\(answer)")
            #expect(answer["Retry-After"].flatMap { Int($0) } ?? 0 > 0, "\(answer)")
        }
        try hand.letGo()
        let again = try await user.client.send(.post, target, ["title": "after"])
        #expect(again.status == 200 && again.data?["title"] == "after", "\(again)")
        #expect(try await peer.send(.get, "/api/challenges", to: node, token: token).status == 200)
    }
}
