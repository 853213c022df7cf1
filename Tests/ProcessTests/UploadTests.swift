import API
import Base
import Crypto
import Domain
import HTTP
import Net
import Support
import Testing

/// Files of any size, by memory of one size; broken off and taken up again.
@Suite struct UploadTests {
    private func asset(_ node: TestNode) async throws -> (user: TestUser, path: String) {
        let user = try await node.user()
        let world = try await user.client.call(WorldAPI.create, body: ["title": "files"])
        let asset = try await user.client.call(
            WorldAPI.createAsset, "\(world.id)",
            body: ["version": "1", "engine": "unity", "platform": "linux"])
        return (user, "/api/worlds/\(world.id)/assets/\(asset.id)")
    }

    private let binary = [("Content-Type", "application/octet-stream")]

    @Test func `a gibibyte needs less than 64 MiB more memory`() async throws {
        var shape = NodeShape()
        shape.ins = 0
        let node = try await TestNode.start(shape)
        let (user, path) = try await asset(node)
        let size = Int64(1) << 30
        let (eta, reil) = (node.process("eta"), node.process("reil"))
        let before = eta.residentBytes + reil.residentBytes
        let peak = Lock(0)
        let over = Lock(false)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while !over.withLock({ $0 }) {
                    let now = eta.residentBytes + reil.residentBytes
                    peak.withLock { $0 = max($0, now) }
                    await TestLoops.pause(.milliseconds(20))
                }
            }
            let answer = try await user.client.send(
                .post, path + "/file", bytes: .stream(MadeUpBody(size), length: size),
                fields: binary)
            over.withLock { $0 = true }
            #expect(answer.status == 200, "\(answer)")
            #expect(answer.data?["hash"] == .string(MadeUpBody.digest(size).hex), "\(answer)")
            try await group.waitForAll()
        }
        let grown = peak.withLock { $0 } - before
        #expect(grown < 64 << 20, "\(grown >> 20) MiB more")
    }

    /// As constant for who reads as for who sends, and whoever stops reading takes nothing.
    @Test func `a quarter of a gibibyte is fetched with less than 64 MiB more memory`()
        async throws
    {
        var shape = NodeShape()
        shape.ins = 0
        let node = try await TestNode.start(shape)
        let (user, path) = try await asset(node)
        let size = Int64(256) << 20
        let sent = try await user.client.send(
            .post, path + "/file", bytes: .stream(MadeUpBody(size), length: size), fields: binary)
        #expect(sent.status == 200, "\(sent)")
        let (eta, reil) = (node.process("eta"), node.process("reil"))
        let before = eta.residentBytes + reil.residentBytes
        let request = node.client.request(.get, path + "/file")
        let loop = TestLoops.group.loops[0]
        var idle: [ClientResponse] = []
        for _ in 0..<8 { idle.append(try await node.client.http.send(request, on: loop)) }
        let response = try await node.client.http.send(request, on: loop)
        #expect(response.status == .ok && response.bodyLength == size)
        var hash = SHA256.Incremental()
        var (received, peak) = (Int64(0), 0)
        let body = response.body
        while let piece = try await body.next() {
            hash.update(piece)
            let isNextMebibyte = received >> 20 != (received + Int64(piece.count)) >> 20
            received += Int64(piece.count)
            if isNextMebibyte { peak = max(peak, eta.residentBytes + reil.residentBytes) }
        }
        let digest = hash.finish()
        #expect(received == size && digest == MadeUpBody.digest(size))
        #expect(idle.allSatisfy { $0.status == .ok })
        #expect(peak - before < 64 << 20, "\((peak - before) >> 20) MiB more")
    }

    @Test func `ranges, tags and digests are those of the file`() async throws {
        let node = try await Shared.plain.get()
        let (user, path) = try await asset(node)
        let empty = try await node.client.send(.get, path + "/file")
        #expect(empty.status == 409 && empty.code == 46, "\(empty)")
        let size = Int64(300_000)
        let hash = MadeUpBody.digest(size).hex
        let wrong = try await user.client.send(
            .post, path + "/file?hash=\(String(repeating: "0", count: 64))",
            bytes: .stream(MadeUpBody(size), length: size), fields: binary)
        #expect(wrong.status == 400 && wrong.code == 32, "\(wrong)")
        let sent = try await user.client.send(
            .post, path + "/file?hash=\(hash)", bytes: .stream(MadeUpBody(size), length: nil),
            fields: binary)
        #expect(sent.status == 200, "\(sent)")
        let all = try await node.client.send(.get, path + "/file")
        let isSame = all.body == MadeUpBody.bytes(0..<size)
        #expect(all.status == 200 && isSame)
        #expect(all["Content-Disposition"]?.hasPrefix("attachment") == true)
        let part = try await node.client.send(
            .get, path + "/file", fields: [("Range", "bytes=1000-1999")])
        #expect(part.status == 206 && part.body == MadeUpBody.bytes(1000..<2000), "\(part.status)")
        #expect(part["Content-Range"] == "bytes 1000-1999/300000")
        let beyond = try await node.client.send(
            .get, path + "/file", fields: [("Range", "bytes=300000-")])
        #expect(beyond.status == 416 && beyond.code == 69, "\(beyond)")
        let same = try await node.client.send(
            .get, path + "/file", fields: [("If-None-Match", all["ETag"] ?? "")])
        #expect(same.status == 304)
    }

    @Test(arguments: [Int64(20_000), 400_000])
    func `a file that is asked for often is the new one once it is replaced`(
        size: Int64
    ) async throws {
        let node = try await Shared.plain.get()
        let (user, path) = try await asset(node)
        for size in [size, size + 1] {
            let sent = try await user.client.send(
                .post, path + "/file", bytes: .stream(MadeUpBody(size), length: size),
                fields: binary)
            #expect(sent.status == 200, "\(sent)")
            try await Eventually.holds("the file that was sent last") { status in
                let file = try await node.client.send(.get, path + "/file")
                status.text = "\(file.status) \(file.body.count)"
                return file.body == MadeUpBody.bytes(0..<size)
            }
            for (client, scope) in [
                (node.client, "public"), (user.client, "private"), (node.client, "public"),
            ] {
                let file = try await client.send(.get, path + "/file")
                #expect(file.body.count == Int(size))
                #expect(file["Cache-Control"]?.hasPrefix(scope) == true, "\(file)")
                #expect(file["Accept-Ranges"] == "bytes")
                let part = try await client.send(
                    .get, path + "/file", fields: [("Range", "bytes=10-19")])
                #expect(part.body == MadeUpBody.bytes(10..<20), "\(part.status)")
            }
        }
        let world = String(path.split(separator: "/")[2])
        // Another spelling of the same world is no other world.
        let spelled = "/api/worlds/\(world):1" + path.dropFirst("/api/worlds/\(world)".count)
        #expect(try await node.client.send(.get, spelled + "/file").status == 200)
        _ = try await user.client.call(WorldAPI.update, world, body: ["tags": ["avr:private"]])
        try await Eventually.holds("that nobody has the file of a private world") { status in
            let file = try await node.client.send(.get, path + "/file")
            status.text = "\(file)"
            return file.status == 404 && file.code == 25
        }
        let kept = try await node.client.send(.get, spelled + "/file")
        #expect(kept.status == 404 && kept.code == 25, "\(kept)")
        #expect(try await user.client.send(.get, path + "/file").status == 200)
    }

    @Test(arguments: [Int64(1), 100_000, 2_999_999])
    func `a broken upload leaves nothing and goes on`(
        cut: Int64
    ) async throws {
        let node = try await Shared.plain.get()
        let (user, path) = try await asset(node)
        let size = Int64(3_000_000)
        let hash = MadeUpBody.digest(size).hex
        let target = path + "/file?hash=\(hash)"
        await #expect(throws: (any Error).self) {
            _ = try await user.client.send(
                .post, target,
                bytes: .stream(MadeUpBody(size, failingAt: cut), length: size), fields: binary)
        }
        let state = try await user.client.data(.get, path)
        #expect(state["empty"] == true, "\(state)")
        // Until Eta has seen the break, the upload that broke is still under way (31).
        try await Eventually.holds("the rest of an upload") { status in
            let asked = try await user.client.send(
                .post, target, bytes: .none,
                fields: binary + [("Content-Range", "bytes */\(size)")])
            status.text = "\(asked)"
            guard let received = asked.data?["received"]?.integerValue else { return false }
            #expect(received <= cut)
            let rest = try await user.client.send(
                .post, target,
                bytes: .stream(MadeUpBody(size, from: received), length: size - received),
                fields: binary + [("Content-Range", "bytes \(received)-\(size - 1)/\(size)")])
            status.text = "\(rest)"
            if rest.code == 31 { return false }
            #expect(rest.status == 200 && rest.data?["hash"] == .string(hash), "\(rest)")
            return true
        }
        let file = try await node.client.send(.get, path + "/file")
        let isSame = file.body == MadeUpBody.bytes(0..<size)
        #expect(isSame)
    }
}
