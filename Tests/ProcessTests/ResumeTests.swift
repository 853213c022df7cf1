import API
import Base
import Domain
import Glibc
import HTTP
import Support
import Testing

/// Sockets that drop and come back: nobody has left, and nothing is missed.
@Suite struct ResumeTests {
    /// A member whose line can be cut.
    private struct Guest {
        let user: TestUser
        let proxy: FaultProxy
        let socket: TestSocket
        /// By which the socket is resumed.
        let word: String

        init(_ node: TestNode, _ user: TestUser, _ events: String...) async throws {
            self.user = user
            proxy = FaultProxy(to: node.port)
            var client = TypedClient(proxy.address)
            client.token = user.token
            socket = try await TestSocket.open(client)
            let told = try await socket.event("authenticated")
            word = try #require(told["data"]?["resume"]?.stringValue)
            if !events.isEmpty {
                try await socket.command(
                    "subscribe", ["events": .array(events.map { .string($0) })])
            }
        }

        /// The line is cut; the client has seen what it has seen.
        func drop() async throws {
            proxy.become(.broken)
            _ = try await socket.closed()
        }
    }

    /// The number of the last event of a subgroup that came.
    private func last(_ socket: TestSocket, _ subgroup: String) -> JSONValue {
        let numbers = socket.waiting.filter { $0["subgroup"] == .string(subgroup) }
            .compactMap { $0["seq"]?.integerValue }
        return .integer(numbers.max() ?? 0)
    }

    private func resume(
        _ user: TestUser, _ word: String, _ last: JSONValue = [:]
    ) async throws -> (TestSocket, JSONValue) {
        let socket = try await TestSocket.open(user.node.client)
        let answer = try await socket.command(
            "authenticate",
            ["token": .string(user.token), "resume": .string(word), "last": last])
        return (socket, answer)
    }

    private func say(_ socket: TestSocket, _ room: String, _ numbers: ClosedRange<Int64>)
        async throws
    {
        for number in numbers {
            try await socket.command(
                "instance-data", ["instance": .string(room), "data": .integer(number)])
        }
    }

    private func heard(_ socket: TestSocket) -> [Int64] {
        socket.waiting.filter { $0["command"] == "instance-data" }
            .compactMap { $0["data"]?["data"]?.integerValue }
    }

    @Test(arguments: 0..<4)
    func `who drops and comes back has missed nothing, and nobody has seen them go`(
        _ round: Int
    ) async throws {
        let node = try await Shared.plain.get()
        let (owner, member) = (try await node.user(), try await node.user())
        let friend = try await node.user()
        for (a, b) in [(friend, member), (member, friend)] {
            try await a.client.data(.put, "/api/users/@me/following/\(b.id)")
        }
        let room = try await owner.instance(capacity: 2)
        let host = try await owner.socket()
        try await host.join(room)
        let guest = try await Guest(node, member, "update-user")
        let player = try await guest.socket.join(room)
        try await host.event("instance-joined")
        try await say(host, room, 1...3)
        try await Eventually.holds("three are heard") { _ in heard(guest.socket) == [1, 2, 3] }
        let time = try await host.command("ping")["server"] ?? .null
        host.post(
            "instance-transform",
            ["instance": .string(room), "path": "p:@me/body", "p": [1, 2, 3], "at": time])
        try await guest.socket.event("instance-transform")
        let seen: JSONValue = [
            "avr": last(guest.socket, "avr"), room: last(guest.socket, room),
        ].asJSON
        try await guest.drop()

        try await say(host, room, 4...6)
        try await host.command(
            "instance-data",
            ["instance": .string(room), "data": 7, "to": [.string(player)]])
        try await friend.change("/api/users/@me", ["displayname": "Another name"])
        // The seat is still theirs.
        let late = try await node.user().socket()
        #expect(try await late.refusal("instance-join", ["instance": .string(room)]) == 48)

        let (back, answer) = try await resume(member, guest.word, seen)
        #expect(answer["resumed"] == true && answer["replayed"] == true, "\(answer)")
        #expect(answer["instances"] == [.string(room)], "\(answer)")
        try await Eventually.holds("what was missed") { status in
            status.text = "\(back.waiting)"
            return heard(back) == [4, 5, 6, 7]
        }
        try await back.event("update-user") {
            $0["data"]?["displayname"] == "Another name"
                && ($0["seq"]?.integerValue ?? 0) > (seen["avr"]?.integerValue ?? 0)
        }
        let moved = try await back.event("instance-transform")
        #expect(moved["data"]?["p"] == [1, 2, 3], "\(moved)")
        // From here on it is as it was.
        try await say(host, room, 8...8)
        try await Eventually.holds("what is said now") { _ in heard(back) == [4, 5, 6, 7, 8] }
        try await back.command("instance-data", ["instance": .string(room), "data": 9])
        let said = try await host.event("instance-data")
        #expect(said["data"]?["player"] == .string(player), "\(said)")
        #expect(!host.names.contains("instance-left") && !host.names.contains("instance-joined"))
        let again = try await resume(member, guest.word)
        #expect(again.1["resumed"] == false, "\(again.1)")
        let word = try #require(answer["resume"]?.stringValue)
        #expect(word != guest.word)
        // One that hangs is closed by the one that goes on for it.
        let (third, more) = try await resume(member, word, [room: last(back, room)].asJSON)
        #expect(more["resumed"] == true && more["replayed"] == true, "\(more)")
        #expect(try await back.closed() == .resumedElsewhere)
        try await say(host, room, 10...10)
        try await Eventually.holds("what is said then") { _ in heard(third) == [10] }
        third.close()
        let left = try await host.event("instance-left")
        #expect(left["data"]?["player"] == .string(player), "\(left)")
    }

    @Test func `what was missed comes before what is said while another room is slow`()
        async throws
    {
        var shape = NodeShape()
        shape.ins = 2
        let node = try await TestNode.start(shape)
        let (owner, member) = (try await node.user(), try await node.user())
        let world = try await owner.world()
        // One on each.
        let rooms = [try await owner.instance(of: world), try await owner.instance(of: world)]
        let host = try await owner.socket()
        let guest = try await Guest(node, member)
        var names: [String] = []
        for room in rooms {
            try await host.join(room)
            try await guest.socket.join(room)
            let shown = try await owner.client.data(.get, "/api/instances/\(room)")
            names.append(try #require(shown["ins"]?["name"]?.stringValue))
        }
        #expect(Set(names).count == 2, "\(names)")
        let quick = rooms[0]
        try await say(host, quick, 1...1)
        try await Eventually.holds("one is heard") { _ in heard(guest.socket) == [1] }
        let seen = [quick: last(guest.socket, quick)].asJSON
        try await guest.drop()
        try await say(host, quick, 2...3)

        let slow = node.process(names[1] == "local" ? "ins-1" : names[1])
        slow.send(SIGSTOP)
        let back = try await TestSocket.open(node.client)
        back.post(
            "authenticate",
            ["token": .string(member.token), "resume": .string(guest.word), "last": seen])
        // The quick room has them in again by the time that it says this, the slow one has not.
        try await say(host, quick, 4...9)
        slow.send(SIGCONT)
        try await Eventually.holds("all is heard, in its order") { status in
            status.text = "\(heard(back))"
            return heard(back).count == 8
        }
        #expect(heard(back) == [2, 3, 4, 5, 6, 7, 8, 9])
    }

    @Test func `who has missed too much is told how it is now`() async throws {
        let node = try await Shared.plain.get()
        let (owner, member) = (try await node.user(), try await node.user())
        let room = try await owner.instance()
        let host = try await owner.socket()
        try await host.join(room)
        let guest = try await Guest(node, member)
        try await guest.socket.join(room)
        try await guest.drop()
        let words = JSONValue.string(String(repeating: "x", count: 16_000))
        for _ in 0..<80 {
            try await host.command("instance-data", ["instance": .string(room), "data": words])
        }
        let (back, answer) = try await resume(member, guest.word)
        #expect(
            answer["resumed"] == true && answer["replayed"] == false,
            "\(answer["resumed"] ?? .null)")
        #expect(answer["snapshots"]?[0]?["players"]?.arrayValue?.count == 2)
        try await say(host, room, 1...1)
        try await Eventually.holds("what is said now") { _ in heard(back) == [1] }
    }

    @Test func `nobody resumes what is not theirs`() async throws {
        let node = try await Shared.plain.get()
        let (owner, member) = (try await node.user(), try await node.user())
        let room = try await owner.instance()
        let host = try await owner.socket()
        try await host.join(room)
        for thief in [try await node.user(), try await member.again()] {
            let guest = try await Guest(node, member)
            try await guest.socket.join(room)
            try await guest.drop()
            #expect(try await resume(thief, guest.word).1["resumed"] == false)
        }
        #expect(try await resume(member, "no such word").1["resumed"] == false)
        // Who was banned meanwhile is not in any more.
        let other = try await node.user()
        let guest = try await Guest(node, other)
        try await guest.socket.join(room)
        try await guest.drop()
        try await host.command(
            "instance-moderate",
            ["instance": .string(room), "user": .string(other.reference), "type": 1])
        let (_, answer) = try await resume(other, guest.word)
        #expect(answer["instances"] == [] || answer["resumed"] == false, "\(answer)")
        // Who has logged out has nothing to come back to.
        let gone = try await Guest(node, member)
        try await gone.socket.join(try await owner.instance())
        try await gone.drop()
        try await member.client.data(.delete, "/api/auth/logout")
        let fresh = try await member.again()
        #expect(try await resume(fresh, gone.word).1["resumed"] == false)
    }

    @Test func `who comes back too late has left`() async throws {
        var shape = NodeShape()
        shape.reil = [("sockets.resume_window", "1s")]
        let node = try await TestNode.start(shape)
        let (owner, member) = (try await node.user(), try await node.user())
        let room = try await owner.instance()
        let host = try await owner.socket()
        try await host.join(room)
        let guest = try await Guest(node, member)
        let player = try await guest.socket.join(room)
        try await guest.drop()
        let left = try await host.event("instance-left")
        #expect(left["data"]?["player"] == .string(player), "\(left)")
        #expect(try await resume(member, guest.word).1["resumed"] == false)
    }
}

extension [String: JSONValue] {
    /// The same as an object.
    fileprivate var asJSON: JSONValue {
        var object = JSONObject()
        for (key, value) in self { object[key] = value }
        return .object(object)
    }
}
