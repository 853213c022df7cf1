import Base
import Domain
import Testing

// The contract's objects have the keys that its pages list, no more and no less, and read back as
// themselves; what a foreign node says is checked by being read.
struct WireObjectTests {
    static let uuid = "01890a5d-ac96-774b-bcce-b302099a8057"
    static let address = ServerAddress.sample
    static let time = Timestamp(milliseconds: 1_700_000_000_000)

    static var user: User {
        User(
            id: .sample, username: .sample, displayname: .sample, server: address,
            createdAt: time, updatedAt: time)
    }

    static var me: UserMe {
        UserMe(
            user: user, email: .sample, status: .online, following: [.sample], home: .sample)
    }

    static var asset: Asset {
        Asset(
            id: .sample, version: .sample, engine: .sample, platform: .sample, url: .sample,
            hash: .sample, size: .sample, empty: false, createdAt: time, updatedAt: time)
    }

    static var world: World {
        World(
            id: .sample, title: .sample, description: nil, capacity: .standard, owner: .sample,
            contributors: [.sample], thumbnail: nil, tags: [.public], server: address,
            assets: [asset], createdAt: time, updatedAt: time)
    }

    static var server: Server {
        Server(
            id: .sample, title: .sample, description: .empty, address: address, secure: true,
            version: .sample, createdAt: time, updatedAt: time, readyAt: nil, icon: nil,
            gateway: Gateway(secure: true, address: address), key: .sample,
            stats: ServerStats(users: 1, worlds: 2, instances: 3, players: 4))
    }

    static var player: Player {
        Player(id: .sample, user: .sample, displayname: .sample, role: .normal, joinedAt: time)
    }

    static func instance(players: [Player]?) -> Instance {
        Instance(
            id: .sample, name: .sample, title: nil, world: .sample, owner: .sample,
            capacity: .standard, tags: [.public], server: address,
            ins: InsView(name: .sample), players: players, createdAt: time, updatedAt: time)
    }

    static var integrity: Integrity {
        Integrity(
            id: .sample, user: .sample, server: address, createdAt: time, expiresAt: time)
    }

    static var login: Login {
        Login(
            token: .sample, refresh: .sample, expiresAt: time, refreshExpiresAt: time,
            session: .sample, createdAt: time, user: me)
    }

    static let userKeys = """
        id username displayname display description thumbnail banner tags server external
        created_at updated_at
        """

    /// Encodes, compares the keys with the contract's, reads it back and encodes it again.
    static func check<Object: Codable & Equatable>(_ object: Object, keys: String) throws {
        let value = JSONCoder.value(object)
        let expected = keys.split { $0 == " " || $0 == "\n" }.map(String.init)
        #expect(Set(value.objectValue?.keys ?? []) == Set(expected), "\(Object.self)")
        #expect(value.objectValue?.count == expected.count, "\(Object.self)")
        let again = try JSONCoder.decode(Object.self, from: value)
        #expect(again == object)
        #expect(JSONCoder.value(again) == value)
        // Whatever is required when read is written.
        let schema = JSONCoder.schema(Object.self)
        for key in schema["required"]?.arrayValue ?? [] {
            #expect(expected.contains(key.stringValue ?? ""), "\(Object.self) \(key)")
        }
    }

    @Test func `each object has the contract's keys and reads back as itself`() throws {
        try Self.check(Self.user, keys: Self.userKeys)
        try Self.check(Self.me, keys: Self.userKeys + " email status following home")
        try Self.check(
            Self.asset,
            keys: "id version engine platform url hash size empty created_at updated_at")
        try Self.check(
            Self.world,
            keys: """
                id title description capacity owner owner_id owner_ids contributors thumbnail tags
                server assets created_at updated_at
                """)
        try Self.check(
            Self.server,
            keys: """
                id title description address secure version created_at updated_at ready_at icon
                gateway gateways key stats
                """)
        let instanceKeys = """
            id name title description world owner moderators master capacity connected queued tags
            server ins created_at updated_at
            """
        try Self.check(Self.instance(players: nil), keys: instanceKeys)
        try Self.check(Self.instance(players: [Self.player]), keys: instanceKeys + " players")
        try Self.check(Self.player, keys: "id user displayname role joined_at muted")
        try Self.check(
            Challenge(
                id: .sample, server: Self.address, state: .pending, createdAt: Self.time,
                expiresAt: Self.time),
            keys: "id server state created_at expires_at")
        let integrityKeys = "id user server created_at expires_at used_at"
        try Self.check(Self.integrity, keys: integrityKeys)
        var granted = Self.integrity
        granted.token = .sample
        try Self.check(granted, keys: integrityKeys + " token")
        granted.gateway = Gateway(secure: false, address: Self.address)
        try Self.check(granted, keys: integrityKeys + " token gateway")
        try Self.check(
            Self.login,
            keys: "token refresh expires_at refresh_expires_at session id created_at user")
        try Self.check(
            SessionView(
                id: .sample, createdAt: Self.time, usedAt: Self.time, userAgent: nil,
                addressPrefix: "127.0.0.0/24", current: true),
            keys: "id created_at used_at user_agent address_prefix current")
    }

    @Test func `what old clients look for repeats what there is`() throws {
        let user = JSONCoder.value(Self.user)
        #expect(user["display"] == user["displayname"])
        #expect(user["external"] == false)
        let world = JSONCoder.value(Self.world)
        #expect(world["owner_id"] == world["owner"])
        #expect(world["owner_ids"]?.arrayValue?.count == 2)
        let server = JSONCoder.value(Self.server)
        #expect(server["gateways"] == ["http": "https://example.org", "ws": "wss://example.org"])
        #expect(server["description"] == "")
        let login = JSONCoder.value(Self.login)
        #expect(login["id"] == login["session"])
    }

    @Test func `what is not there is null, but for what the contract leaves out`() {
        #expect(JSONCoder.value(Self.user)["description"] == .null)
        #expect(JSONCoder.value(Self.server)["ready_at"] == .null)
        #expect(JSONCoder.value(Self.integrity)["used_at"] == .null)
        #expect(JSONCoder.value(Self.integrity)["token"] == nil)
        #expect(JSONCoder.value(Self.world)["external"] == nil)
        #expect(JSONCoder.value(Self.instance(players: nil))["players"] == nil)
        var foreign = Self.world
        foreign.external = true
        #expect(JSONCoder.value(foreign)["external"] == true)
    }

    @Test func `older nodes leave out what came later`() throws {
        let user: JSONValue = [
            "id": .string("u_\(Self.uuid)"), "username": "ada_l", "display": "Ada",
            "server": "b.example", "created_at": 1, "updated_at": 2, "unknown": [1, 2],
        ]
        let read = try JSONCoder.decode(User.self, from: user)
        #expect(read.displayname == DisplayName("Ada"))
        #expect(read.tags == [])
        #expect(!read.external)
        let world: JSONValue = [
            "id": .string("w_\(Self.uuid)"), "title": "T", "capacity": 5,
            "owner_id": .string("u_\(Self.uuid)@b.example"), "server": "b.example",
            "created_at": 1, "updated_at": 2,
        ]
        #expect(try JSONCoder.decode(World.self, from: world).owner.server?.text == "b.example")
        let grant: JSONValue = [
            "id": .string("t_\(Self.uuid)"), "user": .string("u_\(Self.uuid)@b.example"),
            "token": .string(IntegrityToken.sample.text), "expires_at": 5,
        ]
        #expect(try JSONCoder.decode(IntegrityGrant.self, from: grant).expiresAt.milliseconds == 5)
        // A host that answers with the whole object says enough, too.
        var integrity = Self.integrity
        integrity.token = .sample
        #expect(throws: Never.self) {
            try JSONCoder.decode(IntegrityGrant.self, from: JSONCoder.value(integrity))
        }
    }

    @Test func `a foreign object that is not of our shape is refused with every bad field`() {
        var object = JSONCoder.value(Self.user).objectValue ?? [:]
        object["id"] = .string("w_\(Self.uuid)")
        object["username"] = .string(String(repeating: "a", count: 100))
        object["displayname"] = "a\u{202E}bc"
        object["description"] = .string(String(repeating: "a", count: 513))
        object["thumbnail"] = "javascript:alert(1)"
        object["tags"] = ["no tag"]
        object["server"] = "127.1"
        object["created_at"] = "yesterday"
        let error = #expect(throws: InvalidFields.self) {
            try JSONCoder.decode(User.self, from: .object(object))
        }
        #expect(
            Set(error?.problems.map(\.field) ?? []) == [
                "id", "username", "displayname", "description", "thumbnail", "tags.0", "server",
                "created_at",
            ])
        let nothing = #expect(throws: InvalidFields.self) {
            try JSONCoder.decode(World.self, from: [:])
        }
        #expect(
            Set(nothing?.problems.map(\.field) ?? []) == [
                "id", "title", "capacity", "owner", "server", "created_at", "updated_at",
            ])
    }
}

// Who calls is a value that one process of a node can tell another, and all rights come from it.
struct CallerTests {
    static let home = ServerAddress.sample

    static var callers: [Caller] {
        [
            .nobody, .user(UserCaller(id: .sample, session: .sample, tags: [.admin])),
            .visitor(VisitorCaller(user: .sample, integrity: .sample, limited: true)),
            .server(home), .ins(InsCaller(name: .sample)),
            .ins(InsCaller(name: .sample, owner: .sample)),
        ]
    }

    @Test func `each kind reads back as itself`() throws {
        for caller in Self.callers {
            #expect(try JSONCoder.decode(Caller.self, from: JSONCoder.value(caller)) == caller)
        }
        #expect(throws: InvalidFields.self) {
            try JSONCoder.decode(Caller.self, from: ["kind": "user"])
        }
        #expect(throws: InvalidFields.self) {
            try JSONCoder.decode(Caller.self, from: ["kind": "root"])
        }
    }

    @Test func `only an account of this node has rights, by its tags`() {
        let plain = Caller.user(UserCaller(id: .sample, session: .sample, tags: [.worldCreator]))
        #expect(plain.may(.worldCreator))
        #expect(!plain.may(.instanceCreator))
        #expect(!plain.isAdministrator)
        for caller in Self.callers {
            #expect(caller.isAdministrator == (caller.user != nil))
            #expect(caller.may(.fetchExternal) == (caller.user != nil))
        }
    }

    @Test func `a person is the same by bare and by absolute reference`() throws {
        let caller = Caller.user(UserCaller(id: .sample, session: .sample, tags: []))
        let other = try #require(ServerAddress("b.example"))
        #expect(caller.isPerson(UserReference(.sample), home: Self.home))
        #expect(caller.isPerson(UserReference(.sample, at: Self.home), home: Self.home))
        #expect(!caller.isPerson(UserReference(.sample, at: other), home: Self.home))
        let visitor = Caller.visitor(
            VisitorCaller(user: UserReference(.sample, at: other), integrity: .sample))
        #expect(visitor.isPerson(UserReference(.sample, at: other), home: Self.home))
        #expect(!visitor.isPerson(UserReference(.sample), home: Self.home))
        #expect(Caller.server(other).reference(home: Self.home) == nil)
    }
}
