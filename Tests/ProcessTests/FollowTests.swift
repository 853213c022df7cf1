import API
import Base
import Domain
import HTTP
import Support
import Testing

/// Following: who sees what of whom, and whose instances are open to friends.
@Suite struct FollowTests {
    private func follow(
        _ user: TestUser, _ whom: String, _ method: Method = .put
    ) async throws -> Answer {
        try await user.client.send(method, "/api/users/@me/following/\(whom)")
    }

    private func befriend(_ a: TestUser, _ b: TestUser) async throws {
        #expect(try await follow(a, b.id).status == 200)
        #expect(try await follow(b, a.name).status == 200)
    }

    @Test func `two who follow each other are friends, and see more of each other`() async throws {
        let node = try await Shared.plain.get()
        let (ada, ben) = (try await node.user(), try await node.user())
        let one = try await follow(ada, ben.name)
        #expect(one.status == 200 && one.data?["id"] == .string(ben.id), "\(one)")
        #expect(one.data?["isFriend"] == nil, "\(one)")
        let again = try await follow(ada, ben.id)
        #expect(again.status == 409 && again.code == 37, "\(again)")
        let both = try await follow(ben, ada.reference)
        #expect(both.data?["isFriend"] == true && both.data?["status"] == "offline", "\(both)")
        let shown = try await ada.client.data(.get, "/api/users/\(ben.name)")
        #expect(shown["isFriend"] == true, "\(shown)")
        #expect(shown["following_at"]?.integerValue ?? 0 > 0 && shown["email"] == nil, "\(shown)")
        for other in [try await node.user().client, node.client] {
            #expect(try await other.data(.get, "/api/users/\(ben.id)")["isFriend"] == nil)
        }
        let me = try await ada.client.data(.get, "/api/users/@me")
        #expect(me["following"] == [.string(ben.reference)], "\(me)")

        let left = try await follow(ada, ben.id, .delete)
        #expect(left.status == 200 && left.data?["isFriend"] == nil, "\(left)")
        #expect(try await follow(ada, ben.id, .delete).status == 200)
        #expect(try await ben.client.data(.get, "/api/users/\(ada.id)")["isFriend"] == nil)
        #expect(try await ada.client.data(.get, "/api/users/@me")["following"] == [])
    }

    @Test func `friends see the status of who has a socket, and who else is online`() async throws {
        let node = try await TestNode.start()
        let (ada, ben) = (try await node.user(), try await node.user())
        let (cleo, dan) = (try await node.user(), try await node.user())
        try await befriend(ada, ben)
        try await befriend(dan, ada)
        // One who follows and is not followed is no friend.
        #expect(try await follow(ada, cleo.id).status == 200)
        let other = try await cleo.socket()
        func seen(_ expected: JSONValue) async throws {
            try await Eventually.holds("ben is \(expected)") { status in
                let shown = try await ada.client.data(.get, "/api/users/\(ben.id)")
                let followed = try await ada.client.data(.get, "/api/users/@me/following")
                let listed = try await ada.client.data(.get, "/api/users?online=true")
                status.text = "\(shown) \(followed) \(listed)"
                let items = listed["items"]?.arrayValue ?? []
                let entry = followed["items"]?.arrayValue?.first { $0["id"] == .string(ben.id) }
                let isListed = items.contains { $0["id"] == .string(ben.id) }
                return shown["status"] == expected && entry?["status"] == expected
                    && isListed == (expected != "offline")
                    && listed["total"] == .integer(Int64(items.count)) && items.count <= 1
            }
        }
        func say(_ status: JSONValue) async throws {
            let me = try await ben.client.data(.post, "/api/users/@me", ["status": status])
            #expect(me["status"] == status, "\(me)")
        }
        try await seen("offline")
        let (first, second) = (try await ben.socket(), try await ben.socket())
        try await seen("online")
        first.close()
        _ = try await first.closed()
        try await say("busy")
        try await seen("busy")
        try await say("offline")
        try await seen("offline")
        try await say("away")
        // A registry that starts hears of everybody.
        node.process("eta").kill()
        try await node.start("eta")
        try await node.healthy()
        try await seen("away")
        let none = try await ada.client.data(.get, "/api/users?online=true&q=\(dan.name)")
        #expect(none["items"] == [] && none["total"] == 0, "\(none)")
        second.close()
        try await seen("offline")
        #expect(other.closeCode == nil)

        #expect(try await node.client.send(.get, "/api/users?online=true").code == 3)
        #expect(try await ada.client.send(.get, "/api/users?online=maybe").code == 14)
        let all = try await node.client.data(.get, "/api/users?online=false")
        #expect(all["items"]?.arrayValue?.count ?? 0 >= 4, "\(all)")
    }

    @Test func `whom one follows is one's own business, how many is everybody's`() async throws {
        let node = try await Shared.plain.get()
        let (ada, stranger) = (try await node.user(), try await node.user())
        var others: [TestUser] = []
        for _ in 0..<5 { others.append(try await node.user()) }
        for other in others { #expect(try await follow(ada, other.id).status == 200) }
        for other in others.prefix(2) { #expect(try await follow(other, ada.id).status == 200) }
        let target = "/api/users/\(ada.id)/following"
        var found: [String] = []
        var next: String? = ""
        while let after = next {
            let page = try await ada.client.data(
                .get, "\(target)?limit=2" + (after.isEmpty ? "" : "&after=\(after)"))
            #expect(page["total"] == 5, "\(page)")
            found += page["items"]?.arrayValue?.compactMap { $0["id"]?.stringValue } ?? []
            next = page["next"]?.stringValue
        }
        #expect(found.sorted() == others.map(\.id).sorted())
        let friends = try await ada.client.data(.get, target)["items"]?.arrayValue ?? []
        #expect(friends.count { $0["isFriend"] == true } == 2, "\(friends)")
        let followers = try await ada.client.data(.get, "/api/users/@me/followers")
        #expect(
            Set(followers["items"]?.arrayValue?.compactMap { $0["id"]?.stringValue } ?? [])
                == Set(others.prefix(2).map(\.id)), "\(followers)")
        let searched = try await ada.client.data(.get, "\(target)?q=\(others[3].name.uppercased())")
        #expect(searched["items"]?[0]?["id"] == .string(others[3].id), "\(searched)")
        for (path, total) in [(target, 5), ("/api/users/\(ada.id)/followers", 2)] {
            let counted = try await stranger.client.data(.get, path)
            #expect(counted["items"] == [] && counted["next"] == .null, "\(counted)")
            #expect(counted["total"] == .integer(Int64(total)), "\(counted)")
        }
        let administrator = try await node.administrator()
        let all = try await administrator.client.data(.get, target)
        #expect(all["items"]?.arrayValue?.count == 5)
        #expect(try await node.client.send(.get, target).code == 3)
        // Who goes is followed by nobody, and follows nobody.
        let gone = others[0]
        try await gone.client.data(.delete, "/api/users/@me", ["password": .string(gone.password)])
        #expect(try await ada.client.data(.get, target)["total"] == 4)
        #expect(try await ada.client.data(.get, "/api/users/@me/followers")["total"] == 1)
    }

    @Test func `oneself, nobody, and who is elsewhere cannot be followed`() async throws {
        let node = try await Shared.plain.get()
        let ada = try await node.user()
        for own in [ada.id, ada.name, "@me"] {
            let answer = try await follow(ada, own)
            #expect(answer.status == 400 && answer.code == 14, "\(own): \(answer)")
        }
        for nobody in [EndpointFacts.unknown("u"), "nobody_at_all", "!"] {
            #expect(try await follow(ada, nobody).code == 17, "\(nobody)")
        }
        let far = try await follow(ada, "\(FakePeer.id("u"))@nowhere.invalid")
        #expect(far.code == 5 || far.code == 6, "\(far)")
        #expect(try await node.client.send(.put, "/api/users/@me/following/\(ada.id)").code == 3)
    }

    @Test func `friends hear what the other changes, and when they come and go`() async throws {
        let node = try await Shared.plain.get()
        let (ada, ben, cleo) = (
            try await node.user(), try await node.user(), try await node.user()
        )
        try await befriend(ada, ben)
        #expect(try await follow(cleo, ben.id).status == 200)
        let (listening, stranger) = (
            try await ada.socket("update-user"), try await cleo.socket("update-user")
        )
        let deaf = try await ada.socket()
        let socket = try await ben.socket()
        let came = try await listening.event("update-user") {
            $0["data"]?["id"] == .string(ben.id) && $0["data"]?["status"] == "online"
        }
        #expect(came["data"]?["isFriend"] == true && came["subgroup"] == "avr", "\(came)")
        try await ben.change("/api/users/@me", ["displayname": "Ben the second"])
        try await listening.event("update-user") {
            $0["data"]?["displayname"] == "Ben the second" && $0["data"]?["email"] == nil
        }
        socket.close()
        try await listening.event("update-user") { $0["data"]?["status"] == "offline" }
        #expect(!stranger.told("update-user").contains(ben.id), "\(stranger.waiting)")
        #expect(!deaf.names.contains("update-user"), "\(deaf.names)")
    }

    @Test func `an instance for friends is seen and entered by them, and by nobody else`()
        async throws
    {
        let node = try await Shared.plain.get()
        let (owner, friend, fan) = (
            try await node.user(), try await node.user(), try await node.user()
        )
        let stranger = try await node.user()
        try await befriend(owner, friend)
        // Following alone makes no friend.
        #expect(try await follow(fan, owner.id).status == 200)
        for tag in ["avr:friends_only", "avr:friends_plus"] {
            let room = try await owner.instance([tag])
            // Who is there first would be master, and open it to friends of their own.
            let host = try await owner.socket()
            try await host.join(room)
            let listed = "/api/instances?owner=\(owner.reference)&tag=\(tag)"
            for other in [fan, stranger] {
                let hidden = try await other.client.send(.get, "/api/instances/\(room)")
                #expect(hidden.code == 36, "\(tag): \(hidden)")
                #expect(try await other.client.data(.get, listed)["items"] == [])
                let socket = try await other.socket()
                #expect(
                    try await socket.refusal("instance-join", ["instance": .string(room)]) == 36)
            }
            let shown = try await friend.client.data(.get, listed)
            #expect(shown["items"]?[0]?["id"] == .string(room), "\(tag): \(shown)")
            let socket = try await friend.socket()
            try await socket.join(room)
            // A friend of a member comes in where the tag says so.
            let further = try await node.user()
            try await befriend(further, friend)
            let guest = try await further.socket()
            let code = try await guest.refusal("instance-join", ["instance": .string(room)])
            #expect((code == nil) == (tag == "avr:friends_plus"), "\(tag): \(code ?? 0)")
            // Who is a friend no more, and not inside, is out again.
            for socket in code == nil ? [guest, socket] : [socket] {
                try await socket.command("instance-leave", ["instance": .string(room)])
            }
            #expect(try await follow(friend, owner.id, .delete).status == 200)
            let out = try await friend.client.send(.get, "/api/instances/\(room)")
            #expect(out.code == 36, "\(tag): \(out)")
            #expect(try await follow(friend, owner.id).status == 200)
        }
        let invited = try await owner.instance(["avr:invite_only"])
        let seen = try await friend.client.send(.get, "/api/instances/\(invited)")
        #expect(seen.status == 200, "\(seen)")
        let socket = try await friend.socket()
        #expect(try await socket.refusal("instance-join", ["instance": .string(invited)]) == 49)
    }

    @Test func `one's own sockets hear whom one follows`() async throws {
        let node = try await Shared.plain.get()
        let (ada, ben) = (try await node.user(), try await node.user())
        let socket = try await ada.socket("update-user")
        #expect(try await follow(ada, ben.id).status == 200)
        let told = try await socket.event("update-user") {
            $0["data"]?["following"] == [.string(ben.reference)]
        }
        #expect(told["data"]?["id"] == .string(ada.id), "\(told)")
    }
}
