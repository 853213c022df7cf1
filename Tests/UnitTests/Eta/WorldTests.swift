import Base
import Domain
import HTTP
import Testing

/// The catalogue: who sees and changes what, and that nothing of it is lost or shown in between.
struct WorldTests {
    @Test func `a world is made with what it was given, and defaults for the rest`() async throws {
        let eta = try await TestRegistry()
        let ada = try await eta.user("ada_l")
        let made = await eta.ask(
            "PUT", "/api/worlds", as: .user(ada), ["title": "Harbour", "tags": ["game:chess"]])
        #expect(made.status == 201, "\(made.text)")
        #expect(made["capacity"] == 32 && made["description"] == .null)
        #expect(made["tags"] == ["avr:public", "avr:release", "game:chess"])
        #expect(made["owner"] == .string("\(ada.id)@a.example:3032"))
        #expect(made["owner_id"] == made["owner"] && made["assets"] == [])
        let id = try #require(made["id"]?.stringValue)
        let read = await eta.ask("GET", "/api/worlds/\(id)")
        #expect(read.data == made.data)
        #expect(read.response.fields[.eTag] != nil)
        let same = await eta.ask(
            "GET", "/api/worlds/\(id)", fields: ["If-None-Match": read.response.fields[.eTag] ?? ""]
        )
        #expect(same.status == 304)
    }

    @Test func `what a world cannot be is refused, every bad field at once`() async throws {
        let eta = try await TestRegistry()
        let ada = try await eta.user("ada_l")
        let root = try await eta.user("root_1", tags: [.admin])
        let put = { (caller: Caller, body: JSONValue) in
            await eta.ask("PUT", "/api/worlds", as: caller, body)
        }
        #expect(await put(.nobody, ["title": "x"]).code == 3)
        var poor = ada
        poor = UserCaller(id: ada.id, session: ada.session, tags: [])
        #expect(await put(.user(poor), ["title": "x"]).code == 4)
        let bad = await put(.user(ada), ["title": "", "capacity": 0, "tags": ["A"]])
        #expect(bad.code == 24 && Set(bad.badFields) == ["title", "capacity", "tags.0"])
        #expect(await put(.user(ada), ["title": "x", "tags": ["avr:permanent"]]).code == 38)
        #expect(await put(.user(ada), ["title": "x", "tags": ["avr:official"]]).code == 4)
        let id = "w_01890a5d-ac96-774b-bcce-b302099a8057"
        #expect(await put(.user(ada), ["title": "x", "id": .string(id)]).code == 4)
        #expect(await put(.user(root), ["title": "x", "id": .string(id)]).status == 201)
        #expect(await put(.user(root), ["title": "x", "id": .string(id)]).code == 30)
        #expect(await eta.ask("GET", "/api/worlds/w_1").code == 25)
        #expect(await eta.ask("DELETE", "/api/worlds/\(id)@b.example", as: .user(root)).code == 41)
        #expect(
            await eta.ask("POST", "/api/worlds/\(id)?server=b.example", as: .user(root), [:]).code
                == 41)
    }

    @Test func `the owner changes a world, contributors all but who they are and whether it is`()
        async throws
    {
        let eta = try await TestRegistry()
        let ada = try await eta.user("ada_l")
        let ben = try await eta.user("ben_m")
        let path = "/api/worlds/\(try await eta.world(of: ada))"
        #expect(await eta.ask("POST", path, as: .user(ben), ["title": "Mine"]).code == 4)
        #expect(await eta.ask("DELETE", path, as: .user(ben)).code == 4)
        let abroad = "u_01890a5d-ac96-774b-bcce-b302099a8057@b.example"
        let named: JSONValue = [
            "contributors": [.string(ben.id.text), .string(abroad), .string(ben.id.text)]
        ]
        let set = await eta.ask("POST", path, as: .user(ada), named)
        #expect(
            set["contributors"] == [.string("\(ben.id)@a.example:3032"), .string(abroad)],
            "\(set.text)")
        #expect(set["owner_ids"]?.arrayValue?.count == 3)
        let changed = await eta.ask(
            "POST", path, as: .user(ben), ["title": "Ours", "description": "By two"])
        #expect(changed["title"] == "Ours" && changed["description"] == "By two")
        #expect(await eta.ask("POST", path, as: .user(ben), ["contributors": []]).code == 4)
        #expect(await eta.ask("DELETE", path, as: .user(ben)).code == 4)
        let nobody: JSONValue = [
            "contributors": ["u_01890a5d-ac96-774b-bcce-b302099a8057"]
        ]
        let refused = await eta.ask("POST", path, as: .user(ada), nobody)
        #expect(refused.code == 24 && refused.badFields == ["contributors.0"])
        let crowd = (0..<33).map { number in
            JSONValue.string("u_01890a5d-ac96-774b-bcce-b302099a80\(number + 10)@b.example")
        }
        let crowded = await eta.ask(
            "POST", path, as: .user(ada), ["contributors": .array(crowd)])
        #expect(crowded.code == 24 && crowded.badFields == ["contributors"])
        let cleared = await eta.ask("POST", path, as: .user(ada), ["description": .null])
        #expect(cleared["description"] == .null && cleared["title"] == "Ours")
        let tag = try #require(
            await eta.ask("GET", path).response.fields[.eTag])
        #expect(await eta.ask("POST", path, as: .user(ben), ["capacity": 8]).status == 200)
        let late = await eta.ask(
            "POST", path, as: .user(ada), ["capacity": 9], fields: ["If-Match": tag])
        #expect(late.code == 53)
        #expect(await eta.ask("DELETE", path, as: .user(ada)).status == 200)
        #expect(await eta.ask("GET", path).code == 25)
    }

    @Test func `a private world is there for its own people alone, with all below it`()
        async throws
    {
        let eta = try await TestRegistry()
        eta.linkIns()
        let ada = try await eta.user("ada_l")
        let ben = try await eta.user("ben_m")
        let eve = try await eta.user("eve_n")
        let root = try await eta.user("root_1", tags: [.admin])
        let visitor = try await eta.visitor("viola")
        let world = try await eta.world(of: ada, tags: ["avr:private", "avr:public"])
        let open = try await eta.world(of: ada, "Open")
        let path = "/api/worlds/\(world)"
        let people: JSONValue = ["contributors": [.string(ben.id.text)]]
        let set = await eta.ask("POST", path, as: .user(ada), people)
        #expect(set["tags"] == ["avr:private", "avr:release"], "\(set.text)")
        for caller in [Caller.nobody, .user(eve), .visitor(visitor)] {
            #expect(await eta.ask("GET", path, as: caller).code == 25)
            #expect(await eta.ask("GET", path + "/assets", as: caller).code == 25)
            #expect(await eta.ask("GET", "/api/worlds", as: caller).ids == [open])
        }
        #expect(await eta.ask("POST", path, as: .user(eve), [:]).code == 25)
        for caller in [Caller.user(ada), .user(ben), .user(root)] {
            #expect(await eta.ask("GET", path, as: caller).status == 200)
            #expect(await eta.ask("GET", "/api/worlds", as: caller)["total"] == 2)
        }
        let instance = try await eta.instance(of: .user(ada), ["world": .string(world)])
        for caller in [Caller.user(eve), .visitor(visitor)] {
            let seat = await eta.takeSeat(instance, as: caller)
            #expect(await eta.ask("GET", path, as: caller).status == 200)
            #expect(await eta.ask("GET", "/api/worlds", as: caller)["total"] == 2)
            let player = seat["player"]?["id"]?.stringValue ?? ""
            #expect(await eta.returnSeat(instance, player, as: caller).status == 200)
            #expect(await eta.ask("GET", path, as: caller).code == 25)
        }
    }

    @Test func `a list is filtered and paged, and shows every world's assets`() async throws {
        let eta = try await TestRegistry()
        let ada = try await eta.user("ada_l")
        let ben = try await eta.user("ben_m")
        var made: [String] = []
        for number in 0..<7 {
            made.append(try await eta.world(of: ada, "Ähre \(number)", tags: ["game:chess"]))
            _ = await eta.ask(
                "PUT", "/api/worlds/\(made[number])/assets", as: .user(ada),
                [
                    "version": "1", "engine": "unity", "platform": "linux", "size": 4,
                    "url": "https://files.example/a",
                    "hash": .string(String(repeating: "ab", count: 32)),
                ])
        }
        let other = try await eta.world(of: ben, "Elsewhere")
        let first = await eta.ask("GET", "/api/worlds?limit=3&q=%C3%84HRE")
        #expect(first.ids == Array(made[..<3]) && first["total"] == 7)
        #expect(first.items.allSatisfy { $0["assets"]?.arrayValue?.count == 1 })
        _ = try await eta.world(of: ada, "Ähre late")
        let second = await eta.ask(
            "GET", "/api/worlds?limit=4&q=%C3%84HRE&after=\(first["next"]?.stringValue ?? "")")
        #expect(second.ids == Array(made[3...]) && second["next"]?.stringValue != nil)
        #expect(await eta.ask("GET", "/api/worlds?owner=\(ben.id)").ids == [other])
        #expect(await eta.ask("GET", "/api/worlds?owner=\(ben.id)@b.example").ids == [])
        #expect(await eta.ask("GET", "/api/worlds?tag=game:chess")["total"] == 7)
        #expect(await eta.ask("GET", "/api/worlds?tag=game:ches")["total"] == 0)
    }
}
