import API
import Base
import Domain
import HTTP
import Support
import Testing

/// The queue of a full instance: who is next, for whom a place is held, who is dropped.
@Suite struct QueueTests {
    private func place(_ user: TestUser, _ room: String) async throws -> JSONValue {
        try await user.client.data(.get, "/api/instances/\(room)/queue")
    }

    /// Asks to enter what is full.
    private func knock(_ socket: TestSocket, _ room: String) async throws -> (Int?, Int64?, Int64?)
    {
        let answer = try await socket.exchange("instance-join", ["instance": .string(room)])
        let error = answer["error"]
        return (
            error?["code"]?.integerValue.map { Int($0) }, error?["position"]?.integerValue,
            error?["length"]?.integerValue
        )
    }

    @Test func `a place that is free is held for who has waited longest`() async throws {
        let node = try await Shared.plain.get()
        let (owner, ada) = (try await node.user(), try await node.user())
        let (ben, cleo) = (try await node.user(), try await node.user())
        let room = try await owner.instance(capacity: 1)
        let inside = try await owner.socket()
        try await inside.join(room)
        let (one, two, three) = (
            try await ada.socket(), try await ben.socket(), try await cleo.socket()
        )
        #expect(try await knock(one, room) == (48, 1, 1))
        #expect(try await knock(two, room) == (48, 2, 2))
        // Who asks again stands where they stood, at whichever socket and way.
        #expect(try await knock(one, room) == (48, 1, 2))
        let waits = try await cleo.client.data(.post, "/api/instances/\(room)/candidate", [:])
        #expect(waits["state"] == "queued" && waits["position"] == 3, "\(waits)")
        #expect(try await place(ben, room) == ["length": 3, "position": 2, "held_until": .null])
        let stranger = try await node.user()
        #expect(try await place(stranger, room)["position"] == .null)
        let staff = try await place(owner, room)
        #expect(
            staff["items"]?.arrayValue?.compactMap { $0["user"]?.stringValue }
                == [ada.reference, ben.reference, cleo.reference], "\(staff)")
        let shown = try await owner.client.data(.get, "/api/instances/\(room)")
        #expect(shown["queued"] == 3, "\(shown)")

        try await inside.command("instance-leave", ["instance": .string(room)])
        let held = try await one.event("instance-queue") { $0["data"]?["position"] == 0 }
        #expect(held["subgroup"] == .string(room) && held["data"]?["length"] == 2, "\(held)")
        #expect(held["data"]?["held_until"]?.integerValue != nil, "\(held)")
        try await two.event("instance-queue") {
            $0["data"]?["position"] == 1 && $0["data"]?["length"] == 2
        }
        try await three.event("instance-queue") { $0["data"]?["position"] == 2 }
        // It is nobody else's meanwhile.
        #expect(try await knock(inside, room) == (48, 3, 3))
        #expect(try await knock(two, room) == (48, 1, 3))
        let own = try await place(ada, room)
        #expect(own["position"] == 0 && own["held_until"]?.integerValue != nil, "\(own)")
        try await one.join(room)
        #expect(try await place(ada, room)["position"] == .null)

        // Who goes out of the queue is not in the way of others.
        let path = "/api/instances/\(room)/candidate"
        try await ben.client.data(.delete, path)
        try await ben.client.data(.delete, path)
        #expect(try await place(cleo, room)["position"] == 1)
        // More room is room for those who wait, in their order.
        try await owner.change("/api/instances/\(room)", ["capacity": 2])
        try await three.join(room)
        #expect(try await knock(two, room) == (48, 2, 2))
    }

    @Test func `a place that nobody takes is the next one's`() async throws {
        var shape = NodeShape()
        shape.eta = [("instances.hold", "1s"), ("instances.queue_limit", "3")]
        let node = try await TestNode.start(shape)
        let owner = try await node.user()
        let room = try await owner.instance(capacity: 1)
        let inside = try await owner.socket()
        try await inside.join(room)
        let (one, two) = (try await node.user().socket(), try await node.user().socket())
        let (three, four) = (try await node.user().socket(), try await node.user().socket())
        #expect(try await knock(one, room) == (48, 1, 1))
        #expect(try await knock(two, room) == (48, 2, 2))
        #expect(try await knock(three, room) == (48, 3, 3))
        // No more may wait, and are not told that they do.
        #expect(try await knock(four, room) == (48, nil, nil))
        inside.close()
        try await one.event("instance-queue") { $0["data"]?["position"] == 0 }
        try await one.event("instance-queue") { $0["data"]?["position"] == .null }
        try await two.event("instance-queue") { $0["data"]?["position"] == 0 }
        try await two.join(room)
        #expect(try await knock(one, room) == (48, 2, 2))
    }

    @Test func `who waits without a socket and does not ask is dropped`() async throws {
        var shape = NodeShape()
        shape.eta = [("instances.queue_silence", "1s")]
        let node = try await TestNode.start(shape)
        let (owner, silent, present) = (
            try await node.user(), try await node.user(), try await node.user()
        )
        let room = try await owner.instance(capacity: 1)
        let inside = try await owner.socket()
        try await inside.join(room)
        let path = "/api/instances/\(room)/candidate"
        try await silent.client.data(.post, path, [:])
        let socket = try await present.socket()
        #expect(try await knock(socket, room) == (48, 2, 2))
        try await socket.event("instance-queue") {
            $0["data"]?["position"] == 1 && $0["data"]?["length"] == 1
        }
        #expect(try await place(present, room)["position"] == 1)
        #expect(try await place(silent, room)["position"] == .null)
    }

    @Test func `who waits is told when it is over`() async throws {
        let node = try await Shared.plain.get()
        let owner = try await node.user()
        let room = try await owner.instance(capacity: 1)
        let inside = try await owner.socket()
        try await inside.join(room)
        let waiting = try await node.user().socket()
        #expect(try await knock(waiting, room) == (48, 1, 1))
        try await owner.client.data(.delete, "/api/instances/\(room)")
        let over = try await waiting.event("update-instance")
        #expect(over["data"] == ["id": .string(room), "deleted": true], "\(over)")
    }

    @Test func `of a thousand who come at once twenty enter and all others are in line`()
        async throws
    {
        let node = try await TestNode.start()
        let room = try await node.user().instance(capacity: 20)
        let count = 1_000
        var sockets: [TestSocket] = []
        // Some at a time: what is measured is how they come, not how they register.
        while sockets.count < count {
            sockets += try await withThrowingTaskGroup(of: TestSocket.self) { group in
                for _ in 0..<50 { group.addTask { try await node.user().socket() } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
        }
        let results = try await withThrowingTaskGroup(of: (Int?, Int64?, Int64?).self) { group in
            for socket in sockets { group.addTask { try await knock(socket, room) } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(results.filter { $0.0 == nil }.count == 20)
        #expect(results.filter { $0.0 == 48 }.count == count - 20)
        let positions = results.compactMap { $0.0 == nil ? nil : $0.1 }.sorted()
        #expect(positions == (1...Int64(count - 20)).map { $0 })
        let shown = try await node.client.data(.get, "/api/instances/\(room)")
        #expect(shown["connected"] == 20 && shown["queued"] == .integer(Int64(count - 20)))
        // Those who leave make room for as many, in the order of the line.
        let inside = zip(sockets, try await places(sockets, room)).filter { $1 == nil }.map(\.0)
        #expect(inside.count == 20)
        for socket in inside.prefix(5) {
            try await socket.command("instance-leave", ["instance": .string(room)])
        }
        let after = try await places(sockets, room)
        #expect(
            after.filter { $0 == 0 }.count == 5, "\(after.compactMap { $0 }.sorted().prefix(9))")
    }

    /// Where each stands; nil for who is in, or was.
    private func places(_ sockets: [TestSocket], _ room: String) async throws -> [Int64?] {
        // The line is told together, a little later: what was told last is true.
        try await Eventually.get("a line that stands still", within: .seconds(30)) { status in
            let told = sockets.map { socket -> Int64? in
                socket.waiting.last { $0["command"] == "instance-queue" }?["data"]?["position"]?
                    .integerValue
            }
            let line = told.compactMap { $0 }.filter { $0 > 0 }.sorted()
            status.text = "\(line.count) wait, the last is \(line.last ?? 0)"
            return line == (1...Int64(max(1, line.count))).map { $0 } && line.count >= 975
                ? told : nil
        }
    }
}
