import Base
import Domain
import Testing

// References split at the first `@`, and a version from the id only before it, since an address
// may hold a colon (federation §1).
struct ReferenceTests {
    static let world = "w_01890a5d-ac96-774b-bcce-b302099a8057"
    static let user = "u_01890a5d-ac96-774b-bcce-b302099a8057"

    @Test(
        arguments: [
            (world, nil, nil), ("\(world):1.0", "1.0", nil),
            ("\(world)@a.example", nil, "a.example"),
            ("\(world)@a.example:3032", nil, "a.example:3032"),
            ("\(world):1.0@a.example:3032", "1.0", "a.example:3032"),
            ("\(world):1.0+x-y_z@[::1]:3032", "1.0+x-y_z", "[::1]:3032"),
        ] as [(String, String?, String?)])
    func `id, version and server are told apart`(
        _ text: String, _ version: String?, _ server: String?
    ) throws {
        let reference = try #require(WorldReference(text))
        #expect(reference.id.text == Self.world)
        #expect(reference.version?.text == version)
        #expect(reference.server?.text == server)
        #expect(reference.text == text)
    }

    @Test(arguments: [
        "", "@a.example", "\(world):", "\(world):@a.example", "\(world)@", "\(world)@@a.example",
        "\(world)@a@b", "\(world):1:2", "\(world): @a.example", "\(world)@a.example:3032:1",
        "\(user)", "\(world)@a.example/x", "\(world):é", ":1@a.example", "w_x@a.example",
        "\(world):\(String(repeating: "1", count: 33))",
    ])
    func `anything else is refused`(_ text: String) {
        #expect(WorldReference(text) == nil)
    }

    @Test func `only worlds have versions`() {
        #expect(UserReference("\(Self.user):1.0") == nil)
        #expect(UserReference("\(Self.user)@a.example:80")?.server?.text == "a.example:80")
    }

    @Test func `the server's spelling is normalised`() {
        #expect(
            UserReference("\(Self.user)@A.example:443") == UserReference("\(Self.user)@a.example"))
    }

    @Test func `absolute means the node that reads it where none is said`() throws {
        let home = try #require(ServerAddress("a.example"))
        let bare = try #require(WorldReference("\(Self.world):2"))
        #expect(bare.isInternal(to: home))
        #expect(bare.absolute(at: home).text == "\(Self.world):2@a.example")
        #expect(bare.absolute(at: home).isInternal(to: home))
        let foreign = try #require(WorldReference("\(Self.world)@b.example"))
        #expect(!foreign.isInternal(to: home))
        #expect(foreign.absolute(at: home) == foreign)
        #expect(foreign.version(AssetLabel("3")).text == "\(Self.world):3@b.example")
    }

    @Test func `what is made prints and reads as itself`() throws {
        let random = SeededRandom(seed: 11)
        let clock = ManualClock()
        for round in 0..<1000 {
            let server = round % 3 == 0 ? nil : ServerAddress("n\(round).example:\(round + 1)")
            let version = round % 2 == 0 ? nil : AssetLabel("v\(round)")
            let made = WorldReference(
                .make(clock: clock, random: random), version: version, at: server)
            #expect(WorldReference(made.text) == made)
        }
    }
}

// `:id` of a user is an id, a name or one of the words with `@`; the first two may be abroad.
struct UserSelectorTests {
    static let id = ReferenceTests.user

    @Test func `ids, names and words are told apart`() throws {
        #expect(UserSelector("@me")?.name == .me)
        #expect(UserSelector("@server")?.name == .server)
        #expect(UserSelector("@root")?.name == .server)
        #expect(UserSelector("@admin")?.name == .admin)
        #expect(UserSelector(Self.id)?.name == UserID(Self.id).map(UserSelector.Name.id))
        #expect(UserSelector("ada_l")?.name == Username("ada_l").map(UserSelector.Name.username))
        let abroad = try #require(UserSelector("ada_l@B.example:443"))
        #expect(abroad.server?.text == "b.example")
        #expect(abroad.text == "ada_l@b.example")
        #expect(UserSelector("\(Self.id)@b.example:3032")?.server?.text == "b.example:3032")
    }

    @Test(arguments: [
        "", "@", "@you", "@ME", "@me@b.example", "@server@b.example", "@admin@b.example", "ab",
        "1ada", "ada@", "ada@@b", "ada l", "../me", "ada\0", "\(id):1", "w_\(id.dropFirst(2))",
    ])
    func `anything else is refused`(_ text: String) {
        #expect(UserSelector(text) == nil)
    }

    @Test(arguments: ["@me", "@server", "@admin", id, "ada_l", "ada_l@b.example", "\(id)@[::1]:80"])
    func `what is read prints as itself`(_ text: String) {
        #expect(UserSelector(text)?.text == text)
    }

    @Test func `the query's server joins the id's`() throws {
        let home = try #require(ServerAddress("a.example"))
        let other = try #require(ServerAddress("b.example"))
        let here = try #require(UserSelector("ada_l@a.example"))
        #expect(try here.located(server: nil, home: home).server == nil)
        let name = try #require(UserSelector("ada_l"))
        #expect(try name.located(server: other, home: home).server == other)
        let me = try #require(UserSelector("@me"))
        #expect(try me.located(server: home, home: home) == me)
        for (selector, server) in [(here, other), (me, other)] {
            let error = #expect(throws: APIError.self) {
                try selector.located(server: server, home: home)
            }
            #expect(error?.code == .serverInvalidInput)
        }
    }

    @Test func `instances go by id or by name`() throws {
        let id = "i_01890a5d-ac96-774b-bcce-b302099a8057"
        #expect(InstanceSelector(id) == InstanceID(id).map(InstanceSelector.id))
        #expect(InstanceSelector("lobby") == InstanceName("lobby").map(InstanceSelector.name))
        #expect(InstanceSelector("Lobby") == nil)
        #expect(InstanceSelector(Self.id) == nil)
    }
}
