import Base
import Domain
import HTTP
import Testing

/// Accounts: who may see and change what, and that all of one goes when it goes.
struct UserTests {
    @Test func `a user is found by id, by name in any case, and by the words for people`()
        async throws
    {
        let eta = try await TestRegistry()
        let ada = try await eta.user("ada_l")
        #expect(await eta.ask("GET", "/api/users/@admin").code == 17)
        let root = try await eta.user("root_1", tags: [.admin])
        for path in ["\(ada.id)", "ada_l", "ADA_L", "\(ada.id)@a.example:3032"] {
            #expect(await eta.ask("GET", "/api/users/\(path)")["username"] == "ada_l")
        }
        let me = await eta.ask("GET", "/api/users/@me", as: .user(ada))
        #expect(me["id"] == .string(ada.id.text) && me["status"] == "online")
        #expect(me["email"] == .null && me["following"] == [])
        #expect(await eta.ask("GET", "/api/users/@me").code == 3)
        #expect(await eta.ask("GET", "/api/users/@admin")["id"] == .string(root.id.text))
        #expect(await eta.ask("GET", "/api/users/@root")["username"] == "server")
        #expect(await eta.ask("GET", "/api/users/nobody").code == 17)
        #expect(await eta.ask("GET", "/api/users/!").code == 17)
        let other = await eta.ask("GET", "/api/users/ada_l", as: .user(root))
        #expect(other["email"] == nil && other["display"] == "ada_l")
        #expect(await eta.ask("POST", "/api/users/ada_l@b.example", as: .user(ada), [:]).code == 41)
        #expect(
            await eta.ask("GET", "/api/users/ada_l@b.example?server=c.example").code == 29)
    }

    @Test func `the main administrator is the one who was named, as long as that is one`()
        async throws
    {
        let eta = try await TestRegistry(["eta.admin": "ada_l"])
        let ada = try await eta.user("ada_l")
        let root = try await eta.user("root_1", tags: [.admin])
        #expect(await eta.ask("GET", "/api/users/@admin")["id"] == .string(root.id.text))
        let tags: JSONValue = ["tags": ["avr:admin"]]
        #expect(await eta.ask("POST", "/api/users/ada_l", as: .user(root), tags).status == 200)
        #expect(await eta.ask("GET", "/api/users/@admin")["id"] == .string(ada.id.text))
    }

    @Test func `a list is searched by both names and by tag, and its pages hold when others come`()
        async throws
    {
        let eta = try await TestRegistry()
        for number in 10..<20 { _ = try await eta.user("user_\(number)") }
        let bot = try await eta.user("machine", tags: [.bot])
        _ = await eta.ask("POST", "/api/users/@me", as: .user(bot), ["displayname": "Öl Kanne"])
        let first = await eta.ask("GET", "/api/users?limit=4")
        #expect(first.items.count == 4 && first["total"] == 11)
        _ = try await eta.user("late_one")
        var seen = first.ids
        var next = first["next"]?.stringValue
        while let cursor = next {
            let page = await eta.ask("GET", "/api/users?limit=4&after=\(cursor)")
            seen += page.ids
            next = page["next"]?.stringValue
        }
        #expect(seen.count == 12 && Set(seen).count == 12)
        #expect(await eta.ask("GET", "/api/users?q=USER_1").items.count == 10)
        #expect(await eta.ask("GET", "/api/users?q=%C3%B6l")["total"] == 1)
        #expect(await eta.ask("GET", "/api/users?tag=avr:bot").ids == [bot.id.text])
        #expect(await eta.ask("GET", "/api/users?q=%25").items.isEmpty)
        let bad = await eta.ask("GET", "/api/users?limit=0&tag=Bad&after=%21")
        #expect(bad.code == 14 && Set(bad.badFields) == ["limit", "tag", "after"])
    }

    @Test func `an update changes what it names, null clears, and names stay unique`()
        async throws
    {
        let eta = try await TestRegistry()
        let ada = try await eta.user("ada_l")
        _ = try await eta.user("ben_m")
        let changed = await eta.ask(
            "POST", "/api/users/@me", as: .user(ada),
            ["username": "Ada_K", "display": "Ada K.", "description": "Here", "status": "busy"])
        #expect(changed["username"] == "Ada_K" && changed["displayname"] == "Ada K.")
        #expect(changed["description"] == "Here" && changed["status"] == "busy")
        let cleared = await eta.ask(
            "POST", "/api/users/@me", as: .user(ada), ["description": .null])
        #expect(cleared["description"] == .null && cleared["displayname"] == "Ada K.")
        let taken = await eta.ask("POST", "/api/users/@me", as: .user(ada), ["username": "BEN_M"])
        #expect(taken.code == 67 && taken.badFields == ["username"])
        let bad = await eta.ask(
            "POST", "/api/users/@me", as: .user(ada), ["username": "1", "displayname": "x"])
        #expect(bad.code == 14 && Set(bad.badFields) == ["username", "displayname"])
        #expect(await eta.ask("POST", "/api/users/ben_m", as: .user(ada), [:]).code == 12)
        #expect(await eta.ask("POST", "/api/users/@server", as: .user(ada), [:]).code == 12)
        let me = await eta.ask("GET", "/api/users/@me", as: .user(ada))
        let tag = try #require(me.response.fields[.eTag])
        let first = await eta.ask(
            "POST", "/api/users/@me", as: .user(ada), ["status": "away"], fields: ["If-Match": tag])
        #expect(first.status == 200)
        let second = await eta.ask(
            "POST", "/api/users/@me", as: .user(ada), ["status": "busy"], fields: ["If-Match": tag])
        #expect(second.code == 53)
    }

    @Test func `email and password are changed with the password, by administrators without`()
        async throws
    {
        let eta = try await TestRegistry()
        let ada = try await eta.user("ada_l")
        let root = try await eta.user("root_1", tags: [.admin])
        let email: JSONValue = ["email": "ada@example.org"]
        let missing = await eta.ask("POST", "/api/users/@me", as: .user(ada), email)
        #expect(missing.code == 14 && missing.badFields == ["current"])
        let wrong = await eta.ask(
            "POST", "/api/users/@me", as: .user(ada),
            ["email": "ada@example.org", "current": "not this one"])
        #expect(wrong.code == 23)
        let right = await eta.ask(
            "POST", "/api/users/@me", as: .user(ada),
            ["email": "ada@example.org", "current": TestRegistry.password])
        #expect(right["email"] == "ada@example.org")
        let same = await eta.ask(
            "POST", "/api/users/root_1", as: .user(root), ["email": "ADA@example.org"])
        #expect(same.code == 14)
        let forOther = await eta.ask(
            "POST", "/api/users/ada_l", as: .user(root), ["password": "another long one"])
        #expect(forOther.status == 200)
        let login = await eta.ask(
            "POST", "/api/auth/login", ["username": "ada_l", "password": "another long one"])
        #expect(login.status == 200)
    }

    @Test func `tags are an administrator's to set, and one administrator always remains`()
        async throws
    {
        let eta = try await TestRegistry()
        let ada = try await eta.user("ada_l")
        let root = try await eta.user("root_1", tags: [.admin])
        let admin: JSONValue = ["tags": ["avr:admin"]]
        #expect(await eta.ask("POST", "/api/users/@me", as: .user(ada), admin).code == 4)
        let games: JSONValue = ["tags": ["game:chess"]]
        #expect(await eta.ask("POST", "/api/users/@me", as: .user(ada), games).code == 4)
        let unknown: JSONValue = ["tags": ["avr:king"]]
        #expect(await eta.ask("POST", "/api/users/ada_l", as: .user(root), unknown).code == 38)
        let none: JSONValue = ["tags": []]
        #expect(await eta.ask("POST", "/api/users/@me", as: .user(root), none).code == 4)
        let off: JSONValue = ["tags": ["avr:admin", "avr:disabled"]]
        #expect(await eta.ask("POST", "/api/users/@me", as: .user(root), off).code == 4)
        let gone = await eta.ask(
            "DELETE", "/api/users/@me", as: .user(root), ["password": TestRegistry.password])
        #expect(gone.code == 4)
        #expect(await eta.ask("POST", "/api/users/ada_l", as: .user(root), admin).status == 200)
        #expect(await eta.ask("POST", "/api/users/@me", as: .user(root), none).status == 200)
        #expect(await eta.ask("GET", "/api/users/@admin")["id"] == .string(ada.id.text))
    }

    @Test func `who is disabled is logged out and cannot log in`() async throws {
        let eta = try await TestRegistry()
        let ada = try await eta.user("ada_l")
        let root = try await eta.user("root_1", tags: [.admin])
        let off: JSONValue = ["tags": ["avr:disabled"]]
        #expect(await eta.ask("POST", "/api/users/ada_l", as: .user(root), off).status == 200)
        let login = await eta.ask(
            "POST", "/api/auth/login", ["username": "ada_l", "password": TestRegistry.password])
        #expect(login.code == 58)
        #expect(await eta.ask("GET", "/api/auth/sessions", as: .user(ada))["items"] == [])
    }

    @Test func `an account goes with all that it owns, files too`() async throws {
        let eta = try await TestRegistry()
        eta.linkIns()
        let ada = try await eta.user("ada_l")
        let ben = try await eta.user("ben_m")
        let world = try await eta.world(of: ada)
        let asset = await eta.ask(
            "PUT", "/api/worlds/\(world)/assets", as: .user(ada),
            ["version": "1", "engine": "unity", "platform": "linux"])
        let path = "/api/worlds/\(world)/assets/\(asset["id"]?.stringValue ?? "")/file"
        let sent = await eta.send("POST", path, as: .user(ada), TestBody([[1, 2, 3]]))
        #expect(sent.status == 200 && eta.files.count == 1)
        let own = try await eta.instance(of: .user(ada), ["world": .string(world)])
        let others = try await eta.instance(of: .user(ben), ["world": .string(world)])
        #expect(await eta.takeSeat(others, as: .user(ada)).status == 200)

        #expect(await eta.ask("DELETE", "/api/users/ada_l", as: .user(ben), [:]).code == 19)
        #expect(await eta.ask("DELETE", "/api/users/@me", as: .user(ada), [:]).code == 14)
        let wrong = await eta.ask(
            "DELETE", "/api/users/@me", as: .user(ada), ["password": "not this one"])
        #expect(wrong.code == 23)
        let gone = await eta.ask(
            "DELETE", "/api/users/@me?password=correct%20horse%20battery", as: .user(ada))
        #expect(gone.status == 200 && gone.data == [:])

        #expect(await eta.ask("GET", "/api/users/\(ada.id)").code == 17)
        #expect(await eta.ask("GET", "/api/worlds/\(world)").code == 25)
        #expect(await eta.ask("GET", "/api/instances/\(own)").code == 36)
        #expect(await eta.ask("GET", "/api/instances/\(others)")["connected"] == 0)
        #expect(eta.files.isEmpty)
    }

    @Test func `a home is one's own, else the node's, else none`() async throws {
        let eta = try await TestRegistry()
        let ada = try await eta.user("ada_l")
        let ben = try await eta.user("ben_m")
        let root = try await eta.user("root_1", tags: [.admin])
        let world = try await eta.world(of: ben)
        let hidden = try await eta.world(of: ben, tags: ["avr:private"])
        let home = "/api/users/@me/home"
        #expect(await eta.ask("GET", home, as: .user(ada)).code == 43)
        #expect(await eta.ask("GET", "/api/users/ada_l/home", as: .user(ben)).code == 18)
        #expect(await eta.ask("POST", home, as: .user(ada), ["world": .string(hidden)]).code == 25)
        let set = await eta.ask("POST", home, as: .user(ada), ["world": .string(world + ":1.2")])
        #expect(set["id"] == .string(world) && set["version"] == "1.2" && set["fallback"] == false)
        let me = await eta.ask("GET", "/api/users/@me", as: .user(ada))
        #expect(me["home"] == .string("\(world):1.2@a.example:3032"))
        let other = JSONValue.string("\(world)@b.example")
        #expect(
            await eta.ask("POST", "/api/users/ada_l/home", as: .user(ben), ["world": other]).code
                == 12)
        let abroad = await eta.ask(
            "POST", "/api/users/ada_l/home", as: .user(root), ["world": other])
        #expect(
            abroad.response.fields[.avrWorld] == "\(world)@b.example choice", "\(abroad.text)")
        #expect(await eta.ask("DELETE", home, as: .user(ada)).status == 200)
        #expect(await eta.ask("GET", home, as: .user(ada)).code == 43)
        let generous = try await TestRegistry(["users.fallback_home": "\(world)@b.example:1"])
        let eve = try await generous.user("eve_n")
        let fallback = await generous.ask("GET", home, as: .user(eve))
        #expect(fallback.response.fields[.avrWorld] == "\(world)@b.example:1 fallback")
    }
}
