import API
import Base
import Domain
import HTTP
import Support
import Testing

/// What nodes tell each other: following across nodes, and what another node may not say.
@Suite struct DeliveryTests {
    private func follow(
        _ user: TestUser, _ whom: String, _ method: Method = .put
    ) async throws -> Answer {
        try await user.client.send(method, "/api/users/@me/following/\(whom)")
    }

    /// The other's entry on a list of one's own; nil where there is none.
    private func entry(
        _ list: String, of user: TestUser, _ other: TestUser
    ) async throws -> JSONValue? {
        let page = try await user.client.data(.get, "/api/users/@me/\(list)")
        return page["items"]?.arrayValue?.first { $0["id"] == .string(other.id) }
    }

    @Test func `two of different nodes follow each other and are friends`() async throws {
        let (a, b) = (try await Shared.plain.get(), try await Shared.other.get())
        let (ada, ben) = (try await a.user(), try await b.user())
        let one = try await follow(ada, "\(ben.name)@\(b.address)")
        #expect(one.status == 200 && one.data?["id"] == .string(ben.id), "\(one)")
        #expect(one.data?["server"] == .string(b.address) && one.data?["isFriend"] == nil)
        #expect(try await follow(ada, ben.reference).code == 37)
        #expect(
            try await ada.client.data(.get, "/api/users/@me")["following"]
                == [.string(ben.reference)])
        try await Eventually.holds("ben has a follower") { status in
            let shown = try await entry("followers", of: ben, ada)
            status.text = "\(shown ?? .null)"
            return shown?["displayname"] != nil && shown?["isFriend"] == nil
        }

        let socket = try await ada.socket("update-user")
        let other = try await ben.socket("update-user")
        let both = try await follow(ben, ada.reference)
        #expect(both.data?["isFriend"] == true, "\(both)")
        try await Eventually.holds("ada has a friend") { status in
            let shown = try await entry("following", of: ada, ben)
            status.text = "\(shown ?? .null)"
            return shown?["isFriend"] == true && shown?["status"] == "online"
        }
        // What one changes at home the other sees, and hears of.
        try await ada.change("/api/users/@me", ["displayname": "Ada of A", "status": "busy"])
        try await other.event("update-user") {
            $0["data"]?["displayname"] == "Ada of A" && $0["data"]?["status"] == "busy"
                && $0["data"]?["isFriend"] == true
        }
        let seen = try await entry("followers", of: ben, ada)
        #expect(seen?["displayname"] == "Ada of A" && seen?["status"] == "busy", "\(seen ?? .null)")
        let found = try await ben.client.data(.get, "/api/users/@me/followers?q=ada%20of")
        #expect(found["items"]?.arrayValue?.count == 1, "\(found)")
        other.close()
        try await socket.event("update-user") { $0["data"]?["status"] == "offline" }

        let left = try await follow(ada, "\(ben.name)@\(b.address)", .delete)
        #expect(left.status == 200 && left.data?["isFriend"] == nil, "\(left)")
        #expect(try await follow(ada, ben.reference, .delete).status == 200)
        try await Eventually.holds("ben has no follower") { _ in
            try await entry("followers", of: ben, ada) == nil
        }
        #expect(try await entry("following", of: ben, ada)?["isFriend"] == nil)
        // An account that is deleted is nobody's friend.
        try await ada.client.data(.delete, "/api/users/@me", ["password": .string(ada.password)])
        try await Eventually.holds("ada is gone at ben's") { _ in
            try await entry("following", of: ben, ada) == nil
        }
    }

    @Test func `who cannot be found is not followed`() async throws {
        let (a, b) = (try await Shared.plain.get(), try await Shared.other.get())
        let ada = try await a.user()
        #expect(try await follow(ada, "\(EndpointFacts.unknown("u"))@\(b.address)").code == 17)
        #expect(try await follow(ada, "nobody_here@\(b.address)").code == 17)
        #expect(try await follow(ada, "nobody_here@\(b.address)", .delete).code == 17)
        #expect(try await follow(ada, "@admin@\(b.address)").code == 17)
        #expect(try await follow(ada, "somebody@127.0.0.1:1").code == 61)
        let administrator = try await a.administrator()
        let bound = try await a.user()
        try await administrator.change("/api/users/\(bound.id)", ["tags": []])
        let ben = try await b.user()
        #expect(try await follow(bound, ben.reference).code == 18)
    }

    @Test func `what could not be told is told when the node is back`() async throws {
        let (a, b) = (try await TestNode.start(), try await TestNode.start())
        let (ada, ben) = (try await a.user(), try await b.user())
        #expect(try await follow(ada, ben.reference).status == 200)
        try await Eventually.holds("ben has a follower") { _ in
            try await entry("followers", of: ben, ada) != nil
        }
        b.process("reil").kill()
        #expect(try await follow(ada, ben.reference, .delete).status == 200)
        // What waits outlives the process that it waits in.
        a.process("eta").kill()
        try await a.start("eta")
        try await a.healthy()
        try await b.start("reil")
        try await b.healthy()
        try await Eventually.holds("ben has no follower", within: .seconds(60)) { _ in
            try await entry("followers", of: ben, ada) == nil
        }
    }

    @Test func `friends of another node enter what is open to friends`() async throws {
        let (a, b) = (try await Shared.plain.get(), try await Shared.other.get())
        let (ada, ben) = (try await a.user(), try await b.user())
        let room = try await ben.instance(["avr:friends_only"])
        let visitor = try await ada.visiting(b)
        #expect(try await visitor.send(.get, "/api/instances/\(room)").code == 36)
        _ = try await follow(ada, ben.reference)
        _ = try await follow(ben, ada.reference)
        try await Eventually.holds("they are friends at b") { _ in
            try await entry("following", of: ben, ada)?["isFriend"] == true
        }
        let socket = try await TestSocket.open(visitor)
        try await socket.event("authenticated")
        try await socket.join(room)
        // Who is invited is told at home.
        let hidden = try await ben.instance(["avr:invite_only"])
        let home = try await ada.socket()
        try await ben.client.data(
            .post, "/api/instances/\(hidden)/candidate", ["user": .string(ada.reference)])
        let told = try await home.event("instance-candidate")
        #expect(told["data"]?["instance"] == .string("\(hidden)@\(b.address)"), "\(told)")
        #expect(told["data"]?["action"] == "invited", "\(told)")
        #expect(told["data"]?["by"] == .string(ben.reference), "\(told)")
        try await socket.event("instance-candidate") { $0["subgroup"] == .string(hidden) }
    }

    // MARK: What another node may not say

    private struct Liar {
        let peer: FakePeer
        let token: String
        let node: TestNode
        let stream: String

        init(_ node: TestNode) async throws {
            peer = try FakePeer.start()
            token = try await peer.token(at: node)
            self.node = node
            stream = "stream-\(SystemRandom().next())"
        }

        func tell(_ items: JSONValue, stream other: String? = nil) async throws -> Answer {
            try await peer.send(
                .put, "/api/deliveries",
                ["stream": .string(other ?? stream), "items": items], to: node, token: token)
        }
    }

    @Test func `a node speaks of its own users only, and to users that there are`() async throws {
        let node = try await Shared.plain.get()
        let ben = try await node.user()
        let liar = try await Liar(node)
        let (own, foreign) = (
            "\(FakePeer.id("u"))@\(liar.peer.address)", "\(FakePeer.id("u"))@elsewhere.example"
        )
        func item(_ id: Int64, _ type: String, _ more: JSONObject) -> JSONValue {
            var item = more
            item["id"] = .integer(id)
            item["type"] = .string(type)
            item["at"] = 1
            return .object(item)
        }
        let target: JSONValue = .string(ben.reference)
        let answer = try await liar.tell([
            item(1, "follow", ["user": .string(foreign), "target": target]),
            item(2, "follow", ["user": .string(ben.reference), "target": target]),
            item(3, "follow", ["user": .string(own), "target": .string(own)]),
            item(
                4, "follow", ["user": .string(own), "target": .string(EndpointFacts.unknown("u"))]),
            item(5, "dance", ["user": .string(own)]),
            item(6, "follow", ["user": 7, "target": target]),
            item(7, "user-deleted", ["user": .string(ben.reference)]),
            item(8, "status", ["user": .string(foreign), "status": "online"]),
            item(9, "follow", ["user": .string(own), "target": target]),
        ])
        let refused = (answer.data?["refused"]?.arrayValue ?? []).map {
            "\($0["id"] ?? .null) \($0["code"] ?? .null)"
        }
        let expected: [(Int64, Int64)] = [
            (1, 41), (2, 41), (3, 17), (4, 17), (5, 29), (6, 29), (7, 41), (8, 41),
        ]
        #expect(
            refused == expected.map { "\(JSONValue.integer($0.0)) \(JSONValue.integer($0.1))" },
            "\(answer)")
        #expect(answer.data?["applied"] == 1, "\(answer)")
        let followers = try await ben.client.data(.get, "/api/users/@me/followers")
        #expect(followers["total"] == 1, "\(followers)")
        #expect(try await node.client.data(.get, "/api/users/\(ben.id)")["id"] == .string(ben.id))

        // What was done is not done again, whatever came of it.
        let again = try await liar.tell([
            item(8, "follow", ["user": .string(own), "target": target]),
            item(9, "unfollow", ["user": .string(own), "target": target]),
        ])
        #expect(again.data?["refused"] == [], "\(again)")
        #expect(
            try await ben.client.data(.get, "/api/users/@me/followers")["total"] == 1)
        let next = try await liar.tell([
            item(12, "unfollow", ["user": .string(own), "target": target])
        ])
        #expect(next.data?["applied"] == 1, "\(next)")
        #expect(
            try await ben.client.data(.get, "/api/users/@me/followers")["total"] == 0)
    }

    @Test func `a node fills nobody's sockets with invitations`() async throws {
        let node = try await Shared.plain.get()
        let (ben, cleo) = (try await node.user(), try await node.user())
        let liar = try await Liar(node)
        let socket = try await ben.socket()
        func invitation(_ id: Int64, _ user: TestUser) -> JSONValue {
            [
                "id": .integer(id), "type": "invite", "at": 1,
                "instance": .string(FakePeer.id("i")),
                "user": .string(user.reference), "action": "invited",
                "by": .string("\(FakePeer.id("u"))@\(liar.peer.address)"),
            ]
        }
        let items = (1...60).map { invitation($0, ben) } + [invitation(61, cleo)]
        let answer = try await liar.tell(.array(items))
        let refused = answer.data?["refused"]?.arrayValue ?? []
        #expect(refused.count == 30 && refused.allSatisfy { $0["code"] == 55 }, "\(answer)")
        #expect(!refused.contains { $0["id"] == 61 }, "\(answer)")
        try await Eventually.holds("thirty invitations") { status in
            status.text = "\(socket.names.count)"
            return socket.names.filter { $0 == "instance-candidate" }.count == 30
        }
    }

    @Test func `a batch that is none is refused as a whole`() async throws {
        let node = try await Shared.plain.get()
        let liar = try await Liar(node)
        func empty(_ id: Int64) -> JSONValue { ["id": .integer(id), "type": "x", "at": 1] }
        let batches: [(JSONValue, Int)] = [
            (.array([empty(2), empty(1)]), 29), (.array([empty(1), empty(1)]), 29),
            (.array([empty(0)]), 29), (.array([["type": "follow"]]), 29),
            (.array((1...101).map(empty)), 29), ("follow", 29),
        ]
        for (items, code) in batches {
            let answer = try await liar.tell(items)
            #expect(answer.code == code, "\(answer)")
        }
        #expect(try await liar.tell([], stream: "x").code == 29)
        // One that says nothing says that its node is there.
        let knock = try await liar.tell([])
        #expect(knock.data == ["applied": 0, "refused": []], "\(knock)")
        let large: JSONValue = [
            "id": 1, "type": "x", "at": 1,
            "padding": .string(String(repeating: "x", count: 300_000)),
        ]
        #expect(try await liar.tell([large]).code == 52)
    }
}
