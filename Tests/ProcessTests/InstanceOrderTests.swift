import API
import Base
import Domain
import HTTP
import Support
import Testing

/// Keeping order in an instance: who may do what about whom, and what comes of it.
@Suite struct InstanceOrderTests {
    private struct Room {
        let id: String
        let owner: TestUser
        let moderator: TestUser
        let host: TestSocket
        let keeper: TestSocket
    }

    /// An instance with its owner and a moderator in it.
    private func room(_ node: TestNode) async throws -> Room {
        let (owner, moderator) = (try await node.user(), try await node.user())
        let id = try await owner.instance(moderators: [moderator])
        let (host, keeper) = (try await owner.socket(), try await moderator.socket())
        try await host.join(id)
        try await keeper.join(id)
        return Room(id: id, owner: owner, moderator: moderator, host: host, keeper: keeper)
    }

    private func order(
        _ type: Int64, _ room: Room, _ user: TestUser, _ more: JSONObject = [:]
    ) -> JSONValue {
        var data = more
        data["instance"] = .string(room.id)
        data["user"] = .string(user.reference)
        data["type"] = .integer(type)
        return .object(data)
    }

    private func joining(_ socket: TestSocket, _ room: Room) async throws -> Int? {
        try await socket.refusal("instance-join", ["instance": .string(room.id)])
    }

    @Test func `order is kept downwards only`() async throws {
        let node = try await Shared.plain.get()
        let room = try await room(node)
        let (administrator, member) = (try await node.administrator(), try await node.user())
        let (ruler, guest) = (try await administrator.socket(), try await member.socket())
        try await ruler.join(room.id)
        try await guest.join(room.id)
        let ranks = [
            (member, guest), (room.moderator, room.keeper), (room.owner, room.host),
            (administrator, ruler),
        ]
        for (rank, (_, socket)) in ranks.enumerated() {
            for (other, (user, _)) in ranks.enumerated() {
                // A warning changes nothing; the master is the owner, and is nobody by that.
                let code = try await socket.refusal("instance-moderate", order(4, room, user))
                #expect(code == (rank > 0 && other < rank ? nil : 4), "\(rank) over \(other)")
            }
        }
        let told = try await guest.event("instance-moderation")
        #expect(told["data"]?["type"] == 4 && told["subgroup"] == .string(room.id), "\(told)")
        #expect(told["data"]?["by"] == .string(room.moderator.reference), "\(told)")
        #expect(told["data"]?["user"] == .string(member.reference), "\(told)")
        // The list is for those who may keep order.
        let path = "/api/instances/\(room.id)/moderation"
        #expect(try await member.client.send(.get, path).code == 4)
        #expect(
            try await member.client.send(
                .put, path, ["user": .string(room.owner.reference), "type": "ban"]
            ).code == 4)
    }

    @Test func `who is kicked is out, and may come again after a minute`() async throws {
        let node = try await TestNode.start()
        let room = try await room(node)
        let member = try await node.user()
        let guest = try await member.socket()
        let player = try await guest.join(room.id)
        #expect(
            try await room.keeper.refusal(
                "instance-moderate",
                [
                    "instance": .string(room.id), "player": .string(player), "type": 0,
                    "reason": "too loud",
                ]) == nil)
        let left = try await guest.event("instance-left")
        #expect(left["data"]?["type"] == 0, "\(left)")
        let others = try await room.host.event("instance-left")
        #expect(others["data"]?["type"] == 0 && others["data"]?["player"] == .string(player))
        let told = try await room.host.event("instance-moderation")
        #expect(told["data"]?["reason"] == "too loud", "\(told)")
        #expect(try await joining(guest, room) == 49)
        // Nobody is listed for it, and there is nobody to kick any more.
        let list = try await room.owner.client.data(
            .get, "/api/instances/\(room.id)/moderation")
        #expect(list["total"] == 0, "\(list)")
        #expect(
            try await room.keeper.refusal("instance-moderate", order(0, room, member)) == 50)
        try await node.client.data(.post, "/api/test/clock", ["offset_ms": 59_000])
        #expect(try await joining(guest, room) == 49)
        try await node.client.data(.post, "/api/test/clock", ["offset_ms": 61_000])
        try await Eventually.holds("a kick ends") { _ in try await joining(guest, room) == nil }
    }

    @Test func `a ban holds for the user until it is lifted or ends`() async throws {
        let node = try await TestNode.start()
        let room = try await room(node)
        let member = try await node.user()
        let (guest, second) = (try await member.socket(), try await member.socket())
        try await guest.join(room.id)
        try await second.join(room.id)
        try await room.keeper.command("instance-moderate", order(1, room, member))
        for socket in [guest, second] {
            #expect(try await socket.event("instance-left")["data"]?["type"] == 2)
            #expect(try await joining(socket, room) == 49)
        }
        let path = "/api/instances/\(room.id)/moderation"
        #expect(
            try await member.client.send(.post, "/api/instances/\(room.id)/candidate", [:]).code
                == 49)
        #expect(
            try await room.owner.client.send(
                .post, "/api/instances/\(room.id)/candidate",
                ["user": .string(member.reference)]
            ).code == 49)
        // It outlives the processes.
        for name in ["eta", "reil"] {
            node.process(name).kill()
            try await node.start(name)
        }
        try await node.healthy()
        let again = try await member.socket()
        try await Eventually.holds("the instance is there again") { status in
            let code = try await joining(again, room)
            status.text = "\(code.map { "\($0)" } ?? "entered")"
            return code == 49
        }
        let list = try await room.owner.client.data(.get, path)
        #expect(list["items"]?[0]?["type"] == "ban", "\(list)")
        #expect(list["items"]?[0]?["by"] == .string(room.moderator.reference), "\(list)")

        try await room.owner.client.data(
            .delete, path, ["user": .string(member.reference), "type": "ban"])
        #expect(try await joining(again, room) == nil)
        let none = try await room.owner.client.send(
            .delete, path, ["user": .string(member.reference)])
        #expect(none.code == 17, "\(none)")

        // One with an end ends.
        let now = try await node.client.data(.get, "/api/time").integerValue ?? 0
        let soon: JSONValue = [
            "user": .string(member.reference), "type": "ban", "until": .integer(now + 600_000),
            "reason": "for today",
        ]
        let made = try await room.owner.client.send(.put, path, soon)
        #expect(made.status == 201 && made.data?["until"] == .integer(now + 600_000), "\(made)")
        try await again.event("instance-left")
        #expect(try await joining(again, room) == 49)
        try await node.client.data(.post, "/api/test/clock", ["offset_ms": 601_000])
        try await Eventually.holds("a ban ends") { _ in try await joining(again, room) == nil }
        let past = try await room.owner.client.send(.put, path, soon)
        #expect(past.code == 33 && past.problems == ["until"], "\(past)")
    }

    @Test func `who is muted says nothing until that ends, here or after coming again`()
        async throws
    {
        let node = try await Shared.plain.get()
        let room = try await room(node)
        let member = try await node.user()
        let guest = try await member.socket()
        try await guest.join(room.id)
        func say() async throws -> Int? {
            try await guest.refusal("instance-data", ["instance": .string(room.id), "data": 1])
        }
        #expect(try await say() == nil)
        try await room.keeper.command("instance-moderate", order(2, room, member))
        #expect(try await guest.event("instance-moderation")["data"]?["type"] == 2)
        #expect(try await say() == 71)
        let late = try await node.user().socket()
        let snapshot = try await late.command("instance-join", ["instance": .string(room.id)])
        let muted = (snapshot["players"]?.arrayValue ?? []).filter { $0["muted"] == true }
        #expect(muted.compactMap { $0["user"]?.stringValue } == [member.reference])
        let held = try await member.client.data(.get, "/api/users/@me/export")["sanctions"]
        #expect(held?.arrayValue?.count == 1 && held?[0]?["type"] == "mute", "\(held ?? .null)")
        try await guest.command("instance-leave", ["instance": .string(room.id)])
        try await guest.join(room.id)
        #expect(try await say() == 71)
        try await room.keeper.command("instance-moderate", order(3, room, member))
        #expect(try await say() == nil)
        // Nothing to lift is no harm.
        try await room.keeper.command("instance-moderate", order(3, room, member))
        try await room.keeper.command("instance-moderate", order(5, room, member))
    }

    @Test func `what cannot be done is told`() async throws {
        let node = try await Shared.plain.get()
        let room = try await room(node)
        let member = try await node.user()
        for type: JSONValue in [6, -1, "0", .null] {
            let data: JSONValue = [
                "instance": .string(room.id), "user": .string(member.reference), "type": type,
            ]
            #expect(try await room.keeper.refusal("instance-moderate", data) == 40, "\(type)")
        }
        let unknown: [JSONObject] = [
            ["user": .string(EndpointFacts.unknown("u"))],
            ["player": .string(EndpointFacts.unknown("p"))], ["player": "somebody"], [:],
        ]
        for var data in unknown {
            data["instance"] = .string(room.id)
            data["type"] = 1
            #expect(
                try await room.keeper.refusal("instance-moderate", .object(data)) == 50,
                "\(data)")
        }
        #expect(
            try await room.keeper.refusal(
                "instance-moderate", ["user": .string(member.reference), "type": 1]) == 36)
        // A player of another instance is none of this one.
        let elsewhere = try await member.socket()
        let player = try await elsewhere.join(try await member.instance())
        #expect(
            try await room.keeper.refusal(
                "instance-moderate",
                ["instance": .string(room.id), "player": .string(player), "type": 1]) == 50)
    }

    @Test func `an instance is handed over to a member`() async throws {
        let node = try await Shared.plain.get()
        let room = try await room(node)
        let member = try await node.user()
        let path = "/api/instances/\(room.id)"
        let heir: JSONValue = ["owner": .string(member.reference)]
        #expect(try await room.owner.client.send(.post, path, heir).code == 33)
        let guest = try await member.socket()
        let player = try await guest.join(room.id)
        #expect(try await room.moderator.client.send(.post, path, heir).code == 4)
        let handed = try await room.owner.client.data(.post, path, heir)
        #expect(handed["owner"] == .string(member.reference), "\(handed)")
        #expect(handed["master"] == .string(player), "\(handed)")
        #expect(try await room.owner.client.send(.delete, path).code == 4)
        try await guest.command("instance-moderate", order(0, room, room.moderator))
        #expect(try await room.keeper.event("instance-left")["data"]?["type"] == 0)
        try await member.client.data(.delete, path)
        try await room.host.event("instance-left") { $0["data"]?["type"] == 3 }
    }
}
