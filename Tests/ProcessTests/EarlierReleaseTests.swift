// Foundation: finds the fixture beside the sources.
import API
import Base
import Crypto
import Domain
import Foundation
import Glibc
import HTTP
import Net
import Support
import Testing

/// A node of an earlier program, started by today's: its data folder is kept in
/// `Tests/Fixtures/first-milestone`, with the script that made it.
@Suite struct EarlierReleaseTests {
    private static let fixture =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fixtures/first-milestone").path

    /// A copy of that node, of which nothing runs yet, and what is in it.
    private func kept() async throws -> (node: TestNode, facts: JSONValue) {
        var shape = NodeShape()
        shape.ins = 1
        let node = try TestNode.unstarted(shape)
        let folder = node.folder.path
        let unpacked = TestProcess.run(
            "/bin/tar", ["xzf", Self.fixture + "/data.tar.gz", "-C", folder], in: folder)
        guard unpacked.exit == .code(0) else { throw NeverCame("the fixture: \(unpacked)") }
        let text = TestFolder.text(of: Self.fixture + "/facts.json")
        return (node, try JSONParser.parse(Array(text.utf8)))
    }

    @Test func `a node of the first milestone starts with this program and loses nothing`()
        async throws
    {
        let (node, facts) = try await kept()
        let address = try #require(facts["address"]?.stringValue)
        try await node.start("eta", with: [("node.address", address), ("node.title", "Kept")])
        try await node.start("reil", with: [("reil.gateway", node.address)])
        try await node.start("ins-1")
        try await node.healthy()
        let server = try await node.client.data(.get, "/api/server")
        #expect(server["title"] == "Kept" && server["address"] == .string(address), "\(server)")
        var clients: [String: TypedClient] = [:]
        for user in facts["users"]?.arrayValue ?? [] {
            let name = try #require(user["username"]?.stringValue)
            let login = try await node.client.call(
                AuthAPI.login,
                body: [
                    "username": .string(name), "password": .string(TestUser.password(name)),
                ])
            let client = node.client.with(token: login.token.text)
            clients[name] = client
            let me = try await client.data(.get, "/api/users/@me")
            for key in ["id", "username", "displayname", "email"] {
                #expect(me[key] == user[key], "\(key): \(me)")
            }
            #expect(me["description"] == .string("the \(name)"), "\(me)")
            let image = try await node.client.send(
                .get, "/api/users/\(login.user.user.id)/thumbnail")
            #expect(.string(SHA256.hash(image.body).hex) == user["image"], "\(name)")
        }
        #expect(clients.count == 3)
        for world in facts["worlds"]?.arrayValue ?? [] {
            let id = try #require(world["id"]?.stringValue)
            let owner = try #require(clients[world["owner"]?.stringValue ?? ""])
            let shown = try await owner.data(.get, "/api/worlds/\(id)")
            for key in ["title", "capacity"] { #expect(shown[key] == world[key], "\(shown)") }
            let path = "/api/worlds/\(id)/assets"
            #expect(try await owner.data(.get, path + "?empty=true")["total"] == 2)
            let asset = try #require(world["asset"]?.stringValue)
            let file = try await owner.send(.get, "\(path)/\(asset)/file")
            #expect(.string(SHA256.hash(file.body).hex) == world["file"], "\(file.status)")
            let anybody = try await node.client.send(.get, "/api/worlds/\(id)")
            #expect(anybody.status == (world["private"] == true ? 404 : 200), "\(anybody)")
        }
        let ada = try #require(clients["ada_kept"])
        let me = try await ada.data(.get, "/api/users/@me")
        let ben = try #require(facts["users"]?[1]?["id"]?.stringValue)
        #expect(me["following"] == [.string("\(ben)@\(address)")], "\(me)")
        let friend = try await ada.data(.get, "/api/users/\(ben)")
        #expect(friend["isFriend"] == true, "\(friend)")
        let root = try await node.client.call(
            AuthAPI.login,
            body: ["username": facts["root"] ?? .null, "password": facts["password"] ?? .null])
        #expect(root.user.user.tags.contains(.admin))
        #expect(try await node.eta("invite", "list")[0]?["id"] == facts["invite"])
        // What is new works on what is old.
        let world = try await ada.call(WorldAPI.create, body: ["title": "a new one"])
        #expect(try await node.client.send(.get, "/api/worlds/\(world.id)").status == 200)
        #expect(try await node.eta("check")["problems"] == [])
    }

    /// The number of the newest migration is at byte 60 of the file (SQLite's `user_version`). That a
    /// start leaves it alone, `StartupTests` have.
    @Test func `a database that a newer program has made is copied, and not restored`()
        async throws
    {
        var shape = NodeShape()
        shape.ins = 0
        let node = try await TestNode.start(shape)
        node.process("eta").send(SIGTERM)
        #expect(try await node.process("eta").exit() == .code(0))
        let file = "\(node.data)/eta.sqlite"
        try TestFolder.overwrite(file, at: 60, with: [0, 0, 3, 231])
        let bytes = FileManager.default.contents(atPath: file)
        let target = "\(node.folder.path)/backup"
        #expect(try await node.command(["backup", target]).exit == .code(0))
        let restored = try await node.command(
            ["restore", target], data: "\(node.folder.path)/other")
        #expect(restored.exit == .code(1) && restored.log.contains("schema 999"), "\(restored)")
        #expect(FileManager.default.contents(atPath: file) == bytes)
        #expect(try await node.command(["doctor"]).output.contains("999"))
        node.leavesDamage(because: "nobody knows its schema")
    }
}
