import API
import Base
import Domain
import HTTP
import Net
import Support
import Testing

/// What every answer has: envelope, fields, conditions, methods.
@Suite struct SurfaceTests {
    @Test func `every answer has the fields of the node and an envelope`() async throws {
        let node = try await Shared.plain.get()
        for target in [
            "/api/time", "/api/server", "/api/users?limit=1", "/api/nothing", "/api/users/@me",
            "/services/x/y", "/services/x",
        ] {
            let answer = try await node.client.send(.get, target)
            #expect(answer["AVR-Gateway"] == "false \(node.address)", "\(target)")
            #expect(answer["X-Content-Type-Options"] == "nosniff")
            #expect(answer["Referrer-Policy"] == "no-referrer")
            #expect(answer["Access-Control-Allow-Origin"] == "*")
            #expect(answer["Access-Control-Allow-Credentials"] == nil)
            #expect(Self.listed(answer["Access-Control-Expose-Headers"]) == Self.exposed)
            #expect(answer["Content-Type"] == "application/json")
            #expect(answer.json?["request"] == .string(target), "\(answer)")
            #expect(answer.json?["time"]?.integerValue != nil)
            #expect((answer.data == nil) != (answer.json?["error"] == nil), "\(answer)")
        }
    }

    /// The names of fields that pages of any origin may send, and see.
    private static let allowed: Set = [
        "Authorization", "Content-Type", "If-Match", "If-None-Match", "Range", "Content-Range",
        "Content-Digest",
    ]
    private static let exposed: Set = [
        "AVR-Gateway", "ETag", "Retry-After", "Deprecation", "Content-Range",
    ]

    private static func listed(_ value: String?) -> Set<String> {
        Set((value ?? "").split(separator: ",").map { $0.filter { $0 != " " } })
    }

    @Test func `a known path with another method says which it has`() async throws {
        let node = try await Shared.plain.get()
        let answer = try await node.client.send(.delete, "/api/time")
        #expect(answer.status == 405 && answer.code == 2, "\(answer)")
        #expect(answer["Allow"] == "GET, HEAD, OPTIONS")
        for row in AllEndpoints.all {
            let options = try await node.client.send(.options, row.unknownTarget)
            #expect(options.status == 204, "\(row.name): \(options)")
            #expect(options["Access-Control-Allow-Origin"] == "*")
            #expect(options["Access-Control-Allow-Credentials"] == nil)
            #expect(Self.listed(options["Access-Control-Allow-Headers"]) == Self.allowed)
            let methods = Self.listed(options["Access-Control-Allow-Methods"])
            #expect(methods.isSuperset(of: Self.listed(options["Allow"])), "\(options)")
            #expect(options["Allow"]?.contains("\(row.method.name)") == true, "\(row.name)")
        }
    }

    @Test func `metrics tell requests by method, route and status`() async throws {
        var shape = NodeShape()
        let operations = FreePort.next()
        shape.ins = 0
        shape.reil = [("operations.listen", "127.0.0.1:\(operations)")]
        let node = try await TestNode.start(shape)
        for _ in 0..<3 { _ = try await node.client.send(.get, "/api/time") }
        _ = try await node.client.send(.get, "/api/users/nobody")
        let watcher = TypedClient(
            SocketAddress(.v4(0x7F00_0001), port: operations), secure: false,
            http: TestLoops.client(tls: nil))
        let answer = try await watcher.send(.get, "/metrics")
        let lines = String(decoding: answer.body, as: UTF8.self).split(separator: "\n")
        for line in [
            #"http_requests_total{method="GET",route="/api/time",status="200"} 3"#,
            #"http_requests_total{method="GET",route="/api/users/:id",status="404"} 1"#,
            #"http_request_seconds_count{method="GET",route="/api/time"} 3"#,
            #"reileta_queue_depth{queue="resolver"} 0.0"#,
        ] {
            #expect(lines.contains(line[...]), "\(line)")
        }
    }

    @Test func `a request has one id in the logs of all processes`() async throws {
        let node = try await Shared.plain.get()
        let word = "w\(SystemRandom().next())"
        _ = try await node.client.send(.get, "/api/users?q=\(word)")
        func id(_ name: String) throws -> String? {
            for line in node.process(name).log.split(separator: "\n") where line.contains(word) {
                return try JSONParser.parse(Array(line.utf8))["request"]?.stringValue
            }
            return nil
        }
        for name in ["reil", "eta"] { try await node.process(name).says(word) }
        let (known, told) = (try #require(try id("reil")), try id("eta"))
        #expect(known.utf8.count == 16 && told == known, "\(known) \(told ?? "-")")
    }

    @Test func `HEAD is GET without a body`() async throws {
        let node = try await Shared.plain.get()
        for target in ["/api/time", "/api/server", "/api/users?limit=1", "/.well-known/avr"] {
            let (head, get) = (
                try await node.client.send(.head, target), try await node.client.send(.get, target)
            )
            #expect(head.status == get.status && head.body.isEmpty, "\(target)")
            #expect(head["Content-Type"] == get["Content-Type"])
            #expect(head["Content-Length"] == "\(get.body.count)", "\(target)")
        }
    }

    @Test func `a tag spares the body, and guards an update`() async throws {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let world = try await user.client.call(WorldAPI.create, body: ["title": "tagged"])
        let target = "/api/worlds/\(world.id)"
        let first = try await node.client.send(.get, target)
        let tag = try #require(first["ETag"])
        let same = try await node.client.send(.get, target, fields: [("If-None-Match", tag)])
        #expect(same.status == 304 && same.body.isEmpty, "\(same)")
        let mine = try await user.client.send(
            .post, target, ["title": "changed"], fields: [("If-Match", tag)])
        #expect(mine.status == 200, "\(mine)")
        let late = try await user.client.send(
            .post, target, ["title": "changed twice"], fields: [("If-Match", tag)])
        #expect(late.status == 412 && late.code == 53, "\(late)")
        let now = try await node.client.send(.get, target, fields: [("If-None-Match", tag)])
        #expect(now.status == 200 && now.data?["title"] == "changed", "\(now)")
    }

    @Test func `a credential makes an answer private`() async throws {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let answer = try await user.client.send(.get, "/api/users/@me")
        #expect(answer["Cache-Control"]?.contains("private") == true, "\(answer.fields)")
        #expect(answer["Vary"]?.contains("Authorization") == true)
    }

    /// The old way works, is told to be old, and leaves no trace: not in `request`, not in a log.
    @Test func `a credential in the query works, and is seen nowhere`() async throws {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let good = try await node.client.send(
            .get, "/api/users/@me?a=1&authuser=\(user.token)&b=2")
        #expect(good.status == 200, "\(good)")
        #expect(good["Deprecation"] == "true")
        #expect(good.json?["request"] == "/api/users/@me?a=1&b=2", "\(good)")
        for target in [
            "/api/users/@me?authserver=\(user.token)", "/api/nothing?authuser=\(user.token)",
            "/api/services?integrityuser=\(user.token)", "/api/ws?token=\(user.token)",
            "/api/auth/login?%61uthuser=\(user.token)",
            "/api/worlds/\(EndpointFacts.unknown("w"))?authuser=\(user.token)",
        ] {
            let answer = try await node.client.send(.get, target)
            #expect(!answer.text.contains(user.token), "\(target): \(answer)")
        }
        _ = try await node.client.send(.delete, "/api/time?authuser=\(user.token)")
        // A DELETE may bring its body in the query.
        let wrong = try await user.client.send(
            .delete, "/api/users/@me?a=1&pass%77ord=wr0ng-\(user.name)&b=2")
        #expect(wrong.code == 23, "\(wrong)")
        #expect(wrong.json?["request"] == "/api/users/@me?a=1&b=2", "\(wrong)")
        // Also where nobody takes it.
        let lost = try await user.client.send(
            .delete, "/api/user/@me?password=wr0ng-\(user.name)")
        #expect(lost.json?["request"] == "/api/user/@me", "\(lost)")
        try await user.client.data(.get, "/api/users/@me")
        #expect(!node.logs.contains("wr0ng-\(user.name)"))
        #expect(!node.logs.contains(user.token))
        #expect(!node.logs.contains(user.password))
    }

    @Test func `lists are walked page by page, each item once`() async throws {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        var made: Set<String> = []
        for number in 0..<5 {
            made.insert(
                "\(try await user.client.call(WorldAPI.create, body: ["title": .string("page \(number)")]).id)"
            )
        }
        var seen: [String] = []
        var after = ""
        repeat {
            let page = try await node.client.data(
                .get, "/api/worlds?limit=2&owner=\(user.reference)\(after)")
            #expect(page["total"] == 5, "\(page)")
            seen += (page["items"]?.arrayValue ?? []).compactMap { $0["id"]?.stringValue }
            after = page["next"]?.stringValue.map { "&after=\($0)" } ?? ""
        } while !after.isEmpty && seen.count < 10
        #expect(seen.count == 5 && Set(seen) == made, "\(seen)")
    }

    @Test func `a user changes themself and nobody else, and goes with all they own`() async throws
    {
        let node = try await Shared.plain.get()
        let (user, other) = (try await node.user(), try await node.user())
        let changed = try await user.client.data(
            .post, "/api/users/@me", ["displayname": "Somebody", "description": "a person"])
        #expect(changed["displayname"] == "Somebody" && changed["display"] == "Somebody")
        let cleared = try await user.client.data(
            .post, "/api/users/@me", ["description": nil])
        #expect(cleared["description"] == .null, "\(cleared)")
        let foreign = try await other.client.send(
            .post, "/api/users/\(user.id)", ["displayname": "Nobody"])
        #expect(foreign.status == 403 && foreign.code == 12, "\(foreign)")
        let theirs = try await other.client.send(.delete, "/api/users/\(user.id)")
        #expect(theirs.status == 403 && theirs.code == 19, "\(theirs)")
        let tags = try await user.client.send(.post, "/api/users/@me", ["tags": ["avr:admin"]])
        #expect(tags.status == 403, "\(tags)")
        let world = try await user.client.call(WorldAPI.create, body: ["title": "mine"])
        try await user.client.data(.post, "/api/users/@me/home", ["world": .string("\(world.id)")])
        let home = try await user.client.data(.get, "/api/users/@me/home")
        #expect(home["id"] == .string("\(world.id)") && home["fallback"] == false, "\(home)")
        let gone = try await user.client.send(
            .delete, "/api/users/@me", ["password": .string(user.password)])
        #expect(gone.status == 200, "\(gone)")
        #expect(try await node.client.send(.get, "/api/users/\(user.id)").code == 17)
        #expect(try await node.client.send(.get, "/api/worlds/\(world.id)").code == 25)
        #expect(try await user.client.send(.get, "/api/users/@me").code == 3)
    }

    @Test func `the node says who it is`() async throws {
        let node = try await Shared.plain.get()
        let server = try await node.client.call(ServerAPI.fetch)
        #expect("\(server.address)" == node.address)
        #expect(server.gateway.field == "false \(node.address)")
        let known = try await node.client.send(.get, "/.well-known/avr")
        #expect(known.json?["address"] == .string(node.address))
        #expect(known.json?["data"] == nil, "it has no envelope")
        #expect(known["Cache-Control"]?.contains("max-age") == true)
        let socket = try await node.client.send(.get, "/api/ws")
        #expect(socket.status == 400 && socket.code == 56, "\(socket)")
    }
}
