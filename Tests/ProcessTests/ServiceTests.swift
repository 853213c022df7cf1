import API
import Base
import Crypto
import Domain
import Federation
import HTTP
import Net
import Support
import Testing

/// The registry of services, and the way to them through the gateway.
@Suite struct ServiceTests {
    @Test func `a service is registered, found, changed and deleted`() async throws {
        let node = try await Shared.plain.get()
        let (creator, other) = (try await node.serviceCreator(), try await node.user())
        let service = try FakeService.start("registry")
        let path = "/api/services/\(service.id)"

        let refused = try await other.client.send(.put, "/api/services", service.registration)
        #expect(refused.code == 4, "\(refused)")
        let made = try await creator.client.send(.put, "/api/services", service.registration)
        #expect(made.status == 201 && made["Cache-Control"] == "no-store", "\(made)")
        let credential = try #require(made.data?["credential"]?.stringValue)
        #expect(ServiceToken(credential) != nil)
        #expect(made.data?["owner"] == .string(creator.reference), "\(made)")
        #expect(made.data?["kind"] == "external" && made.data?["tags"] == [], "\(made)")
        let again = try await creator.client.send(.put, "/api/services", service.registration)
        #expect(again.status == 409 && again.code == 64, "\(again)")
        try await service.up(at: node)

        let seen = try await node.client.data(.get, path)
        #expect(seen["credential"] == nil && seen["checked_at"]?.integerValue != nil, "\(seen)")
        let found = try await node.client.data(.get, "/api/services?q=\(service.id.uppercased())")
        #expect(found["total"] == 1 && found["items"]?[0]?["id"] == .string(service.id), "\(found)")
        #expect(try await other.client.send(.post, path, ["title": "Mine"]).code == 4)
        #expect(try await other.client.send(.delete, path).code == 4)
        let changed = try await creator.client.data(
            .post, path, ["title": "Louder", "tags": ["music:loud"]])
        #expect(changed["title"] == "Louder" && changed["status"] == "up", "\(changed)")
        let tagged = try await node.client.data(.get, "/api/services?tag=music:loud&limit=100")
        #expect(
            tagged["items"]?.arrayValue?.contains { $0["id"] == .string(service.id) } == true)
        let export = try await creator.client.data(.get, "/api/users/@me/export")
        #expect(export["services"]?[0]?["id"] == .string(service.id), "\(export)")

        #expect(try await creator.client.send(.delete, path).status == 200)
        #expect(try await node.client.send(.get, path).code == 62)
        #expect(try await node.client.send(.get, "/services/\(service.id)/echo").code == 62)
        #expect(try await node.client.with(token: credential).send(.get, path).code == 3)
    }

    @Test(
        arguments: [
            ("id", "jukebox", 63), ("id", "org..jukebox", 63), ("id", "ORG.example", 63),
            ("id", ".org.example", 63), ("id", "-org.example", 63),
            ("address", "http://127.0.0.1:1", 63), ("address", "127.0.0.1:1/a/../b", 63),
            ("address", "127.0.0.1:1/a?b", 63), ("title", "", 63), ("tags", ["avr:admin"], 38),
        ] as [(String, JSONValue, Int)])
    func `what cannot be a service is refused by its field`(
        field: String, value: JSONValue, code: Int
    ) async throws {
        let node = try await Shared.plain.get()
        let creator = try await node.serviceCreator()
        var body: JSONObject = [
            "id": "org.example.refused", "title": "Never", "address": "127.0.0.1:1",
            "secure": false,
        ]
        body[field] = value
        let answer = try await creator.client.send(.put, "/api/services", .object(body))
        #expect(answer.code == code && answer.problems == [field], "\(answer)")
    }

    /// What the service was told, once it is seen that the node has signed it.
    private func verified(_ answer: Answer, _ service: FakeService, _ node: TestNode) async throws
        -> JSONValue
    {
        let told = try #require(answer.json, "\(answer)")
        func field(_ name: String) -> String? { told["fields"]?[name]?.stringValue }
        let document = try #require(try await node.client.send(.get, "/.well-known/avr").json)
        let entry = try #require(document["keys"]?[0])
        let raw = try #require(entry["key"]?.stringValue.flatMap { Base64.decodeURL($0) })
        let key = try #require(Ed25519PublicKey(raw))
        let parts = try #require(field("avr-signature")).split(separator: ":")
        #expect(entry["id"] == .string(String(parts[0])))
        // As a stranger would write it, from the page alone.
        let length = field("content-length").flatMap { Int($0) }
        let digest = told["digest"]?.stringValue ?? ""
        let text = [
            "avr-service:1", "\(service.id)@\(node.address)", told["method"]?.stringValue ?? "",
            told["target"]?.stringValue ?? "", field("avr-user") ?? "-", field("avr-time") ?? "",
            length.map { $0 <= 65_536 ? digest : "-" } ?? "-",
        ].joined(separator: "\n")
        let signature = try #require(Base64.decodeURL(String(parts[1])))
        #expect(key.verify(signature, of: Array(text.utf8)), "\(text)")
        return told
    }

    @Test func `the service knows who calls, and sees no credential of the node`() async throws {
        let (node, home) = (try await Shared.plain.get(), try await Shared.other.get())
        let creator = try await node.serviceCreator()
        let service = try FakeService.start("proxy")
        let credential = try await service.register(at: node, by: creator)
        let target = "/services/\(service.id)/echo"
        let user = try await node.user()

        let nobody = try await verified(
            try await node.client.send(.get, "\(target)?b=2&a=1&a="), service, node)
        #expect(nobody["fields"]?["avr-user"] == nil, "\(nobody)")
        #expect(nobody["target"] == "/echo?b=2&a=1&a=", "\(nobody)")
        #expect(nobody["fields"]?["avr-forwarded-for"] == "127.0.0.1", "\(nobody)")
        let known = try await verified(
            try await user.client.send(
                .post, target, ["x": 1],
                fields: [
                    ("AVR-User", "u_somebody"), ("avr-signature", "x"), ("Forwarded", "for=x"),
                    ("X-Forwarded-Proto", "https"), ("X-Own", "kept"), ("Cookie", "a=b"),
                ]), service, node)
        #expect(known["fields"]?["avr-user"] == .string(user.reference), "\(known)")
        #expect(known["fields"]?["authorization"] == nil, "\(known)")
        #expect(known["fields"]?["forwarded"] == nil, "\(known)")
        #expect(known["fields"]?["x-forwarded-proto"] == nil, "\(known)")
        #expect(known["fields"]?["x-own"] == "kept" && known["fields"]?["cookie"] == "a=b")
        #expect(known["fields"]?["host"] == .string(service.peer.address), "\(known)")
        let empty = try await verified(
            try await user.client.send(.post, target, bytes: .bytes([])), service, node)
        #expect(empty["length"] == 0)
        for method in [Method.put, .patch, .delete, .options] {
            let answer = try await user.client.send(method, target)
            #expect(answer.json?["method"] == .string("\(method.name)"), "\(answer)")
        }
        let visitor = try await home.user()
        let visited = try await verified(
            try await visitor.visiting(node).send(.get, target), service, node)
        #expect(visited["fields"]?["avr-user"] == .string(visitor.reference), "\(visited)")
        // In the query, too; what is no token of the node's is the service's own.
        let asked = try await verified(
            try await node.client.send(.get, "\(target)?token=\(user.token)&x=%20&token=own"),
            service, node)
        #expect(asked["target"] == "/echo?x=%20&token=own", "\(asked)")
        #expect(asked["fields"]?["avr-user"] == .string(user.reference), "\(asked)")
        let foreign = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.e30.AA"
        let own = try await verified(
            try await node.client.with(token: foreign).send(.get, target), service, node)
        #expect(own["fields"]?["authorization"] == .string("Bearer \(foreign)"), "\(own)")
        #expect(own["fields"]?["avr-user"] == nil, "\(own)")
        let dead = String(user.token.dropLast()) + (user.token.hasSuffix("A") ? "B" : "A")
        #expect(try await node.client.with(token: dead).send(.get, target).code == 3)
        // The service itself acts as its owner.
        let itself = try await verified(
            try await node.client.with(token: credential).send(.get, target), service, node)
        #expect(itself["fields"]?["avr-user"] == .string(creator.reference), "\(itself)")
        #expect(!node.logs.contains(user.token) && !node.logs.contains(credential))
    }

    @Test func `bodies stream both ways`() async throws {
        let node = try await Shared.plain.get()
        let service = try FakeService.start("bodies")
        _ = try await service.register(at: node, by: try await node.serviceCreator())
        let target = "/services/\(service.id)/echo"
        let long = [UInt8](repeating: 7, count: 3 << 20)
        let known = try await verified(
            try await node.client.send(.post, target, bytes: .bytes(long)), service, node)
        #expect(known["digest"] == .string(SHA256.hash(long).hex), "\(known)")
        let chunked = try await verified(
            try await node.client.send(
                .post, target, bytes: .stream(BytesBody(Array("short".utf8)), length: nil)),
            service, node)
        #expect(chunked["fields"]?["transfer-encoding"] == "chunked", "\(chunked)")
        #expect(chunked["length"] == 5, "\(chunked)")
        service.peer.on("GET /long") { _ in
            Response(status: .ok, body: .stream(BytesBody(long), length: nil))
        }
        let back = try await node.client.send(.get, "/services/\(service.id)/long")
        #expect(back.body == long)
    }

    @Test(arguments: [
        "..", ".", "%2e%2e", "%2E.", "a/../b", "a/%2e%2e/b", "a%2f..%2fb", "a%5c..%5cb", "..%2f",
    ])
    func `no path leads out of the service`(path: String) async throws {
        let node = try await Shared.plain.get()
        let service = try FakeService.start("paths")
        _ = try await service.register(at: node, by: try await node.serviceCreator())
        let before = service.peer.heads.count
        let answer = try await node.client.send(.get, "/services/\(service.id)/\(path)")
        #expect(answer.status == 400 && answer.code == 56, "\(answer)")
        #expect(service.peer.heads.count == before)
    }

    @Test func `an answer speaks for its service alone`() async throws {
        let node = try await Shared.plain.get()
        let service = try FakeService.start("fields")
        _ = try await service.register(at: node, by: try await node.serviceCreator())
        service.peer.on("GET /fields") { _ in
            var fields = Fields()
            for (name, value) in [
                ("Set-Cookie", "a=1; Path=/; Domain=example.org; HttpOnly"),
                ("Set-Cookie", "path=2"), ("Alt-Svc", "h3=\":1\""), ("Clear-Site-Data", "\"*\""),
                ("Strict-Transport-Security", "max-age=1"), ("Service-Worker-Allowed", "/"),
                ("AVR-Gateway", "false evil.example"), ("X-Own", "kept"),
                ("Access-Control-Allow-Origin", "https://evil.example"),
                ("Access-Control-Allow-Credentials", "true"),
                ("Content-Security-Policy", "default-src 'none'"),
            ] { fields.append(FieldName(name) ?? .vary, value) }
            return Response(status: .ok, fields: fields, body: .bytes(Array("<b>x</b>".utf8)))
        }
        let answer = try await node.client.send(.get, "/services/\(service.id)/fields")
        func all(_ name: String) -> [String] {
            FieldName(name).map { answer.fields.all($0) }?.map {
                String(decoding: $0, as: UTF8.self)
            } ?? []
        }
        let place = "Path=/services/\(service.id)"
        #expect(all("Set-Cookie") == ["a=1; HttpOnly; \(place)", "path=2; \(place)"])
        #expect(all("X-Own") == ["kept"])
        #expect(
            all("Content-Security-Policy")
                == ["default-src 'none'", "sandbox allow-scripts allow-forms"])
        #expect(all("X-Content-Type-Options") == ["nosniff"])
        #expect(all("Access-Control-Allow-Origin") == ["*"])
        #expect(all("AVR-Gateway") == ["false \(node.address)"])
        for name in [
            "Alt-Svc", "Clear-Site-Data", "Strict-Transport-Security", "Service-Worker-Allowed",
            "Access-Control-Allow-Credentials",
        ] { #expect(all(name).isEmpty, "\(name)") }
    }

    @Test func `an upgrade becomes a tunnel`() async throws {
        let node = try await Shared.plain.get()
        let service = try FakeService.start("tunnel")
        let owner = try await node.serviceCreator()
        _ = try await service.register(at: node, by: owner)
        service.peer.on("GET /socket") { request in
            let user = FieldName("AVR-User").flatMap { request.head.text($0) } ?? "-"
            return Response(
                status: .switchingProtocols,
                body: .webSocket(
                    WebSocketUpgrade(subprotocol: nil) { sink in Echo(sink: sink, user: user) }))
        }
        let socket = try await TestSocket.open(
            owner.client, target: "/services/\(service.id)/socket", subprotocols: [])
        socket.send(text: #"{"command":"hello"}"#)
        let back = try await socket.event("hello")
        #expect(back["user"] == .string(owner.reference), "\(back)")
        socket.close()
        #expect(try await socket.closed() == .normal)
        // What is no upgrade there is an answer here.
        let refused = try await node.client.send(
            .get, "/services/\(service.id)/echo",
            fields: [("Connection", "upgrade"), ("Upgrade", "websocket")])
        #expect(refused.status == 200, "\(refused)")
    }

    /// Sends back what it hears, with who was said to speak.
    private struct Echo: MessageReceiver {
        let sink: any WebSocketSink
        let user: String

        func received(text: [UInt8]) {
            guard let frame = try? JSONParser.parse(text), let command = frame["command"] else {
                return
            }
            var out = ByteWriter()
            out.append(json: ["command": command, "user": .string(user)])
            sink.send(text: out.array())
        }
        func received(binary: [UInt8]) { sink.send(binary: binary) }
        func writable() {}
        func closed(_ code: CloseCode) {}
    }

    @Test func `a service that is down costs 502 soon, and nobody else anything`() async throws {
        var shape = NodeShape()
        shape.eta = [("services.check_interval", "300ms")]
        let node = try await TestNode.start(shape)
        let creator = try await node.serviceCreator()
        let (good, silent) = (try FakeService.start("good"), try FakeService.start("silent"))
        _ = try await good.register(at: node, by: creator)
        _ = try await silent.register(at: node, by: creator)
        // It takes connections, and says nothing any more.
        let held = Lock<[CheckedContinuation<Void, Never>]>([])
        for path in ["/echo", "/.well-known/avr-service"] {
            silent.peer.on("GET \(path)") { _ in
                await withCheckedContinuation { wait in held.withLock { $0.append(wait) } }
                return Response(status: .notFound)
            }
        }
        let clock = ContinuousClock()
        let began = clock.now
        async let waiting = node.client.send(.get, "/services/\(silent.id)/echo")
        let beside = try await node.client.send(.get, "/services/\(good.id)/echo")
        #expect(beside.status == 200, "\(beside)")
        let answer = try await waiting
        #expect(answer.status == 502 && answer.code == 65, "\(answer)")
        #expect(clock.now - began < .seconds(5), "\(clock.now - began)")
        try await silent.up(at: node, false)
        let next = clock.now
        #expect(try await node.client.send(.get, "/services/\(silent.id)/echo").code == 65)
        #expect(clock.now - next < .seconds(1))
        // One that is gone altogether, and one that says it is another.
        good.answersChecks(false)
        try await good.up(at: node, false)
        good.answersChecks(true)
        try await good.up(at: node)
        good.peer.stop()
        #expect(try await node.client.send(.get, "/services/\(good.id)/echo").code == 65)
        try await good.up(at: node, false)
        for wait in held.withLock({ $0 }) { wait.resume() }
    }

    @Test func `what changes is told to who listens, and outlives the processes`() async throws {
        let node = try await TestNode.start()
        let creator = try await node.serviceCreator()
        let listener = try await node.user().socket("update-service")
        let service = try FakeService.start("events")
        let credential = try await service.register(at: node, by: creator)
        try await listener.event("update-service") { $0["data"]?["status"] == "down" }
        let up = try await listener.event("update-service") { $0["data"]?["status"] == "up" }
        #expect(up["data"]?["id"] == .string(service.id) && up["data"]?["credential"] == nil)
        for name in ["eta", "reil"] {
            node.process(name).kill()
            try await node.start(name)
        }
        try await node.healthy()
        try await service.up(at: node)
        let target = "/services/\(service.id)/echo"
        #expect(try await node.client.with(token: credential).send(.get, target).status == 200)
        let again = try await node.user().socket("update-service")
        try await creator.client.data(
            .delete, "/api/users/@me", ["password": .string(creator.password)])
        let gone = try await again.event("update-service")
        #expect(
            gone["data"] == ["id": .string(service.id), "deleted": true], "\(gone)")
        #expect(try await node.client.send(.get, target).code == 62)
        #expect(try await node.client.with(token: credential).send(.get, "/api/time").code == 3)
    }

    @Test func `a service of another node is read there`() async throws {
        let (node, home) = (try await Shared.plain.get(), try await Shared.other.get())
        let service = try FakeService.start("abroad")
        _ = try await service.register(at: node, by: try await node.serviceCreator())
        let reader = try await home.user()
        let path = "/api/services/\(service.id)@\(node.address)"
        let found = try await reader.client.data(.get, path)
        #expect(found["id"] == .string(service.id) && found["external"] == true, "\(found)")
        #expect(found["server"] == .string(node.address), "\(found)")
        #expect(try await home.client.send(.get, path).code == 3)
        #expect(try await reader.client.send(.delete, path).code == 41)
        let list = try await reader.client.data(
            .get, "/api/services?server=\(node.address)&q=\(service.id)")
        #expect(list["items"]?[0]?["external"] == true, "\(list)")
    }
}
