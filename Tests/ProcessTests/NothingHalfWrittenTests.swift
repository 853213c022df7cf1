import API
import Base
import Domain
import HTTP
import Net
import Support
import Testing

/// What is refused leaves nothing behind: the node is asked for all that it has before and after.
@Suite struct NothingHalfWrittenTests {
    /// Somebody with one of everything, on a node of their own.
    private struct Place {
        let node: TestNode
        let administrator: TestUser
        let peer: FakePeer
        let serverToken: String
        let world: String
        let asset: String
        let instance: String

        static let shared = Once { try await Place() }

        init() async throws {
            var shape = NodeShape()
            shape.eta = [("instances.empty_grace", "1h")]
            node = try await TestNode.start(shape)
            administrator = try await node.administrator()
            peer = try FakePeer.start()
            serverToken = try await peer.token(at: node)
            let client = administrator.client
            let made = try await client.call(WorldAPI.create, body: ["title": "whole"])
            world = "\(made.id)"
            let added = try await client.call(
                WorldAPI.createAsset, world,
                body: ["version": "1", "engine": "unity", "platform": "linux"])
            asset = "\(added.id)"
            let file = try await client.send(
                .post, "/api/worlds/\(world)/assets/\(asset)/file",
                bytes: .bytes(Array("a file".utf8)),
                fields: [("Content-Type", "application/octet-stream")])
            #expect(file.status == 200, "\(file)")
            let opened = try await client.data(
                .put, "/api/instances", ["world": .string(world)])
            instance = opened["id"]?.stringValue ?? ""
        }

        /// A path to what there is, where the template names something that there is.
        func target(_ row: EndpointFacts) -> String {
            row.target(
                row.kinds.map { kind in
                    switch kind {
                    case "u": administrator.id
                    case "w": world
                    case "f": asset
                    case "i": instance
                    case _: EndpointFacts.unknown(kind)
                    }
                })
        }

        /// All that can be asked for of what there is, and the files on the disk.
        func all() async throws -> [String] {
            var all: [String] = []
            for target in [
                "/api/users", "/api/worlds", "/api/instances", "/api/users/@me",
                "/api/worlds/\(world)", "/api/worlds/\(world)/assets", "/api/instances/\(instance)",
                "/api/auth/sessions", "/api/challenges", "/api/integrity",
            ] {
                let answer = try await administrator.client.send(.get, target)
                var data = answer.data?.objectValue ?? JSONObject()
                // Being used is no change.
                for key in ["last_used_at", "expires_at", "connected"] { data[key] = nil }
                all.append("\(target) \(answer.status) \(data["total"] ?? .object(data))")
            }
            return all + node.folder.files(below: "data/files")
        }
    }

    @Test func `bad bodies for what there is change nothing`() async throws {
        let place = try await Place.shared.get()
        let before = try await place.all()
        for row in AllEndpoints.all where row.takesJSON {
            let target = place.target(row)
            let properties = row.bodySchema?["properties"]?.objectValue ?? JSONObject()
            for value: JSONValue in [
                7_000_000_000_000, .string(String(repeating: "x", count: 5_000)), [[]], ["no": 1],
            ] {
                // Each field wrong by itself, all others left out.
                for key in properties.keys {
                    let answer = try await place.administrator.client.send(
                        row.method, target, .object([key: value]))
                    #expect(
                        (400..<500).contains(answer.status), "\(row.name) \(key): \(answer)")
                }
            }
        }
        #expect(try await place.all() == before)
    }

    @Test func `what a node says without sense is refused, and nothing is kept of it`()
        async throws
    {
        let place = try await Place.shared.get()
        let before = try await place.all()
        let reference = "\(EndpointFacts.unknown("u"))@\(place.peer.address)"
        for body: JSONValue in [
            [:], [], "text", 1, .null, ["user": 1], ["user": "nobody"],
            ["user": .string(reference)], ["user": .string(reference), "profile": [:]],
            ["user": .string(reference), "profile": "text"],
            [
                "user": .string(reference),
                "profile": ["id": 1, "username": [], "displayname": [:], "server": .null],
            ],
        ] {
            let answer = try await place.peer.send(
                .put, "/api/integrity", body, to: place.node, token: place.serverToken)
            // Without a profile it is asked for one, and has none (8).
            #expect(
                (400..<500).contains(answer.status) || answer.code == 8, "\(body): \(answer)")
            #expect(answer.status != 401, "\(body): \(answer)")
        }
        #expect(try await place.all() == before)
    }

    @Test func `bad values of a query are named, on paths with ids too`() async throws {
        let place = try await Place.shared.get()
        var count = 0
        for row in AllEndpoints.all where row.method == .get && row.captureCount > 0 {
            for parameter in row.parameters where !parameter.inPath {
                let value = parameter.name == "q" ? String(repeating: "x", count: 3_000) : "!!"
                let answer = try await place.administrator.client.send(
                    .get, "\(place.target(row))?\(parameter.name)=\(value)")
                #expect(
                    answer.status == 400 && answer.problems == [parameter.name],
                    "\(row.name) \(parameter.name): \(answer)")
                count += 1
            }
        }
        #expect(count > 3)
    }

    @Test func `a file that is not what its fields say leaves the one that was there`()
        async throws
    {
        let place = try await Place.shared.get()
        let before = try await place.all()
        let path = "/api/worlds/\(place.world)/assets/\(place.asset)/file"
        let form = "multipart/form-data; boundary=b"
        let tries: [(String, [(String, String)])] = [
            ("other", [("Content-Range", "bytes 0-4/nonsense")]),
            ("other", [("Content-Range", "bytes 4-0/5")]),
            ("other", [("Content-Range", "bytes 0-9/10")]),
            ("other", [("Content-Range", "lines 0-4/5")]),
            ("other", [("Content-Range", "bytes 99999999999999999999-1/2")]),
            ("other", [("Content-Digest", "sha-256=:AAAA:")]),
            ("other", [("Content-Digest", "sha-256=nonsense")]),
            ("other", [("Content-Digest", "sha-256=:\(String(repeating: "A", count: 43))=:")]),
            ("", []),
            ("other", [("Content-Type", form)]),
            ("--b\r\n\r\nother", [("Content-Type", form)]),
            ("--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--", [("Content-Type", form)]),
            ("--b\r\nno colon\r\n\r\nx\r\n--b--\r\n", [("Content-Type", form)]),
            ("other", [("Content-Type", "multipart/form-data")]),
        ]
        for (body, fields) in tries {
            let type =
                fields.contains { $0.0 == "Content-Type" }
                ? [] : [("Content-Type", "application/octet-stream")]
            let answer = try await place.administrator.client.send(
                .post, path, bytes: .bytes(Array(body.utf8)), fields: fields + type)
            #expect((400..<500).contains(answer.status), "\(body) \(fields): \(answer)")
            #expect(answer.code != nil, "\(body) \(fields): \(answer)")
        }
        #expect(try await place.all() == before)
        let file = try await place.node.client.send(.get, path)
        #expect(file.text == "a file", "\(file)")
    }
}
