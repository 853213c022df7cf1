import API
import Base
import Domain
import Eta
import HTTP
import Testing

/// Instances and their seats: who sees, enters and changes them, and that a capacity is exact.
struct InstanceTests {
    private struct Place {
        let eta: TestRegistry
        let ada: UserCaller
        let ben: UserCaller
        let world: String

        init(_ settings: [String: String] = [:]) async throws {
            eta = try await TestRegistry(settings)
            eta.linkIns()
            ada = try await eta.user("ada_l")
            ben = try await eta.user("ben_m")
            world = try await eta.world(of: ada)
        }

        func make(_ fields: JSONObject = [:], by caller: Caller? = nil) async -> TestAnswer {
            var fields = fields
            if fields["world"] == nil { fields["world"] = .string(world) }
            return await eta.ask("PUT", "/api/instances", as: caller ?? .user(ada), .object(fields))
        }

        func id(_ fields: JSONObject = [:], by caller: Caller? = nil) async throws -> String {
            eta.clock.advance(by: .milliseconds(1))
            let made = await make(fields, by: caller)
            return try #require(made["id"]?.stringValue, "\(made.text)")
        }
    }

    @Test func `an instance is made of a world, with what it was given and defaults`()
        async throws
    {
        let place = try await Place()
        let made = await place.make()
        #expect(made.status == 201, "\(made.text)")
        #expect(made["world"] == .string("\(place.world)@a.example:3032"))
        #expect(made["owner"] == .string("\(place.ada.id)@a.example:3032"))
        #expect(made["capacity"] == 32 && made["connected"] == 0 && made["master"] == .null)
        #expect(made["tags"] == ["avr:public"] && made["players"] == [])
        #expect(made["ins"]?["name"] == "local" && made["ins"]?["owner"] == .null)
        let name = try #require(made["name"]?.stringValue)
        #expect(name.count == 6 && name.allSatisfy(\.isHexDigit))
        let byName = await place.eta.ask("GET", "/api/instances/\(name)")
        #expect(byName["id"] == made["id"] && byName["players"] == nil)
        let full = await place.make([
            "name": "lobby", "title": "Evening", "description": "All welcome", "capacity": 8,
            "tags": ["avr:public", "avr:friends_only", "game:chess"],
            "moderators": [.string(place.ben.id.text)],
        ])
        #expect(full["name"] == "lobby" && full["title"] == "Evening" && full["capacity"] == 8)
        #expect(full["tags"] == ["avr:friends_only", "game:chess"])
        #expect(full["moderators"] == [.string("\(place.ben.id)@a.example:3032")])
        #expect(await place.make(["name": "lobby"]).code == 47)
        let bad = await place.make(["name": "A", "capacity": 2_000, "world": "w_1"])
        #expect(bad.code == 33 && Set(bad.badFields) == ["name", "capacity", "world"])
        #expect(await place.make(["tags": ["avr:release"]]).code == 38)
        #expect(await place.make(["tags": ["avr:permanent"]]).code == 4)
        let nobody = "u_01890a5d-ac96-774b-bcce-b302099a8057"
        #expect(await place.make(["moderators": [.string(nobody)]]).badFields == ["moderators.0"])
    }

    @Test func `a world must be there and for the caller's eyes, and its version is kept`()
        async throws
    {
        let place = try await Place()
        let missing = "w_01890a5d-ac96-774b-bcce-b302099a8057"
        #expect(await place.make(["world": .string(missing)]).code == 25)
        let hidden = try await place.eta.world(of: place.ben, tags: ["avr:private"])
        #expect(await place.make(["world": .string(hidden)]).code == 25)
        #expect(await place.make(["world": .string(place.world + ":9")]).code == 33)
        for version in ["1", "2"] {
            place.eta.clock.advance(by: .milliseconds(1))
            let asset = await place.eta.ask(
                "PUT", "/api/worlds/\(place.world)/assets", as: .user(place.ada),
                [
                    "version": .string(version), "engine": "unity", "platform": "linux", "size": 4,
                    "url": "https://files.example/a",
                    "hash": .string(String(repeating: "ab", count: 32)),
                ])
            #expect(asset.status == 201, "\(asset.text)")
        }
        let empty = await place.eta.ask(
            "PUT", "/api/worlds/\(place.world)/assets", as: .user(place.ada),
            ["version": "3", "engine": "unity", "platform": "linux"])
        #expect(empty.status == 201, "\(empty.text)")
        // Nobody could load it.
        #expect(await place.make(["world": .string(place.world + ":3")]).code == 33)
        let newest = await place.make()
        #expect(newest["world"] == .string("\(place.world):2@a.example:3032"))
        let chosen = await place.make(["world": .string(place.world + ":1")])
        #expect(chosen["world"] == .string("\(place.world):1@a.example:3032"))
        let query = "/api/instances?world=\(place.world)"
        #expect(await place.eta.ask("GET", query)["total"] == 2)
        #expect(await place.eta.ask("GET", query + ":1")["total"] == 1)
        // Of another node's Reil says what it has read, once it has been asked to.
        func abroad(_ world: String, read: String? = nil) async -> TestAnswer {
            await place.eta.ask(
                "PUT", "/api/instances", as: .user(place.ada), ["world": .string(world)],
                fields: read.map { ["AVR-World-Read": $0] } ?? [:])
        }
        let (plain, seventh) = ("\(missing)@b.example", "\(missing):7@b.example")
        for read in [nil, "nonsense", "\(missing)@c.example 5", "\(place.world)@b.example 5"] {
            let asked = await abroad(seventh, read: read)
            #expect(asked.code == 5, "\(read ?? "-")")
            #expect(asked.response.fields[.avrWorld] == "\(seventh) choice")
        }
        let made = await abroad(seventh, read: "\(seventh) 5")
        #expect(made["world"] == .string(seventh) && made["capacity"] == 5, "\(made.text)")
        let latest = await abroad(plain, read: "\(missing):9@b.example 6")
        #expect(latest["world"] == .string("\(missing):9@b.example") && latest["capacity"] == 6)
        #expect(await abroad(seventh, read: "\(plain) 5").code == 33)
        let poor = UserCaller(
            id: place.ben.id, session: place.ben.session, tags: [.instanceCreator])
        let far: JSONObject = ["world": .string("\(missing)@b.example")]
        #expect(await place.make(far, by: .user(poor)).code == 18)
        #expect(await place.make(by: .nobody).code == 3)
        let idle = UserCaller(id: place.ben.id, session: place.ben.session, tags: [])
        #expect(await place.make(by: .user(idle)).code == 4)
    }

    @Test func `visitors make instances of worlds here and at home, where they may`()
        async throws
    {
        let place = try await Place()
        let visitor = try await place.eta.visitor("viola")
        let home = "w_01890a5d-ac96-774b-bcce-b302099a8057@b.example"
        let far = "w_01890a5d-ac96-774b-bcce-b302099a8057@c.example"
        let made = await place.make(by: .visitor(visitor))
        #expect(made["owner"] == .string(visitor.user.text), "\(made.text)")
        let asked = await place.make(["world": .string(home)], by: .visitor(visitor))
        #expect(asked.response.fields[.avrWorld] == "\(home) choice", "\(asked.text)")
        #expect(await place.make(["world": .string(far)], by: .visitor(visitor)).code == 4)
        let limited = VisitorCaller(
            user: visitor.user, integrity: visitor.integrity, limited: true)
        #expect(await place.make(by: .visitor(limited)).code == 4)
        let path = "/api/instances/\(made["id"]?.stringValue ?? "")"
        let changed = await place.eta.ask(
            "POST", path, as: .visitor(visitor), ["capacity": 3])
        #expect(changed["capacity"] == 3, "\(changed.text)")
        #expect(await place.eta.ask("DELETE", path, as: .visitor(visitor)).status == 200)
        let closed = try await Place(["instances.visitors": "false"])
        let other = try await closed.eta.visitor("viola")
        #expect(await closed.make(by: .visitor(other)).code == 1)
    }

    @Test func `the least loaded Ins of the pool runs it, or the one that was named`()
        async throws
    {
        let place = try await Place()
        let eta = try await TestRegistry()
        let ada = try await eta.user("ada_l")
        let world = try await eta.world(of: ada)
        let alone = await eta.ask(
            "PUT", "/api/instances", as: .user(ada), ["world": .string(world)])
        #expect(alone.code == 66)
        place.eta.linkIns("lent")
        for _ in 0..<3 { #expect(await place.make()["ins"]?["name"] == "local") }
        #expect(await place.make(["ins": "lent"])["ins"]?["name"] == "lent")
        #expect(await place.make(["ins": "nobodys"]).code == 66)
        place.eta.linkIns("local", capacity: 1)
        let room = try await place.id()
        #expect(await place.eta.takeSeat(room, as: .user(place.ada)).status == 200)
        #expect(await place.make().code == 66)
    }

    @Test func `twenty who want one name at once make one instance`() async throws {
        let place = try await Place()
        let codes = await withTaskGroup(of: Int?.self) { group in
            for _ in 0..<20 { group.addTask { await place.make(["name": "lobby"]).code } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(codes.filter { $0 == nil }.count == 1)
        #expect(codes.filter { $0 == 47 }.count == 19)
    }

    @Test func `a thousand who want in at once fill twenty places exactly`() async throws {
        let place = try await Place()
        let room = try await place.id(["capacity": 20])
        var callers: [Caller] = []
        for number in 0..<250 {
            let id = UserID.make(clock: place.eta.clock, random: SystemRandom())
            callers.append(
                .visitor(
                    VisitorCaller(
                        user: UserReference(id, at: TestRegistry.elsewhere),
                        integrity: try await place.eta.visitor("visitor_\(number)").integrity)))
        }
        let codes = await withTaskGroup(of: Int?.self) { group in
            for turn in 0..<1_000 {
                let caller = callers[turn % callers.count]
                group.addTask { await place.eta.takeSeat(room, as: caller).code }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(codes.filter { $0 == nil }.count == 20)
        #expect(codes.filter { $0 == 48 }.count == 980)
        #expect(await place.eta.ask("GET", "/api/instances/\(room)")["connected"] == 20)
    }

    @Test func `a seat says who one is and who runs the room`() async throws {
        let place = try await Place()
        let eta = place.eta
        let root = try await eta.user("root_1", tags: [.admin])
        let bot = try await eta.user("machine", tags: [.bot])
        let visitor = try await eta.visitor("viola")
        let room = try await place.id([
            "capacity": 9, "moderators": [.string(place.ben.id.text)],
        ])
        let first = await eta.takeSeat(room, as: .visitor(visitor))
        #expect(first["player"]?["role"] == "master", "\(first.text)")
        #expect(first["player"]?["displayname"] == "viola")
        #expect(first["player"]?["user"] == .string(visitor.user.text))
        #expect(first["hosting"]?["ins"] == "local" && first["hosting"]?["epoch"] == 1)
        #expect(await eta.takeSeat(room, as: .user(place.ben))["player"]?["role"] == "moderator")
        #expect(await eta.takeSeat(room, as: .user(root))["player"]?["role"] == "admin")
        #expect(await eta.takeSeat(room, as: .user(bot), bot: true)["player"]?["role"] == "bot")
        #expect(await eta.takeSeat(room, as: .user(place.ben), bot: true).code == 4)
        eta.clock.advance(by: .seconds(1))
        let owner = await eta.takeSeat(room, as: .user(place.ada))
        #expect(owner["player"]?["role"] == "owner")
        let path = "/api/instances/\(room)"
        let seen = await eta.ask("GET", path, as: .visitor(visitor))
        #expect(seen["master"] == owner["player"]?["id"])
        let roles = seen["players"]?.arrayValue?.compactMap { $0["role"]?.stringValue } ?? []
        #expect(roles.sorted() == ["admin", "bot", "moderator", "normal", "owner"], "\(seen.text)")
        #expect(
            await eta.ask("GET", path, as: .user(try await eta.user("eve_n")))["players"] == nil)
        let player = owner["player"]?["id"]?.stringValue ?? ""
        #expect(await eta.returnSeat(room, player, as: .user(place.ben)).code == 50)
        #expect(await eta.returnSeat(room, player, as: .user(place.ada)).status == 200)
        #expect(await eta.returnSeat(room, player, as: .user(place.ada)).status == 200)
        #expect(await eta.ask("GET", path)["master"] == first["player"]?["id"])
        for _ in 0..<4 { #expect(await eta.takeSeat(room, as: .user(place.ada)).status == 200) }
        #expect(await eta.takeSeat(room, as: .user(place.ada)).code == 49)
        #expect(await eta.takeSeat(room, as: .nobody).code == 3)
        #expect(await eta.takeSeat("nowhere", as: .user(place.ada)).code == 36)
    }

    @Test func `who may not see an instance is told of none, who may not enter so`()
        async throws
    {
        let place = try await Place()
        let eta = place.eta
        let eve = try await eta.user("eve_n")
        let root = try await eta.user("root_1", tags: [.admin])
        let open = try await place.id(["name": "open-house", "title": "Öffentlich"])
        let moderators: JSONValue = [.string(place.ben.id.text)]
        for tag in ["friends_plus", "friends_only", "invite_plus", "invite_only", "private"] {
            let room = try await place.id([
                "tags": [.string("avr:" + tag)], "moderators": moderators,
            ])
            let path = "/api/instances/\(room)"
            for stranger in [Caller.nobody, .user(eve), .visitor(try await eta.visitor("viola"))] {
                #expect(await eta.ask("GET", path, as: stranger).code == 36)
                #expect(await eta.ask("GET", "/api/instances", as: stranger).ids == [open])
            }
            #expect(await eta.takeSeat(room, as: .user(eve)).code == 36)
            #expect(await eta.ask("DELETE", path, as: .user(eve)).code == 36)
            for insider in [Caller.user(place.ada), .user(place.ben), .user(root)] {
                #expect(await eta.ask("GET", path, as: insider).status == 200)
                #expect(await eta.ask("GET", "/api/instances", as: insider)["total"] == 2)
            }
            #expect(await eta.takeSeat(room, as: .user(place.ben)).status == 200)
            #expect(await eta.ask("DELETE", path, as: .user(place.ben)).code == 4)
            #expect(await eta.ask("DELETE", path, as: .user(place.ada)).status == 200)
        }
        #expect(await eta.ask("GET", "/api/instances?q=%C3%96FF").ids == [open])
        #expect(await eta.ask("GET", "/api/instances?q=house").ids == [open])
        #expect(await eta.ask("GET", "/api/instances?owner=\(place.ben.id)").ids == [])
        #expect(await eta.ask("GET", "/api/instances?tag=avr:public").ids == [open])
    }

    @Test func `the owner changes all, moderators what it says of itself, members nothing`()
        async throws
    {
        let place = try await Place()
        let eta = place.eta
        let eve = try await eta.user("eve_n")
        let room = try await place.id([
            "name": "lobby", "moderators": [.string(place.ben.id.text)],
        ])
        _ = try await place.id(["name": "other"])
        let path = "/api/instances/lobby"
        #expect(await eta.takeSeat(room, as: .user(eve)).status == 200)
        #expect(await eta.ask("POST", path, as: .user(eve), ["title": "Mine"]).code == 4)
        #expect(
            await eta.ask("POST", path, as: .user(place.ben), ["title": "Ours"])["title"] == "Ours")
        #expect(await eta.ask("POST", path, as: .user(place.ben), ["capacity": 3]).code == 4)
        #expect(await eta.ask("POST", path, as: .user(place.ada), ["name": "other"]).code == 47)
        let ben = JSONValue.string(place.ben.id.text)
        let absent = await eta.ask("POST", path, as: .user(place.ada), ["owner": ben])
        #expect(absent.code == 33 && absent.badFields == ["owner"])
        let tag = try #require(
            await eta.ask("GET", path, as: .user(place.ada)).response.fields[.eTag])
        let changed = await eta.ask(
            "POST", path, as: .user(place.ada),
            [
                "capacity": 3, "title": .null, "owner": .string(eve.id.text),
                "tags": ["avr:private"],
            ],
            fields: ["If-Match": tag])
        #expect(changed["owner"] == .string("\(eve.id)@a.example:3032"), "\(changed.text)")
        #expect(changed["capacity"] == 3 && changed["title"] == .null)
        #expect(await eta.ask("POST", path, as: .user(place.ada), ["title": "Back"]).code == 36)
        let late = await eta.ask(
            "POST", path, as: .user(eve), ["title": "Late"], fields: ["If-Match": tag])
        #expect(late.code == 53)
        let player = await eta.ask("GET", path, as: .user(eve))["players"]?.arrayValue?.first
        #expect(player?["role"] == "owner")
    }

    @Test func `an empty instance ends after its time, a permanent one lives on`() async throws {
        let place = try await Place(["instances.empty_grace": "60s"])
        let eta = place.eta
        let root = try await eta.user("root_1", tags: [.admin])
        let keeper = InstanceKeeper(eta.registry)
        let fresh = try await place.id()
        let lasting = try await place.id(["tags": ["avr:permanent"]], by: .user(root))
        let used = try await place.id()
        let seat = await eta.takeSeat(used, as: .user(place.ben))
        eta.clock.advance(by: .seconds(61))
        try await keeper.endEmpty()
        #expect(await eta.ask("GET", "/api/instances/\(fresh)").code == 36)
        #expect(await eta.ask("GET", "/api/instances/\(lasting)").status == 200)
        #expect(await eta.ask("GET", "/api/instances/\(used)").status == 200)
        let player = seat["player"]?["id"]?.stringValue ?? ""
        #expect(await eta.returnSeat(used, player, as: .user(place.ben)).status == 200)
        eta.clock.advance(by: .seconds(59))
        try await keeper.endEmpty()
        #expect(await eta.ask("GET", "/api/instances/\(used)").status == 200)
        eta.clock.advance(by: .seconds(2))
        try await keeper.endEmpty()
        #expect(await eta.ask("GET", "/api/instances/\(used)").code == 36)
    }

    @Test func `an instance that goes with its owner ends when the last of them leaves`()
        async throws
    {
        let place = try await Place()
        let eta = place.eta
        let room = try await place.id(["tags": ["avr:kill_on_owner_leave"]])
        let first = await eta.takeSeat(room, as: .user(place.ada))["player"]?["id"]?.stringValue
        let second = await eta.takeSeat(room, as: .user(place.ada))["player"]?["id"]?.stringValue
        #expect(await eta.takeSeat(room, as: .user(place.ben)).status == 200)
        _ = await eta.returnSeat(room, first ?? "", as: .user(place.ada))
        #expect(await eta.ask("GET", "/api/instances/\(room)")["connected"] == 2)
        _ = await eta.returnSeat(room, second ?? "", as: .gateway)
        #expect(await eta.ask("GET", "/api/instances/\(room)").code == 36)
    }

    @Test func `seats of a Reil that is gone are free, and those it forgot`() async throws {
        let place = try await Place()
        let eta = place.eta
        let keeper = InstanceKeeper(eta.registry)
        let room = try await place.id()
        let path = "/api/instances/\(room)"
        var seats: [SeatReport] = []
        for run in ["run-1", "run-1", "run-2"] {
            let seat = await eta.takeSeat(room, as: .user(place.ben), run: run)
            let player = try #require(PlayerID(seat["player"]?["id"]?.stringValue ?? ""))
            seats.append(SeatReport(instance: known(InstanceID(room)), player: player))
        }
        eta.clock.advance(by: .seconds(1))
        let moment = eta.clock.timestamp()
        #expect(await eta.takeSeat(room, as: .user(place.ada)).status == 200)
        try await keeper.seatsReported([seats[0]], by: "run-1", before: moment)
        #expect(await eta.ask("GET", path)["connected"] == 3)
        try await keeper.releaseSeats(except: ["run-1"])
        #expect(await eta.ask("GET", path)["connected"] == 2)
        try await keeper.releaseSeats(except: [])
        #expect(await eta.ask("GET", path)["connected"] == 0)
    }

    @Test func `instances end with their Ins, permanent ones are placed anew`() async throws {
        let place = try await Place()
        let eta = place.eta
        let root = try await eta.user("root_1", tags: [.admin])
        let keeper = InstanceKeeper(eta.registry)
        let room = try await place.id()
        let lasting = try await place.id(["tags": ["avr:permanent"]], by: .user(root))
        #expect(await eta.takeSeat(lasting, as: .user(place.ben)).status == 200)
        #expect(try keeper.hostings().count == 2)
        try await keeper.insLost("local")
        #expect(await eta.ask("GET", "/api/instances/\(room)").code == 36)
        let waiting = await eta.ask("GET", "/api/instances/\(lasting)")
        #expect(waiting["ins"] == .null && waiting["connected"] == 0)
        #expect(try keeper.hostings().isEmpty)
        let seat = await eta.takeSeat(lasting, as: .user(place.ben))
        #expect(seat["hosting"]?["epoch"] == 3 && seat["hosting"]?["ins"] == "local")
    }
}
