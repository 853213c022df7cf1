import API
import Base
import Domain
import HTTP
import Support
import Testing

/// What a client hears over its socket: the answers to its commands, and of what changes elsewhere
/// that which it subscribed to and may know of.
///
/// That something is *not* told is seen by what is told behind it: one socket hears in order.
@Suite struct SocketTests {
    @Test func `a login is told of, behind the answer where there was a command`() async throws {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let atOnce = try await TestSocket.open(user.client)
        let told = try await atOnce.event("authenticated")
        #expect(told["subgroup"] == "avr" && told["seq"] == 1 && told["state"] == nil, "\(told)")
        #expect(told["data"]?["user"] == .string(user.reference), "\(told)")
        #expect(told["data"]?["internal"] == true, "\(told)")
        let first = try #require(told["data"]?["resume"]?.stringValue)
        // Also by the address, also without a subprotocol; then the command needs no credential.
        let plain = try await TestSocket.open(
            node.client, target: "/api/ws?token=\(user.token)", subprotocols: [])
        try await plain.event("authenticated")
        let repeated = try await plain.command("authenticate")
        #expect(repeated["user"] == .string(user.reference), "\(repeated)")

        let later = try await TestSocket.open(node.client)
        #expect(try await later.refusal("subscribe", ["events": ["update"]]) == 3)
        // Without a state the answer stands among the events, so that their order is seen.
        later.send(text: #"{"command":"authenticate","data":{"token":"\#(user.token)"}}"#)
        try await Eventually.holds("answer and event") { _ in later.waiting.count == 2 }
        #expect(later.names == ["authenticate", "authenticated"])
        let answer = later.waiting[0]
        #expect(answer["state"] == nil && answer["seq"] == nil, "\(answer)")
        #expect(answer["data"]?["user"] == .string(user.reference), "\(answer)")
        #expect(answer["data"]?["resumed"] == false && answer["data"]?["replayed"] == false)
        // An id to resume by is used once, so every login has one of its own, of 256 bits.
        let second = try #require(answer["data"]?["resume"]?.stringValue)
        #expect(later.waiting[1]["data"]?["resume"] == .string(second))
        #expect(first != second && Base64.decodeURL(second)?.count == 32, "\(second)")
    }

    @Test func `what authenticate shows must be one credential of its kind`() async throws {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let socket = try await TestSocket.open(node.client)
        #expect(try await socket.refusal("authenticate") == 22)
        #expect(
            try await socket.refusal(
                "authenticate", ["token": .string(user.token), "integrity": "avr_i_x"]) == 22)
        let dead = "avr_i_" + String(repeating: "A", count: 43)
        #expect(try await socket.refusal("authenticate", ["integrity": .string(dead)]) == 35)
        #expect(try await socket.refusal("authenticate", ["token": "nonsense"]) == 3)
        try await socket.command("authenticate", ["token": .string(user.token)])
    }

    @Test func `another login leaves everything of the one before`() async throws {
        let node = try await Shared.plain.get()
        let (ada, ben) = (try await node.user(), try await node.user())
        let room = try await ben.instance()
        let other = try await ben.socket()
        try await other.join(room)
        let socket = try await ada.socket("update")
        let player = try await socket.join(room)
        // The same user again: nothing is left by that.
        try await socket.command("authenticate", ["token": .string(ada.token)])
        try await socket.command("instance-data", ["instance": .string(room), "data": 1])
        try await other.event("instance-data")
        try await socket.command("authenticate", ["token": .string(ben.token)])
        let left = try await other.event("instance-left")
        #expect(left["data"]?["player"] == .string(player), "\(left)")
        #expect(
            try await socket.refusal("instance-data", ["instance": .string(room), "data": 1]) == 39)
        let events = try await socket.command("subscribe", ["events": ["ping"]])["events"]
        #expect(events == ["ping"], "\(events ?? .null)")
    }

    @Test func `subscriptions are answered and then told, all that there are now`() async throws {
        let node = try await Shared.plain.get()
        let socket = try await node.user().socket()
        socket.send(text: #"{"command":"subscribe","data":{"events":["update-user","update"]}}"#)
        socket.send(text: #"{"command":"unsubscribe","data":{"event":"update-user"}}"#)
        try await Eventually.holds("both answers and events") { _ in socket.waiting.count == 4 }
        #expect(socket.names == ["subscribe", "subscribed", "unsubscribe", "unsubscribed"])
        let told = socket.waiting.map { $0["data"]?["events"] }
        #expect(told[0] == told[1] && told[2] == told[3])
        let first = Set((told[0]?.arrayValue ?? []).compactMap(\.stringValue))
        #expect(first == ["update", "update-user"], "\(told)")
        #expect(told[2] == ["update"], "\(told)")
        #expect(socket.waiting[1]["seq"] == 2 && socket.waiting[3]["seq"] == 3)
    }

    @Test func `an event that there is not is refused, and so is what stands beside it`()
        async throws
    {
        let node = try await Shared.plain.get()
        let socket = try await node.user().socket()
        for command in ["subscribe", "unsubscribe"] {
            let lists: [JSONValue] = [
                ["update-world", "update-weather"], ["instance-"], [""], [],
            ]
            for events in lists {
                #expect(try await socket.refusal(command, ["events": events]) == 72, "\(events)")
            }
            #expect(try await socket.refusal(command, ["event": "Update"]) == 72)
            #expect(try await socket.refusal(command) == 72)
        }
        let events = try await socket.command("subscribe", ["event": "update-user"])["events"]
        #expect(events == ["update-user"], "\(events ?? .null)")
        try await socket.event("subscribed")
        #expect(socket.waiting.isEmpty, "\(socket.waiting)")
    }

    @Test func `a group covers its events, and what is not subscribed to does not come`()
        async throws
    {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let (world, room) = (try await user.world(), try await user.instance())
        func changeAll(_ title: String) async throws {
            try await user.change("/api/worlds/\(world)", ["title": .string(title)])
            try await user.change("/api/users/@me", ["displayname": .string(title)])
            try await user.change("/api/instances/\(room)", ["title": .string(title)])
        }
        let socket = try await user.socket("update-instance", "instance", "authentication")
        try await changeAll("first")
        try await socket.event("update-instance") { $0["data"]?["title"] == "first" }
        #expect(socket.waiting.isEmpty, "\(socket.waiting)")

        // The node counts itself now and then, and tells those who listen to `update`.
        func waiting() -> [JSONValue] {
            socket.waiting.filter { $0["command"] != "update-server" }
        }
        for group in ["update", "all"] {
            try await socket.command("subscribe", ["events": [.string(group)]])
            try await socket.event("subscribed")
            try await changeAll(group)
            try await socket.event("update-world") { $0["data"]?["title"] == .string(group) }
            try await socket.event("update-user") { $0["data"]?["displayname"] == .string(group) }
            try await socket.event("update-instance") { $0["data"]?["title"] == .string(group) }
            // What was subscribed to twice comes once.
            #expect(waiting().isEmpty, "\(waiting())")
            try await socket.command("unsubscribe", ["events": [.string(group)]])
            try await socket.event("unsubscribed")
        }
        try await changeAll("last")
        try await socket.event("update-instance") { $0["data"]?["title"] == "last" }
        #expect(waiting().isEmpty, "\(waiting())")
    }

    @Test func `of a private world those hear who may see it, to its end`() async throws {
        let node = try await Shared.plain.get()
        let (owner, friend, stranger) = (
            try await node.user(), try await node.user(), try await node.user()
        )
        let hidden = try await owner.world(["avr:private"])
        try await owner.change(
            "/api/worlds/\(hidden)", ["contributors": [.string(friend.reference)]])
        let open = try await owner.world()
        let seeing = [
            try await owner.socket("update-world"), try await friend.socket("update-world"),
            try await node.administrator().socket("update"),
        ]
        let blind = try await stranger.socket("update")

        for world in [hidden, open] {
            try await owner.change("/api/worlds/\(world)", ["title": "Anew"])
        }
        for socket in seeing {
            let told = try await socket.event("update-world") {
                $0["data"]?["id"] == .string(hidden)
            }
            #expect(told["data"]?["title"] == "Anew" && told["subgroup"] == "avr", "\(told)")
        }
        try await blind.event("update-world") { $0["data"]?["id"] == .string(open) }
        #expect(!blind.told("update-world").contains(hidden))

        for world in [hidden, open] {
            try await owner.client.data(.delete, "/api/worlds/\(world)")
        }
        for socket in seeing {
            let told = try await socket.event("update-world") {
                $0["data"]?["id"] == .string(hidden) && $0["data"]?["deleted"] == true
            }
            #expect(told["data"]?["title"] == nil, "\(told)")
        }
        let gone = try await blind.event("update-world") { $0["data"]?["id"] == .string(open) }
        #expect(gone["data"] == ["id": .string(open), "deleted": true], "\(gone)")
        #expect(!blind.told("update-world").contains(hidden))
    }

    @Test func `who is in an instance of a private world hears of it`() async throws {
        let node = try await Shared.plain.get()
        let (owner, guest) = (try await node.user(), try await node.user())
        let world = try await owner.world(["avr:private"])
        let room = try await owner.instance(of: world)
        let socket = try await guest.socket("update-world")
        try await socket.join(room)
        try await owner.change("/api/worlds/\(world)", ["title": "For those inside"])
        try await socket.event("update-world") { $0["data"]?["title"] == "For those inside" }
        try await socket.command("instance-leave", ["instance": .string(room)])
        let open = try await owner.world()
        for id in [world, open] {
            try await owner.change("/api/worlds/\(id)", ["title": "For all"])
        }
        try await socket.event("update-world") {
            $0["data"]?["id"] == .string(open) && $0["data"]?["title"] == "For all"
        }
        #expect(!socket.told("update-world").contains(world), "\(socket.waiting)")
    }

    @Test func `of a private instance its own people hear, to its end`() async throws {
        let node = try await Shared.plain.get()
        let (owner, moderator, stranger) = (
            try await node.user(), try await node.user(), try await node.user()
        )
        let seeing = [
            try await owner.socket("update-instance"), try await moderator.socket("update"),
        ]
        let blind = try await stranger.socket("update-instance")
        let world = try await owner.world()
        let hidden = try await owner.instance(of: world, ["avr:private"], moderators: [moderator])
        let open = try await owner.instance(of: world)
        func isOf(_ id: String, _ event: JSONValue) -> Bool { event["data"]?["id"] == .string(id) }
        for socket in seeing { try await socket.event("update-instance") { isOf(hidden, $0) } }
        try await blind.event("update-instance") { isOf(open, $0) }

        // Who comes and goes changes the instance, too; who is in is for those who are.
        let host = try await owner.socket()
        let player = try await host.join(hidden)
        try await host.join(open)
        for socket in seeing {
            let told = try await socket.event("update-instance") {
                isOf(hidden, $0) && $0["data"]?["connected"] == 1
            }
            #expect(told["data"]?["master"] == .string(player), "\(told)")
            #expect(told["data"]?["players"]?.arrayValue == nil, "\(told)")
        }
        try await blind.event("update-instance") {
            isOf(open, $0) && $0["data"]?["connected"] == 1
        }
        for room in [hidden, open] {
            try await owner.client.data(.delete, "/api/instances/\(room)")
        }
        for socket in seeing {
            let told = try await socket.event("update-instance") {
                isOf(hidden, $0) && $0["data"]?["deleted"] == true
            }
            #expect(told["data"] == ["id": .string(hidden), "deleted": true], "\(told)")
        }
        try await blind.event("update-instance") {
            isOf(open, $0) && $0["data"]?["deleted"] == true
        }
        #expect(!blind.told("update-instance").contains(hidden), "\(blind.waiting)")
    }

    @Test func `of a user they themself hear all, companions what is public, others nothing`()
        async throws
    {
        let node = try await Shared.plain.get()
        let name = "mail\(SystemRandom().next() % 1_000_000_000)"
        let user = try await node.user(name, email: "\(name)@example.org")
        let (companion, stranger) = (try await node.user(), try await node.user())
        let room = try await user.instance()
        let own = try await user.socket("update-user")
        let near = try await companion.socket("update-user")
        let far = try await stranger.socket("update-user", "update-world")
        try await own.join(room)
        try await near.join(room)
        try await user.change("/api/users/@me", ["displayname": "Renamed"])
        let world = try await user.world()
        let mine = try await own.event("update-user")
        #expect(mine["data"]?["id"] == .string(user.id), "\(mine)")
        #expect(mine["data"]?["email"] == .string("\(name)@example.org"), "\(mine)")
        let theirs = try await near.event("update-user")
        #expect(theirs["data"]?["displayname"] == "Renamed", "\(theirs)")
        #expect(theirs["data"]?["email"] == nil && theirs["data"]?["home"] == nil, "\(theirs)")
        try await far.event("update-world") { $0["data"]?["id"] == .string(world) }
        #expect(far.told("update-user").isEmpty, "\(far.waiting)")

        // Behind them nobody is in there with the one who is gone.
        try await near.command("instance-leave", ["instance": .string(room)])
        try await user.change("/api/users/@me", ["displayname": "Unheard"])
        try await companion.change("/api/users/@me", ["displayname": "Myself"])
        try await near.event("update-user") { $0["data"]?["displayname"] == "Myself" }
        #expect(near.told("update-user").isEmpty, "\(near.waiting)")
    }
}
