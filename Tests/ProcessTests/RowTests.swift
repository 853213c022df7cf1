import API
import Base
import HTTP
import Support
import Testing

/// Rows of the contract that no story comes by.
@Suite struct RowTests {
    @Test func `an asset is changed, and one that is not there is not found`() async throws {
        let node = try await Shared.plain.get()
        let (owner, other) = (try await node.user(), try await node.user())
        let world = try await owner.world()
        let made = try await owner.client.data(
            .put, "/api/worlds/\(world)/assets",
            ["version": "1", "engine": "unity", "platform": "linux"])
        let id = try #require(made["id"]?.stringValue)
        let path = "/api/worlds/\(world)/assets/\(id)"
        #expect(try await other.client.send(.post, path, ["version": "2"]).code == 4)
        let changed = try await owner.client.data(.post, path, ["version": "2"])
        #expect(changed["version"] == "2" && changed["engine"] == "unity", "\(changed)")
        #expect(try await owner.client.data(.get, path)["version"] == "2")
        #expect(try await owner.client.send(.delete, path).status == 200)
        for method in [Method.get, .post, .delete] {
            let answer = try await owner.client.send(method, path, method == .post ? [:] : nil)
            #expect(answer.status == 404 && answer.code == 27, "\(method.name): \(answer)")
        }
    }

    @Test func `a challenge is looked at and revoked by its node and by administrators`()
        async throws
    {
        let node = try await Shared.plain.get()
        let administrator = try await node.administrator()
        let (peer, stranger) = (try FakePeer.start(), try FakePeer.start())
        let token = try await peer.token(at: node)
        let strange = try await stranger.token(at: node)
        let list = try await peer.send(.get, "/api/challenges", to: node, token: token)
        let id = try #require(list.data?["items"]?[0]?["id"]?.stringValue, "\(list)")
        let path = "/api/challenges/\(id)"
        let own = try await peer.send(.get, path, to: node, token: token)
        #expect(own.data?["state"] == "proved" && own.data?["server"] == .string(peer.address))
        #expect(try await administrator.client.data(.get, path)["id"] == .string(id))
        for method in [Method.get, .delete] {
            let refused = try await stranger.send(method, path, to: node, token: strange)
            #expect(refused.status == 404 && refused.code == 59, "\(refused)")
        }
        #expect(try await administrator.client.send(.delete, path).status == 200)
        let after = try await peer.send(.get, path, to: node, token: token)
        #expect(after.code == 3, "\(after)")
        #expect(try await administrator.client.data(.get, path)["state"] == "revoked")
    }

    @Test func `without an instance server there is no instance`() async throws {
        var shape = NodeShape()
        shape.ins = 0
        let node = try await TestNode.start(shape)
        let owner = try await node.user()
        let answer = try await owner.client.send(
            .put, "/api/instances", ["world": .string(try await owner.world())])
        #expect(answer.status == 503 && answer.code == 66, "\(answer)")
        let list = try await node.client.data(.get, "/api/instances")
        #expect(list["total"] == 0, "\(list)")
    }
}
