import API
import Base
import Crypto
import Domain
import HTTP
import Net
import Support
import Testing

/// How much a node keeps: quotas, the disk's floor, and what is swept, on real processes.
@Suite struct StorageTests {
    private let binary = [("Content-Type", "application/octet-stream")]
    private let png = [("Content-Type", "image/png")]

    private func node(_ settings: [(String, String)] = []) async throws -> TestNode {
        var shape = NodeShape()
        shape.ins = 0
        shape.eta = settings
        return try await TestNode.start(shape)
    }

    private func asset(_ user: TestUser, version: String = "1") async throws -> String {
        let world = try await user.client.call(WorldAPI.create, body: ["title": "files"])
        let asset = try await user.client.call(
            WorldAPI.createAsset, "\(world.id)",
            body: ["version": .string(version), "engine": "unity", "platform": "linux"])
        return "/api/worlds/\(world.id)/assets/\(asset.id)/file"
    }

    private func send(_ user: TestUser, _ path: String, _ size: Int64) async throws -> Answer {
        try await user.client.send(
            .post, path, bytes: .stream(MadeUpBody(size), length: size), fields: binary)
    }

    /// The floor is above what any disk has, so that nothing has to be filled.
    @Test func `below the disk's floor uploads get 68, leave nothing, and all else goes on`()
        async throws
    {
        let node = try await node()
        let user = try await node.user()
        let path = try await asset(user)
        #expect(try await send(user, path, 300_000).status == 200)
        let hash = MadeUpBody.digest(500_000).hex
        let begun = try await user.client.send(
            .post, path + "?hash=\(hash)", bytes: .stream(MadeUpBody(100_000), length: 100_000),
            fields: binary + [("Content-Range", "bytes 0-99999/500000")])
        #expect(begun.data?["received"] == 100_000, "\(begun)")
        let before = node.folder.files(below: "data/files")
        try await node.restartEta(with: [("files.free_floor", "1024TiB")])
        let image = PNGSample.image(more: [1])
        let tries: [(String, [(String, String)], @Sendable () -> ClientBody)] = [
            (path, binary, { .stream(MadeUpBody(1_000), length: 1_000) }),
            (path, binary, { .stream(MadeUpBody(1_000), length: nil) }),
            (path, binary, { .stream(MadeUpBody(2_000_000), length: nil) }),
            ("/api/users/@me/thumbnail", png, { .bytes(image) }),
            ("/api/users/@me/banner", png, { .bytes(image) }),
        ]
        for (target, fields, body) in tries {
            // A body that is on its way over a connection to the Eta before is not sent twice (70).
            let answer = try await Eventually.get("an answer") { status in
                let answer = try await user.client.send(
                    .post, target, bytes: body(), fields: fields)
                status.text = "\(answer)"
                return answer.code == 70 ? nil : answer
            }
            #expect(answer.status == 507 && answer.code == 68, "\(target): \(answer)")
        }
        let rest = try await user.client.send(
            .post, path + "?hash=\(hash)",
            bytes: .stream(MadeUpBody(500_000, from: 100_000), length: 400_000),
            fields: binary + [("Content-Range", "bytes 100000-499999/500000")])
        #expect(rest.code == 68, "\(rest)")
        #expect(node.folder.files(below: "data/files") == before)
        // All else goes on: accounts, worlds, assets without a file, downloads, deletion.
        let other = try await node.user()
        _ = try await asset(other)
        #expect(try await other.again().client.send(.get, "/api/users/@me").status == 200)
        let file = try await node.client.send(.get, path)
        #expect(file.status == 200 && file.body.count == 300_000)
        let asset = String(path.dropLast("/file".count))
        #expect(try await user.client.send(.delete, asset).status == 200)
        let after = node.folder.files(below: "data/files")
        #expect(after.filter { !$0.contains("parts/") }.isEmpty, "\(after)")
    }

    @Test func `who has as many bytes as the quota allows gets 68 for more, and others do not`()
        async throws
    {
        let node = try await node([("files.user_quota", "1MiB")])
        let (user, other) = (try await node.user(), try await node.user())
        let (first, second) = (try await asset(user), try await asset(user))
        #expect(try await send(user, first, 700_000).status == 200)
        let files = node.folder.files(below: "data/files")
        for length: Int64? in [600_000, nil] {
            let answer = try await user.client.send(
                .post, second, bytes: .stream(MadeUpBody(600_000), length: length), fields: binary)
            #expect(answer.status == 507 && answer.code == 68, "\(answer)")
            #expect(answer.problems == ["file"], "\(answer)")
        }
        #expect(node.folder.files(below: "data/files") == files)
        // What replaces what is there counts instead of it, and identical bytes count once.
        #expect(try await send(user, first, 900_000).status == 200)
        #expect(try await send(user, first, 400_000).status == 200)
        #expect(try await send(user, second, 400_000).status == 200)
        #expect(try await send(user, try await asset(user), 600_000).status == 200)
        let full = try await user.client.send(
            .post, "/api/users/@me/thumbnail", bytes: .bytes(PNGSample.image(more: [7])),
            fields: png)
        #expect(full.status == 200, "\(full)")
        // Others pay for the same bytes, too, and have a quota of their own.
        #expect(try await send(other, try await asset(other), 600_000).status == 200)
        #expect(try await send(other, try await asset(other), 400_000).status == 200)
        let beyond = try await send(other, try await asset(other), 200_000)
        #expect(beyond.code == 68, "\(beyond)")
    }

    @Test func `what is begun and left counts, too, until it is swept`() async throws {
        let node = try await node([("files.user_quota", "1MiB"), ("files.sweep", "200ms")])
        let user = try await node.user()
        let (first, second) = (try await asset(user), try await asset(user))
        let hash = MadeUpBody.digest(900_000).hex
        let begun = try await user.client.send(
            .post, first + "?hash=\(hash)", bytes: .stream(MadeUpBody(500_000), length: 500_000),
            fields: binary + [("Content-Range", "bytes 0-499999/900000")])
        #expect(begun.data?["received"] == 500_000, "\(begun)")
        #expect(try await send(user, second, 700_000).code == 68)
        // The part's own upload is no rival of itself.
        let rest = try await user.client.send(
            .post, first + "?hash=\(hash)",
            bytes: .stream(MadeUpBody(900_000, from: 500_000), length: 400_000),
            fields: binary + [("Content-Range", "bytes 500000-899999/900000")])
        #expect(rest.status == 200, "\(rest)")
    }

    @Test func `the node keeps no more than its own quota, whoever sends it`() async throws {
        let node = try await node([("files.node_quota", "1MiB"), ("files.user_quota", "")])
        let (user, other) = (try await node.user(), try await node.user())
        let first = try await asset(user)
        #expect(try await send(user, first, 700_000).status == 200)
        let beyond = try await send(other, try await asset(other), 600_000)
        #expect(beyond.code == 68 && beyond.problems == ["file"], "\(beyond)")
        #expect(try await user.client.send(.delete, String(first.dropLast(5))).status == 200)
        #expect(try await send(other, try await asset(other), 600_000).status == 200)
    }

    @Test func `of many uploads at once no more are kept than fit`() async throws {
        let node = try await node([("files.user_quota", "1MiB")])
        let user = try await node.user()
        var paths: [String] = []
        for _ in 0..<8 { paths.append(try await asset(user)) }
        let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
            for (index, path) in paths.enumerated() {
                group.addTask { try await send(user, path, 400_000 + Int64(index)) }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.count { $0.status == 200 } == 2, "\(answers)")
        #expect(answers.allSatisfy { $0.status == 200 || $0.code == 68 }, "\(answers)")
        #expect(node.folder.files(below: "data/files").count == 2)
    }

    @Test func `a part is kept for a day, and a file that nothing names not at all`() async throws {
        let node = try await node([("files.sweep", "200ms")])
        let user = try await node.user()
        let path = try await asset(user)
        #expect(try await send(user, path, 1_000).status == 200)
        let hash = MadeUpBody.digest(900).hex
        let begun = try await user.client.send(
            .post, path + "?hash=\(hash)", bytes: .stream(MadeUpBody(500), length: 500),
            fields: binary + [("Content-Range", "bytes 0-499/900")])
        #expect(begun.data?["received"] == 500, "\(begun)")
        let stray = String(repeating: "ab", count: 32)
        func parts() -> Int { node.folder.files(below: "data/files/parts").count }
        func isStray() -> Bool {
            node.folder.files(below: "data/files").contains { $0.hasPrefix("ab/") }
        }
        /// A stray file that is gone again shows that a sweep has been here since.
        func swept() async throws {
            _ = try node.folder.write("nobody's", to: "data/files/ab/\(stray.dropFirst(2))")
            try await Eventually.holds("the end of a stray file") { _ in !isStray() }
        }
        try await swept()
        let hours: Int64 = 3_600_000
        try await node.client.data(
            .post, "/api/test/clock", ["offset_ms": .integer(23 * hours)])
        try await swept()
        #expect(parts() == 1)
        try await node.client.data(
            .post, "/api/test/clock", ["offset_ms": .integer(25 * hours)])
        try await Eventually.holds("the end of the part") { _ in parts() == 0 }
        let asked = try await user.client.send(
            .post, path + "?hash=\(hash)", bytes: .none,
            fields: binary + [("Content-Range", "bytes */900")])
        #expect(asked.code == 3 || asked.data?["received"] == 0, "\(asked)")
        #expect(try await node.client.send(.get, path).body.count == 1_000)
    }

    @Test func `a part of an asset that is gone goes with the next sweep`() async throws {
        let node = try await node([("files.sweep", "200ms")])
        let user = try await node.user()
        let path = try await asset(user)
        let hash = MadeUpBody.digest(900).hex
        _ = try await user.client.send(
            .post, path + "?hash=\(hash)", bytes: .stream(MadeUpBody(500), length: 500),
            fields: binary + [("Content-Range", "bytes 0-499/900")])
        #expect(try await user.client.send(.delete, String(path.dropLast(5))).status == 200)
        try await Eventually.holds("the end of the part") { _ in
            node.folder.files(below: "data/files/parts").isEmpty
        }
    }
}
