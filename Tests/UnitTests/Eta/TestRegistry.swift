import API
import Base
import Domain
import Eta
import Glibc
import HTTP
import Net
import Runtime
import Testing

/// A registry of its own on a real database in a folder of its own, asked through its router as a
/// Reil would ask it, but for the sockets.
final class TestRegistry: Sendable {
    let registry: Registry
    let router: Router
    let clock: ManualClock
    private let folder: TemporaryFolder
    private let group: EventLoopGroup
    private let count = Lock(0)

    init(_ settings: [String: String] = [:]) async throws {
        folder = TemporaryFolder()
        clock = ManualClock()
        group = try EventLoopGroup(count: 1, ambient: .silent(clock: clock))
        var flags = [
            (flag: "eta-data", text: folder.path), ("testing", "true"),
            ("passwords-scrypt-log-n", "4"), ("node-address", Self.address.text),
        ]
        for (key, text) in settings {
            flags.append((key.replacing(".", with: "-").replacing("_", with: "-"), text))
        }
        let config = try ConfigReader(EtaSettings.all + ProcessSettings.all, flags: flags)
        registry = try await Registry(try EtaSettings(config), on: group)
        router = registry.makeRouter()
        // As long as it takes until leases that an Eta before it may have given are over.
        clock.advance(by: .seconds(2))
    }

    deinit { group.stop() }

    static let address = known(ServerAddress("a.example:3032"))
    static let elsewhere = known(ServerAddress("b.example"))

    /// The files of the store, without parts.
    var files: [String] {
        folder.files("files").filter { !$0.contains("parts/") && !$0.contains("temporary/") }
    }
    /// Parts of uploads that can be gone on with.
    var parts: [String] { folder.files("files/parts") }
    /// What uploads that cannot be gone on with have left.
    var temporary: [String] { folder.files("files/temporary") }

    // MARK: Asking

    /// Asks as `caller`, with a body or without.
    func ask(
        _ method: String, _ target: String, as caller: Caller = .nobody, _ json: JSONValue? = nil,
        fields: [String: String] = [:]
    ) async -> TestAnswer {
        var fields = fields
        guard let json else {
            return await send(method, target, as: caller, fields: fields, TestBody([]))
        }
        if fields["Content-Type"] == nil { fields["Content-Type"] = "application/json" }
        var out = ByteWriter()
        out.append(json: json)
        return await send(method, target, as: caller, fields: fields, TestBody([out.array()]))
    }

    /// Sends a body of any kind; of a length that is told unless `chunked`.
    func send(
        _ method: String, _ target: String, as caller: Caller = .nobody,
        fields: [String: String] = [:], chunked: Bool = false, _ body: TestBody
    ) async -> TestAnswer {
        let statement = CallerStatement(caller: caller, at: clock.timestamp())
            .signed(with: registry.node.keys.cluster)
        var text = "\(method) \(target) HTTP/1.1\r\nHost: eta\r\nAVR-Statement: \(statement)\r\n"
        for (name, value) in fields { text += "\(name): \(value)\r\n" }
        if chunked {
            text += "Transfer-Encoding: chunked\r\n"
        } else {
            text += "Content-Length: \(body.promised)\r\n"
        }
        var machine = ServerMachine(now: clock.now())
        machine.receive(Array((text + "\r\n").utf8).span, now: clock.now())
        guard case .request(let head)? = machine.next(now: clock.now()) else {
            preconditionFailure("not a request: \(text)")
        }
        let request = Request(
            head: head, body: body, client: .v4(0x7F00_0001), secure: false,
            id: count.withLock { count in
                count += 1
                return UInt64(count)
            }, received: clock.now(), loop: group.loops[0])
        return TestAnswer(await router.respond(to: request))
    }

    // MARK: People, Ins

    /// Makes an account with these tags beside those that all get; `password` is its password.
    func user(_ name: String, tags: [Domain.Tag] = []) async throws -> UserCaller {
        // Ids sort by the millisecond.
        clock.advance(by: .milliseconds(1))
        let answer = await ask(
            "POST", "/api/auth/register", ["username": .string(name), "password": Self.password])
        let id = try #require(UserID(answer["user"]?["id"]?.stringValue ?? ""), "\(answer.text)")
        let session = try #require(SessionID(answer["session"]?.stringValue ?? ""))
        var all: [Domain.Tag] = [.worldCreator, .instanceCreator, .fetchExternal]
        if !tags.isEmpty {
            all += tags
            let listed = all.map { JSONValue.string($0.text) }
            let setter = Caller.user(
                UserCaller(id: id, session: session, tags: known(TagSet([.admin]))))
            let set = await ask("POST", "/api/users/\(id)", as: setter, ["tags": .array(listed)])
            #expect(set.status == 200, "\(set.text)")
        }
        return UserCaller(id: id, session: session, tags: known(TagSet(all)))
    }

    static let password: JSONValue = "correct horse battery"

    /// A user of another node, who was let in.
    func visitor(_ name: String) async throws -> VisitorCaller {
        let id = UserID.make(clock: clock, random: SystemRandom())
        let user = UserReference(id, at: Self.elsewhere)
        let profile = User(
            id: id, username: known(Username(name)), displayname: known(DisplayName(name)),
            server: Self.elsewhere, createdAt: clock.timestamp(), updatedAt: clock.timestamp())
        let grant = RegistryAPI.IncomingGrant(user: user, profile: profile)
        let answer = await ask(
            "POST", "/internal/integrity/incoming", as: .gateway, JSONCoder.value(grant))
        let integrity = try #require(
            IntegrityID(answer["id"]?.stringValue ?? ""), "\(answer.text)")
        return VisitorCaller(user: user, integrity: integrity)
    }

    /// The operator's own Ins, which every data folder has a credential for, is linked.
    func linkIns(_ credential: String = "local", capacity: Int = 1_000) {
        registry.roster.heard(
            InsReport(
                credential: credential, name: credential, version: "1", capacity: capacity,
                region: "", load: 0), from: "run-1", at: clock.timestamp())
    }

    /// Makes a world and says which.
    func world(
        of caller: UserCaller, _ title: String = "Harbour", tags: [JSONValue] = []
    ) async throws -> String {
        clock.advance(by: .milliseconds(1))
        let answer = await ask(
            "PUT", "/api/worlds", as: .user(caller),
            ["title": .string(title), "tags": .array(tags)])
        return try #require(answer["id"]?.stringValue, "\(answer.text)")
    }

    /// Makes an instance and says which.
    func instance(
        of caller: Caller, _ fields: JSONObject
    ) async throws -> String {
        clock.advance(by: .milliseconds(1))
        let answer = await ask("PUT", "/api/instances", as: caller, .object(fields))
        return try #require(answer["id"]?.stringValue, "\(answer.text)")
    }

    /// Asks for a seat on behalf of `caller`, through that run of a Reil.
    func takeSeat(
        _ instance: String, as caller: Caller, run: String = "run-1", bot: Bool = false
    ) async -> TestAnswer {
        let player = PlayerID.make(clock: clock, random: SystemRandom())
        return await ask(
            "POST", "/internal/instances/\(instance)/players", as: caller,
            ["player": .string(player.text), "as": bot ? "bot" : .null],
            fields: ["AVR-Reil-Run": run])
    }

    /// Gives a seat back.
    func returnSeat(_ instance: String, _ player: String, as caller: Caller) async -> TestAnswer {
        await ask(
            "DELETE", "/internal/instances/\(instance)/players", as: caller,
            ["player": .string(player)], fields: ["AVR-Reil-Run": "run-1"])
    }
}

/// The value of what a test wrote down itself.
func known<Value>(_ value: Value?) -> Value {
    guard let value else { preconditionFailure("a constant of a test is not valid") }
    return value
}

/// An answer of the router.
struct TestAnswer {
    let response: Response
    let json: JSONValue?

    init(_ response: Response) {
        self.response = response
        if case .bytes(let bytes) = response.body {
            json = try? JSONParser.parse(bytes)
        } else {
            json = nil
        }
    }

    var status: Int { Int(response.status.code) }
    /// The value of `data`.
    var data: JSONValue? { json?["data"] }
    /// The error's code; nil for a success.
    var code: Int? { json?["error"]?["code"]?.integerValue.map { Int($0) } }
    /// The fields that the error names.
    var badFields: [String] {
        (json?["error"]?["details"]?.arrayValue ?? []).compactMap { $0["field"]?.stringValue }
    }
    /// A field of `data`.
    subscript(_ key: String) -> JSONValue? { data?[key] }
    /// The `items` of a list.
    var items: [JSONValue] { data?["items"]?.arrayValue ?? [] }
    /// The ids of the items of a list.
    var ids: [String] { items.compactMap { $0["id"]?.stringValue } }
    /// For messages.
    var text: String {
        guard case .bytes(let bytes) = response.body else { return "\(status)" }
        return "\(status) " + String(decoding: bytes, as: UTF8.self)
    }

    /// The bytes of a file, as a server would send them.
    var file: [UInt8] {
        guard case .file(let slice) = response.body else { return [] }
        var all: [UInt8] = []
        for piece in slice.pieces {
            switch piece {
            case .bytes(let bytes): all += bytes
            case .range(let range):
                var bytes = [UInt8](repeating: 0, count: range.count)
                let count = unsafe bytes.withUnsafeMutableBytes { buffer in
                    unsafe pread(
                        slice.file.descriptor, buffer.baseAddress, buffer.count,
                        off_t(range.lowerBound))
                }
                #expect(count == range.count)
                all += bytes
            }
        }
        return all
    }
}

/// A body in pieces, which may break off.
final class TestBody: BodySource {
    private let chunks: Lock<[[UInt8]]>
    private let end: BodyError?
    private let relay: SlowBody?
    /// What Content-Length says.
    let promised: Int

    /// These pieces, and then the end, or `end` in its place; or all that `relay` has.
    init(
        _ chunks: [[UInt8]], promised: Int? = nil, end: BodyError? = nil, relay: SlowBody? = nil
    ) {
        self.relay = relay
        self.promised = promised ?? chunks.reduce(0) { $0 + $1.count }
        self.chunks = Lock(chunks)
        self.end = end
    }

    func next() async throws(BodyError) -> [UInt8]? {
        if let relay { return await relay.next() }
        let chunk = chunks.withLock { $0.isEmpty ? nil : $0.removeFirst() }
        if chunk == nil, let end { throw end }
        return chunk
    }
}
