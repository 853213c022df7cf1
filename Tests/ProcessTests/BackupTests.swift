import API
import Base
import Crypto
import Domain
import Glibc
import HTTP
import Net
import Support
import Testing

/// `eta backup` of a node at work, and `eta restore`: all that was acknowledged before the one is
/// there after the other.
@Suite struct BackupTests {
    private let binary = [("Content-Type", "application/octet-stream")]

    private func started() async throws -> TestNode {
        var shape = NodeShape()
        shape.ins = 0
        return try await TestNode.start(shape)
    }

    /// A world with a file of that size.
    private func world(
        of user: TestUser, _ title: String, size: Int64
    ) async throws -> (world: String, asset: String) {
        let world = try await user.client.call(WorldAPI.create, body: ["title": .string(title)])
        let asset = try await user.client.call(
            WorldAPI.createAsset, "\(world.id)",
            body: ["version": "1", "engine": "unity", "platform": "linux"])
        let path = "/api/worlds/\(world.id)/assets/\(asset.id)"
        let sent = try await user.client.send(
            .post, path + "/file", bytes: .stream(MadeUpBody(size), length: size), fields: binary)
        guard sent.status == 200 else { throw NeverCame("an upload: \(sent)") }
        return ("/api/worlds/\(world.id)", path)
    }

    /// Worlds that come and files that go, again and again, until it is told to end.
    private func unrest(_ user: TestUser, until over: Lock<Bool>, made: Lock<Int>) async throws {
        while !over.withLock({ $0 }) {
            let number = made.withLock { made in
                made += 1
                return made
            }
            let (world, asset) = try await world(
                of: user, "unrest \(number)", size: 50_000 + Int64(number))
            let gone = number % 3 == 0 ? world : asset
            if number % 3 != 2 { _ = try await user.client.data(.delete, gone) }
        }
    }

    @Test func `what was acknowledged before a backup is there after its restore`() async throws {
        let node = try await started()
        let users = [try await node.user(), try await node.user()]
        let image = PNGSample.image(more: [3, 4])
        let set = try await users[0].client.send(
            .post, "/api/users/@me/thumbnail", bytes: .bytes(image),
            fields: [("Content-Type", "image/png")])
        #expect(set.status == 200, "\(set)")
        var kept: [(world: String, asset: String, size: Int64)] = []
        for number in 0..<12 {
            let size = Int64(10_000 * (number + 1))
            let (world, asset) = try await world(
                of: users[number % 2], "kept \(number)", size: size)
            kept.append((world, asset, size))
        }
        let over = Lock(false)
        let made = Lock(0)
        let target = "\(node.folder.path)/backup"
        try await withThrowingTaskGroup(of: Void.self) { group in
            for user in users {
                group.addTask { try await unrest(user, until: over, made: made) }
                group.addTask { try await unrest(user, until: over, made: made) }
            }
            try await Eventually.holds("unrest") { _ in made.withLock { $0 > 8 } }
            for number in 0..<3 {
                let before = made.withLock { $0 }
                let backup = try await node.command(["backup", target + "\(number)", "--json"])
                #expect(backup.exit == .code(0), "\(backup)")
                let told = try JSONParser.parse(Array(backup.output.utf8))
                #expect(told["users"] == 2 && told["problems"] == [], "\(told)")
                #expect(told["address"] == .string(node.address), "\(told)")
                #expect(told["files"]?.integerValue ?? 0 >= 13, "\(told)")
                // Writes go on while it is made, and after it.
                try await Eventually.holds("writes go on") { _ in made.withLock { $0 > before } }
            }
            over.withLock { $0 = true }
            try await group.waitForAll()
        }
        let running = try await node.command(["restore", target + "2", "--yes"])
        #expect(running.exit == .code(1) && running.log.contains("held by"), "\(running)")
        node.process("eta").kill()
        let asked = try await node.command(["restore", target + "2"])
        #expect(asked.exit == .code(2) && asked.log.contains("--yes"), "\(asked)")
        #expect(asked.log.contains("will be gone"), "\(asked)")
        let restored = try await node.command(["restore", target + "2", "--yes", "--json"])
        #expect(restored.exit == .code(0), "\(restored)")
        let checked = try await node.eta("check")
        #expect(checked["problems"] == [], "\(checked)")
        try await node.restartEta()
        for (world, asset, size) in kept {
            let file = try await node.client.send(.get, asset + "/file")
            #expect(file.status == 200 && file.body == MadeUpBody.bytes(0..<size), "\(asset)")
            #expect(try await node.client.send(.get, world).status == 200)
        }
        // Logins of before the backup go on: keys and sessions came with it.
        let me = try await users[0].client.data(.get, "/api/users/@me")
        #expect(me["username"] == .string(users[0].name), "\(me)")
        let thumbnail = try await node.client.send(.get, "/api/users/\(users[0].id)/thumbnail")
        #expect(thumbnail.body == image)
        _ = try await world(of: users[1], "after", size: 5_000)
        let left = node.folder.files(below: "data").filter { $0.hasPrefix("restore") }
        #expect(left.isEmpty, "\(left)")
    }

    @Test func `a backup is a data folder, private, and restored into an empty one unasked`()
        async throws
    {
        let node = try await started()
        let user = try await node.user()
        let (_, asset) = try await world(of: user, "kept", size: 20_000)
        let target = "\(node.folder.path)/backup"
        #expect(try await node.command(["backup", target]).exit == .code(0))
        #expect(TestFolder.mode(of: target + "/keys/node.key") == 0o600)
        #expect(TestFolder.mode(of: target + "/eta.sqlite").map { $0 & 0o077 } == 0)
        let checked = try await node.command(["check"], data: target)
        #expect(checked.exit == .code(0), "\(checked)")
        let twice = try await node.command(["backup", target])
        #expect(twice.exit == .code(2) && twice.log.contains("already"), "\(twice)")
        let fresh = "\(node.folder.path)/elsewhere/data"
        let restored = try await node.command(["restore", target], data: fresh)
        #expect(restored.exit == .code(0), "\(restored)")
        #expect(restored.output.contains("will restore \(node.address)"), "\(restored)")
        try await node.restartEta(with: [("eta.data", fresh)])
        let file = try await node.client.send(.get, asset + "/file")
        #expect(file.body == MadeUpBody.bytes(0..<20_000), "\(file.status)")
    }

    @Test func `nothing is restored of what is no backup, or is damaged`() async throws {
        let node = try await started()
        let user = try await node.user()
        _ = try await world(of: user, "one", size: 20_000)
        let target = "\(node.folder.path)/backup"
        #expect(try await node.command(["backup", target]).exit == .code(0))
        node.process("eta").kill()
        /// All but the log of the database, which a reader may move into it.
        func data() -> [String] { node.folder.files(below: "data").filter { !$0.contains("-") } }
        let before = data()
        let empty = try await node.command(["restore", node.folder.path, "--yes"])
        #expect(empty.exit == .code(2) && empty.log.contains("eta.sqlite"), "\(empty)")
        let hash = MadeUpBody.digest(20_000).hex
        let file = "\(target)/files/\(hash.prefix(2))/\(hash.dropFirst(2))"
        try TestFolder.overwrite(file, at: 500, with: [0, 0, 0, 0])
        let damaged = try await node.command(["restore", target, "--yes"])
        #expect(damaged.exit == .code(1) && damaged.output.contains("damaged"), "\(damaged)")
        #expect(data() == before)
        try await node.restartEta()
        #expect(try await user.client.send(.get, "/api/users/@me").status == 200)
        node.process("eta").kill()
        unsafe unlink(file)
        let missing = try await node.command(["restore", target, "--yes", "--damaged", "--json"])
        #expect(missing.exit == .code(0) && missing.output.contains("missing"), "\(missing)")
        let checked = try await node.command(["check"])
        #expect(checked.exit == .code(1), "\(checked)")
        node.leavesDamage(because: "a damaged backup was restored")
    }

    /// What a restore does after its files are together is done by the next start just as well.
    @Test func `a restore that was broken off is finished by the next start`() async throws {
        let node = try await started()
        let user = try await node.user()
        let (_, asset) = try await world(of: user, "kept", size: 20_000)
        let target = "\(node.folder.path)/backup"
        #expect(try await node.command(["backup", target]).exit == .code(0))
        let later = try await node.user()
        node.process("eta").kill()
        // The state between the restore and its parts being in their places: keys are, no more.
        let data = node.data
        unsafe mkdir("\(data)/restore", 0o750)
        for name in ["files", "eta.sqlite"] {
            #expect(unsafe rename("\(target)/\(name)", "\(data)/restore/\(name)") == 0)
        }
        let refused = try await node.command(["check"])
        #expect(refused.exit == .code(1) && refused.log.contains("broken off"), "\(refused)")
        try await node.restartEta()
        try await node.process("eta").says("restore finished")
        let file = try await node.client.send(.get, asset + "/file")
        #expect(file.body == MadeUpBody.bytes(0..<20_000), "\(file.status)")
        #expect(try await user.client.send(.get, "/api/users/@me").status == 200)
        #expect(try await later.client.send(.get, "/api/users/@me").code == 3)
        let half = node.folder.files(below: "data/restore")
        #expect(half.isEmpty, "\(half)")
    }

    @Test func `a backup that was broken off leaves its name free`() async throws {
        let node = try await started()
        _ = try await node.user()
        let target = "\(node.folder.path)/backup"
        _ = try node.folder.write("half of it", to: "backup.part/eta.sqlite")
        _ = try node.folder.write("more", to: "backup.part/files/ab/cd")
        #expect(try await node.command(["backup", target]).exit == .code(0))
        #expect(node.folder.files(below: "backup.part").isEmpty)
        #expect(try await node.command(["check"], data: target).exit == .code(0))
        let nowhere = try await node.command(["backup", "/proc/no/such/folder"])
        #expect(nowhere.exit == .code(1), "\(nowhere)")
        let other = try await node.command(["backup"], data: "\(node.folder.path)/no-node")
        #expect(other.exit == .code(2), "\(other)")
    }

    @Test func `a doctor tells how a node is, and what needs looking after`() async throws {
        let node = try await started()
        let well = try await node.eta("doctor")
        let abouts = well.arrayValue?.compactMap { $0["about"]?.stringValue } ?? []
        for about in ["data folder", "database", "administrators", "files", "disk", "key", "reach"]
        {
            #expect(abouts.contains(about), "\(about): \(well)")
        }
        func state(_ told: JSONValue, _ about: String) -> [JSONValue?] {
            (told.arrayValue ?? []).filter { $0["about"] == .string(about) }.map { $0["state"] }
        }
        #expect(state(well, "reach") == ["good"] && state(well, "data folder") == ["good"])
        #expect(state(well, "administrators") == ["notable"], "\(well)")
        _ = try await node.administrator()
        #expect(state(try await node.eta("doctor"), "administrators") == ["good"])
        node.process("reil").kill()
        #expect(state(try await node.eta("doctor"), "reach") == ["notable"])
        let tight = try await node.command(["doctor", "--files-free-floor", "1024TiB"])
        #expect(tight.exit == .code(1) && tight.output.contains("bad      disk"), "\(tight)")
        unsafe chmod("\(node.data)/keys/access.key", 0o644)
        let open = try await node.command(["doctor"])
        #expect(open.exit == .code(1) && open.output.contains("open to others"), "\(open)")
        unsafe chmod("\(node.data)/keys/access.key", 0o600)
    }
}
