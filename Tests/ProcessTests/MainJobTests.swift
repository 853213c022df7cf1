import API
import Base
import Domain
import HTTP
import Net
import Support
import Testing

/// The main job, end to end: a user of node A enters an instance on node B that is made from a
/// world of node A, meets a user of B there, and they exchange what they have to say.
struct MainJob {
    let a: TestNode
    let b: TestNode
    let ada: TestUser
    let ben: TestUser
    let world: String
    let file: [UInt8]
    let asset: String

    /// Accounts on both nodes, a world on A with a file.
    static func prepare(_ a: TestNode, _ b: TestNode) async throws -> MainJob {
        let (ada, ben) = (try await a.user(), try await b.user())
        let world = try await ada.client.call(
            WorldAPI.create, body: ["title": "A garden", "capacity": 8])
        let asset = try await ada.client.call(
            WorldAPI.createAsset, "\(world.id)",
            body: ["version": "1.0", "engine": "unity", "platform": "windows"])
        let file = MadeUpBody.bytes(0..<100_000)
        let answer = try await ada.client.send(
            .post, "/api/worlds/\(world.id)/assets/\(asset.id)/file", bytes: .bytes(file),
            fields: [("Content-Type", "application/octet-stream")])
        guard answer.status == 200 else { throw Refusal(request: "upload", answer: answer) }
        return MainJob(
            a: a, b: b, ada: ada, ben: ben, world: "\(world.id)", file: file, asset: "\(asset.id)")
    }

    /// Waits until the roles have found each other again: until then what needs them all is
    /// refused with a word on when to come back.
    func becomesPossible() async throws {
        try await Eventually.holds("a grant for B", within: .seconds(30)) { status in
            let answer = try await ada.client.send(
                .post, "/api/integrity", ["server": .string(b.address)])
            status.text = "\(answer)"
            guard answer.status == 200 else {
                #expect(answer.status == 503 || answer.status == 504, "\(answer)")
                return false
            }
            return true
        }
        try await Eventually.holds("a place for an instance", within: .seconds(30)) { status in
            let answer = try await ben.client.send(
                .put, "/api/instances", ["world": .string("\(world)@\(a.address)")])
            status.text = "\(answer)"
            guard let id = answer.data?["id"]?.stringValue else {
                #expect(answer.status == 503, "\(answer)")
                return false
            }
            try await ben.client.data(.delete, "/api/instances/\(id)")
            return true
        }
    }

    /// The whole of it, from the instance on.
    func perform() async throws {
        let guest = try await ada.visiting(b)
        let made = try await ben.client.data(
            .put, "/api/instances", ["world": .string("\(world)@\(a.address)")])
        let instance = try #require(made["id"])
        #expect(made["world"]?.stringValue?.contains("@\(a.address)") == true, "\(made)")

        let host = try await TestSocket.open(ben.client)
        let visitor = try await TestSocket.open(guest)
        let joined = try await host.command("instance-join", ["instance": instance])
        #expect(joined["players"]?.arrayValue?.count == 1, "\(joined)")
        let entered = try await visitor.command("instance-join", ["instance": instance])
        #expect(entered["players"]?.arrayValue?.count == 2, "\(entered)")
        let benPlayer = try #require(joined["player"]?["id"])
        let adaPlayer = try #require(entered["player"]?["id"])
        #expect(entered["player"]?["user"] == .string(ada.reference), "\(entered)")

        let seen = try await host.event("instance-joined")
        #expect(seen["data"]?["player"]?["id"] == adaPlayer, "\(seen)")

        // Data, both ways, in the order in which it was said.
        for number in 0..<20 {
            visitor.post(
                "instance-data", ["instance": instance, "data": ["n": .integer(Int64(number))]])
        }
        for number in 0..<20 {
            let event = try await host.event("instance-data")
            #expect(event["data"]?["data"]?["n"] == .integer(Int64(number)), "\(event)")
            #expect(event["data"]?["player"] == adaPlayer)
            #expect(event["subgroup"] == instance)
        }
        try await host.command(
            "instance-data", ["instance": instance, "to": [adaPlayer], "data": "hello"])
        let hello = try await visitor.event("instance-data")
        #expect(hello["data"]?["data"] == "hello")

        // Transforms, both ways.
        let now = SystemClock().timestamp().milliseconds
        visitor.post(
            "instance-transform",
            [
                "instance": instance, "path": "p:@me/body/head", "p": [1, 2, 3],
                "at": .integer(now),
            ])
        let moved = try await host.event("instance-transform")
        #expect(moved["data"]?["player"] == adaPlayer, "\(moved)")
        host.post(
            "instance-transform",
            [
                "instance": instance, "path": "p:@me/body/head", "p": [4, 5, 6],
                "at": .integer(now),
            ])
        let other = try await visitor.event("instance-transform")
        #expect(other["data"]?["player"] == benPlayer, "\(other)")

        let left = try await visitor.command("instance-leave", ["instance": instance])
        #expect(left["player"] == adaPlayer)
        let gone = try await host.event("instance-left")
        #expect(gone["data"]?["player"] == adaPlayer, "\(gone)")
        host.close()
        visitor.close()

        let bytes = try await a.client.send(
            .get, "/api/worlds/\(world)/assets/\(asset)/file")
        let isSame = bytes.body == file
        #expect(bytes.status == 200 && isSame, "\(bytes.status)")
    }
}

/// The main job on two nodes of processes of their own.
@Suite struct MainJobTests {
    @Test func `ada crosses over and meets ben`() async throws {
        let (a, b) = (try await Shared.plain.get(), try await Shared.other.get())
        let job = try await MainJob.prepare(a, b)
        try await job.perform()
        // Again, with the two nodes knowing each other.
        try await job.perform()
    }

    @Test func `nodes that speak TLS do the same`() async throws {
        let authority = try TestAuthority()
        var shape = NodeShape()
        shape.authority = authority
        let (a, b) = (try await TestNode.start(shape), try await TestNode.start(shape))
        try await MainJob.prepare(a, b).perform()
    }
}

/// Whatever is killed, at whatever moment: a restart needs no repair, and nothing that was
/// acknowledged is lost.
@Suite struct RestartTests {
    @Test func `each process is killed and started again, and the main job goes on`()
        async throws
    {
        let (a, b) = (try await TestNode.start(), try await TestNode.start())
        let job = try await MainJob.prepare(a, b)
        try await job.perform()
        for name in ["eta", "reil", "ins-1"] {
            for node in [a, b] {
                node.process(name).kill()
                try await node.start(name)
                try await node.healthy(within: .seconds(30))
            }
            try await job.becomesPossible()
            let me = try await job.ada.client.data(.get, "/api/users/@me")
            #expect(me["username"] == .string(job.ada.name), "after \(name): \(me)")
            let worlds = try await job.ada.client.data(.get, "/api/worlds/\(job.world)")
            #expect(worlds["assets"]?.arrayValue?.count == 1, "after \(name): \(worlds)")
            try await job.perform()
        }
    }
}
