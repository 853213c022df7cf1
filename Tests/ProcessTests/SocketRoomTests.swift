import API
import Base
import Domain
import HTTP
import Support
import Testing

/// Coming to an instance, what is said in it and to whom, and how one is out of it again.
@Suite struct SocketRoomTests {
    private func code(_ socket: TestSocket, joining instance: String) async throws -> Int? {
        try await socket.refusal("instance-join", ["instance": .string(instance)])
    }

    // MARK: Coming

    @Test func `an instance that there is not for the caller is not found`() async throws {
        let node = try await Shared.plain.get()
        let (owner, stranger) = (try await node.user(), try await node.user())
        let hidden = try await owner.instance(["avr:private"])
        let socket = try await stranger.socket()
        for instance in [EndpointFacts.unknown("i"), "no-such-name", hidden] {
            #expect(try await code(socket, joining: instance) == 36, "\(instance)")
        }
        #expect(try await socket.refusal("instance-join") == 36)
        for impossible: JSONValue in ["No Such!", 7, .string(FakePeer.id("w"))] {
            let code = try await socket.refusal("instance-join", ["instance": impossible])
            #expect(code == 36, "\(impossible)")
        }
        let anonymous = try await TestSocket.open(node.client)
        #expect(try await code(anonymous, joining: hidden) == 3)
        #expect(
            try await socket.refusal(
                "instance-join", ["instance": .string(hidden), "as": "bot"]) == 4)
    }

    @Test func `who sees an instance and may not enter it is told that`() async throws {
        let node = try await Shared.plain.get()
        let (owner, member) = (try await node.user(), try await node.user())
        let room = try await owner.instance()
        let (inside, outside) = (try await member.socket(), try await member.socket())
        try await inside.join(room)
        try await owner.change("/api/instances/\(room)", ["tags": ["avr:private"]])
        #expect(try await code(outside, joining: room) == 49)
        // It was seen by who was in it alone.
        try await inside.command("instance-leave", ["instance": .string(room)])
        #expect(try await code(outside, joining: room) == 36)
    }

    @Test func `a full instance is full for everybody, until somebody is gone`() async throws {
        let node = try await Shared.plain.get()
        let owner = try await node.user()
        let room = try await owner.instance(capacity: 2)
        let (one, two) = (try await node.user().socket(), try await node.user().socket())
        try await one.join(room)
        try await two.join(room)
        let late = try await owner.socket()
        #expect(try await code(late, joining: room) == 48)
        try await one.command("instance-leave", ["instance": .string(room)])
        try await late.join(room)
        #expect(try await code(one, joining: room) == 48)
    }

    @Test func `of many who come at once as many enter as there is room for`() async throws {
        let node = try await Shared.plain.get()
        let room = try await node.user().instance(capacity: 5)
        var sockets: [TestSocket] = []
        for _ in 0..<12 { sockets.append(try await node.user().socket()) }
        let codes = try await withThrowingTaskGroup(of: Int?.self) { group in
            for socket in sockets {
                group.addTask {
                    try await socket.refusal("instance-join", ["instance": .string(room)])
                }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(codes.filter { $0 == nil }.count == 5, "\(codes)")
        #expect(codes.allSatisfy { $0 == nil || $0 == 48 }, "\(codes)")
    }

    @Test func `a socket is in four instances, and a user four times in one`() async throws {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let world = try await user.world()
        var rooms: [String] = []
        for _ in 0..<5 { rooms.append(try await user.instance(of: world)) }
        let socket = try await user.socket()
        for room in rooms.dropLast() { try await socket.join(room) }
        #expect(try await code(socket, joining: rooms[4]) == 49)
        try await socket.command("instance-leave", ["instance": .string(rooms[3])])
        try await socket.join(rooms[4])

        // With the one that is in there, four.
        var others: [TestSocket] = []
        for _ in 0..<4 { others.append(try await user.socket()) }
        for other in others.dropLast() { try await other.join(rooms[0]) }
        #expect(try await code(others[3], joining: rooms[0]) == 49)
        let neighbour = try await node.user().socket()
        try await neighbour.join(rooms[0])
        try await socket.command("instance-leave", ["instance": .string(rooms[0])])
        try await others[3].join(rooms[0])
    }

    @Test func `who is not in an instance has nothing to say there`() async throws {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let room = try await user.instance()
        let socket = try await user.socket()
        let time = try await socket.command("ping")["server"] ?? .null
        let commands: [(String, JSONValue)] = [
            ("instance-leave", [:]), ("instance-data", ["data": 1]),
            ("instance-transform", ["path": "p:@me/body", "p": [1, 2, 3], "at": time]),
        ]
        func check() async throws {
            for (command, data) in commands {
                var full = data.objectValue ?? JSONObject()
                full["instance"] = .string(room)
                #expect(try await socket.refusal(command, .object(full)) == 39, "\(command)")
                // The instance may also stand where its events have it.
                #expect(try await socket.refusal(command, data, subgroup: room) == 39, "\(command)")
            }
            #expect(try await socket.refusal("instance-leave") == 39)
        }
        try await check()
        let player = try await socket.join(room)
        let left = try await socket.command("instance-leave", subgroup: room)
        #expect(
            left == ["instance": .string(room), "player": .string(player), "type": 4], "\(left)")
        try await check()
    }

    // MARK: Going

    @Test func `when an instance is deleted all who are in it are out`() async throws {
        let node = try await Shared.plain.get()
        let owner = try await node.user()
        let room = try await owner.instance()
        let sockets = [try await node.user().socket(), try await node.user().socket()]
        var players: [String] = []
        for socket in sockets { players.append(try await socket.join(room)) }
        try await owner.client.data(.delete, "/api/instances/\(room)")
        for (socket, player) in zip(sockets, players) {
            let left = try await socket.event("instance-left")
            #expect(left["subgroup"] == .string(room), "\(left)")
            #expect(
                left["data"]
                    == ["instance": .string(room), "player": .string(player), "type": 3], "\(left)")
            #expect(
                try await socket.refusal("instance-data", ["instance": .string(room), "data": 1])
                    == 39)
            #expect(try await code(socket, joining: room) == 36)
        }
    }

    @Test func `an instance that ends with its owner ends when no player of theirs is left`()
        async throws
    {
        let node = try await Shared.plain.get()
        let owner = try await node.user()
        let room = try await owner.instance(["avr:kill_on_owner_leave"])
        let guest = try await node.user().socket()
        let player = try await guest.join(room)
        let (first, second) = (try await owner.socket(), try await owner.socket())
        try await first.join(room)
        try await second.join(room)
        try await first.command("instance-leave", ["instance": .string(room)])
        try await guest.event("instance-left")
        // Still there, as one of the two is.
        try await second.command("instance-data", ["instance": .string(room), "data": "both"])
        try await guest.event("instance-data")
        second.close()
        let left = try await guest.event("instance-left") {
            $0["data"]?["player"] == .string(player)
        }
        #expect(left["data"]?["type"] == 3, "\(left)")
        #expect(try await code(guest, joining: room) == 36)
    }

    @Test func `a socket that drops leaves all its instances, and its seats are free`()
        async throws
    {
        var shape = NodeShape()
        shape.reil = [("sockets.resume_window", "500ms")]
        let node = try await TestNode.start(shape)
        let (ada, ben) = (try await node.user(), try await node.user())
        let rooms = [
            try await ada.instance(capacity: 2), try await ada.instance(capacity: 2),
        ]
        let host = try await ada.socket("update-instance")
        let proxy = FaultProxy(to: node.port)
        var client = TypedClient(proxy.address)
        client.token = ben.token
        let guest = try await TestSocket.open(client)
        var players: [String] = []
        for room in rooms {
            try await host.join(room)
            players.append(try await guest.join(room))
            let seen = try await host.event("update-instance") {
                $0["data"]?["id"] == .string(room) && $0["data"]?["connected"] == 2
            }
            #expect(seen["data"]?["capacity"] == 2, "\(seen)")
        }
        proxy.become(.broken)
        for (room, player) in zip(rooms, players) {
            let left = try await host.event("instance-left") { $0["subgroup"] == .string(room) }
            #expect(
                left["data"]
                    == ["instance": .string(room), "player": .string(player), "type": 4], "\(left)")
            try await host.event("update-instance") {
                $0["data"]?["id"] == .string(room) && $0["data"]?["connected"] == 1
            }
            let next = try await node.user().socket()
            try await next.join(room)
        }
    }

    @Test func `the owner is master while present, and a change of that is told`() async throws {
        let node = try await Shared.plain.get()
        let owner = try await node.user()
        let room = try await owner.instance()
        let guest = try await node.user().socket("update-instance")
        let player = try await guest.join(room)
        func isMaster(_ player: String, _ event: JSONValue) -> Bool {
            event["data"]?["id"] == .string(room) && event["data"]?["master"] == .string(player)
        }
        try await guest.event("update-instance") { isMaster(player, $0) }
        let host = try await owner.socket()
        let theirs = try await host.join(room)
        try await guest.event("update-instance") { isMaster(theirs, $0) }
        try await host.command("instance-leave", ["instance": .string(room)])
        try await guest.event("update-instance") { isMaster(player, $0) }
    }

    // MARK: Speaking

    /// An instance with three in it, each of whom has seen the others come.
    private func trio(
        _ node: TestNode
    ) async throws -> (room: String, sockets: [TestSocket], players: [String]) {
        let owner = try await node.user()
        let room = try await owner.instance()
        let sockets = [
            try await owner.socket(), try await node.user().socket(),
            try await node.user().socket(),
        ]
        var players: [String] = []
        for (index, socket) in sockets.enumerated() {
            players.append(try await socket.join(room))
            for earlier in sockets[..<index] { try await earlier.event("instance-joined") }
        }
        return (room, sockets, players)
    }

    @Test func `what is said to some is told to those alone`() async throws {
        let node = try await Shared.plain.get()
        let (room, sockets, players) = try await trio(node)
        func say(_ word: JSONValue, to players: [String]?) async throws {
            var data: JSONObject = ["instance": .string(room), "data": word]
            if let players { data["to"] = .array(players.map { .string($0) }) }
            let answer = try await sockets[0].command("instance-data", .object(data))
            #expect(answer == [:], "\(answer)")
        }
        try await say("to the third", to: [players[2]])
        try await say("to oneself", to: [players[0]])
        try await say("to nobody", to: [])
        try await say("to one who is not there", to: [EndpointFacts.unknown("p")])
        try await say("to both", to: [players[2], players[1], players[1]])
        try await say("to all", to: nil)
        for (socket, expected) in zip(
            sockets, [[], ["to both", "to all"], ["to the third", "to both", "to all"]])
        {
            if !expected.isEmpty {
                try await Eventually.holds("the last word") { _ in
                    socket.waiting.last?["data"]?["data"] == "to all"
                }
            }
            let heard = socket.waiting
            #expect(heard.map { $0["data"]?["data"] } == expected.map { .string($0) }, "\(heard)")
            #expect(heard.allSatisfy { $0["data"]?["player"] == .string(players[0]) }, "\(heard)")
        }
        // The numbers are the instance's own: the same for all, with gaps where others were meant.
        let numbers = sockets.map { $0.waiting.compactMap { $0["seq"]?.integerValue } }
        #expect(numbers[1] == Array(numbers[2].dropFirst()), "\(numbers)")
        #expect(zip(numbers[2], numbers[2].dropFirst()).allSatisfy { $0 < $1 }, "\(numbers)")
    }

    @Test func `16 KiB may be said at once, and no more`() async throws {
        let node = try await Shared.plain.get()
        let (room, sockets, _) = try await trio(node)
        // The quotes are of it.
        let most = JSONValue.string(String(repeating: "x", count: (16 << 10) - 2))
        let more = JSONValue.string(String(repeating: "x", count: (16 << 10) - 1))
        #expect(
            try await sockets[0].refusal(
                "instance-data", ["instance": .string(room), "data": more])
                == 52)
        try await sockets[0].command("instance-data", ["instance": .string(room), "data": most])
        for socket in sockets.dropFirst() {
            let heard = try await socket.event("instance-data")
            #expect(heard["data"]?["data"] == most)
        }
        #expect(
            try await sockets[0].refusal("instance-data", ["instance": .string(room)]) == 33)
    }

    @Test func `everybody moves what is theirs, and the master what is nobody's`() async throws {
        let node = try await Shared.plain.get()
        let (room, sockets, players) = try await trio(node)
        let time = try #require(try await sockets[0].command("ping")["server"])
        func move(_ path: String) -> JSONValue {
            ["instance": .string(room), "path": .string(path), "p": [1, 2, 3], "at": time]
        }
        let foreign = "p:\(players[0])/body"
        #expect(try await sockets[1].refusal("instance-transform", move(foreign)) == 4)
        #expect(
            try await sockets[1].refusal(
                "instance-transform", move("p:\(EndpointFacts.unknown("p"))/body")) == 4)
        // What may be has no answer; it is seen by the others, under one spelling.
        sockets[1].post("instance-transform", move("o:ball/body"))
        sockets[1].post("instance-transform", move("p:@me/body"))
        sockets[1].post("instance-transform", move("p:\(players[1])/body/head"))
        sockets[0].post("instance-transform", move("o:ball/body"))
        var seen: Set<String> = []
        for _ in 0..<3 {
            let event = try await sockets[2].event("instance-transform")
            #expect(event["seq"] == nil && event["subgroup"] == .string(room), "\(event)")
            let by = event["data"]?["player"]?.stringValue ?? ""
            seen.insert("\(by) \(event["data"]?["path"]?.stringValue ?? "")")
        }
        let bodies = ["/body", "/body/head"].map { "\(players[1]) p:\(players[1])\($0)" }
        #expect(seen == Set(bodies + ["\(players[0]) o:ball/body"]), "\(seen)")
        #expect(sockets[2].waiting.isEmpty, "\(sockets[2].waiting)")
    }

    @Test func `of what is moved too often the newest comes, and nobody is refused`() async throws {
        let node = try await Shared.plain.get()
        let (room, sockets, _) = try await trio(node)
        let time = try #require(try await sockets[0].command("ping")["server"])
        // Far more than three seconds' worth at once.
        let count: Int64 = 6_000
        for number in 1...count {
            sockets[0].post(
                "instance-transform",
                [
                    "instance": .string(room), "path": "p:@me/body",
                    "p": [.integer(number), 0, 0], "at": time,
                ])
        }
        func place(_ event: JSONValue) -> Double { event["data"]?["p"]?[0]?.doubleValue ?? 0 }
        try await sockets[1].event("instance-transform") { place($0) == Double(count) }
        let seen = sockets[1].waiting.map(place)
        #expect(zip(seen, seen.dropFirst()).allSatisfy { $0 < $1 })
        // They count apart from commands.
        #expect(try await sockets[0].command("ping", ["time": 5])["client"] == 5)
        #expect(sockets[0].waiting.isEmpty, "\(sockets[0].waiting)")
    }

    @Test func `what is more than ten seconds ahead of the node is not taken`() async throws {
        let node = try await Shared.plain.get()
        let (room, sockets, players) = try await trio(node)
        let time = try #require(try await sockets[0].command("ping")["server"]?.integerValue)
        func move(_ part: String, ahead: Int64) {
            sockets[0].post(
                "instance-transform",
                [
                    "instance": .string(room), "path": .string("p:@me/\(part)"), "p": [1, 2, 3],
                    "at": .integer(time + ahead),
                ])
        }
        // Half a minute off, so that a slow machine changes nothing.
        move("late", ahead: -30_000)
        move("hasty", ahead: 40_000)
        move("lost", ahead: 9_000_000_000_000)
        move("close", ahead: 9_000)
        let told = [
            try await sockets[1].event("instance-transform"),
            try await sockets[1].event("instance-transform"),
        ]
        let parts = Set(told.compactMap { $0["data"]?["path"]?.stringValue })
        #expect(parts == Set(["late", "close"].map { "p:\(players[0])/\($0)" }), "\(told)")
        let late = try await node.user().socket()
        let snapshot = try await late.command("instance-join", ["instance": .string(room)])
        let shown = (snapshot["transforms"]?.arrayValue ?? []).compactMap {
            $0["path"]?.stringValue
        }
        #expect(Set(shown) == parts, "\(snapshot)")
    }
}
