import API
import Base
import Domain
import HTTP
import Net
import Support
import Testing

/// Bad input on every endpoint of the table: always 4xx, with `details` where fields are wrong,
/// never a fault, and the node goes on. Walks the table, so what is added later is covered by
/// being there.
@Suite struct BadInputTests {
    /// An administrator passes every gate but those for nodes and visitors.
    private static let administrator = Once {
        try await Shared.plain.get().administrator()
    }

    private func send(
        _ row: EndpointFacts, _ target: String? = nil, text: String,
        type: String = "application/json"
    ) async throws -> Answer {
        let client = try await Self.administrator.get().client
        return try await (row.credentials == .ignored ? client.with(token: nil) : client).send(
            row.method, target ?? row.unknownTarget, bytes: .bytes(Array(text.utf8)),
            fields: [("Content-Type", type)])
    }

    private func refused(
        _ answer: Answer, _ what: String, at location: SourceLocation = #_sourceLocation
    ) {
        #expect((400..<500).contains(answer.status), "\(what): \(answer)", sourceLocation: location)
        #expect(answer.code != nil, "\(what): \(answer)", sourceLocation: location)
    }

    /// Rows whose body an administrator gets as far as; the rest is a node's or a visitor's.
    private static let taking = AllEndpoints.all.filter {
        $0.takesJSON
            && ($0.access.kinds.contains(.user) || $0.access.kinds.contains(.nobody))
    }.map(\.name)

    @Test(arguments: taking) func `what is no JSON is refused`(name: String) async throws {
        let row = EndpointTable.row(name)
        for text in [
            "", "{", "nonsense", "{\"a\":1}{", "{\"a\":1,\"a\":2}", "{\"a\":\"\\ud800\"}", "[NaN]",
            String(repeating: "[", count: 2_000), String(repeating: "{\"a\":", count: 100) + "1",
        ] where !(row.method == .delete && text.isEmpty) {
            let answer = try await send(row, text: text)
            refused(answer, String(text.prefix(20)))
            #expect(answer.code == 56, "\(text.prefix(20)): \(answer)")
        }
        let client = try await Self.administrator.get().client
        let bytes = try await client.send(
            row.method, row.unknownTarget, bytes: .bytes([0x7B, 0x22, 0xFF, 0xFE, 0x22, 0x7D]),
            fields: [("Content-Type", "application/json")])
        #expect(bytes.code == 56, "\(bytes)")
    }

    @Test(arguments: taking) func `another media type, and too much, are refused`(
        name: String
    ) async throws {
        let row = EndpointTable.row(name)
        let other = try await send(row, text: "{}", type: "text/plain")
        #expect(other.status == 415 && other.code == 51, "\(other)")
        let large = "{\"a\":\"" + String(repeating: "x", count: 1 << 20) + "\"}"
        let answer = try await send(row, text: large)
        #expect(answer.status == 413 && answer.code == 52, "\(answer.status)")
    }

    @Test(arguments: taking) func `every field of a wrong type or length is named`(
        name: String
    ) async throws {
        let row = EndpointTable.row(name)
        let properties = row.bodySchema?["properties"]?.objectValue ?? JSONObject()
        for value: JSONValue in [
            7_000_000_000_000, .string(String(repeating: "x", count: 5_000)), [[]],
            ["no": ["such": "thing"]], true,
        ] {
            var body = JSONObject()
            for key in properties.keys { body[key] = value }
            var out = ByteWriter()
            out.append(json: .object(body))
            let answer = try await send(row, text: String(decoding: out.array(), as: UTF8.self))
            refused(answer, "\(value)".prefix(40).description)
            // What is not found first is not looked at further.
            if answer.status == 400, !properties.isEmpty {
                #expect(!answer.problems.isEmpty, "\(answer)")
            }
        }
        // No object at all.
        for text in ["[]", "1", "\"text\"", "null"] {
            refused(try await send(row, text: text), text)
        }
    }

    @Test(arguments: taking) func `every required field that is missing is named`(
        name: String
    ) async throws {
        let row = EndpointTable.row(name)
        let required = (row.bodySchema?["required"]?.arrayValue ?? []).compactMap(\.stringValue)
        guard !required.isEmpty else { return }
        let answer = try await send(row, text: "{}")
        refused(answer, "{}")
        if answer.status == 400 {
            #expect(Set(required).isSubset(of: answer.problems), "\(answer)")
        }
    }

    @Test(arguments: EndpointTable.names)
    func `ids that are none, or of another kind, are not found`(
        name: String
    ) async throws {
        let row = EndpointTable.row(name)
        guard row.captureCount > 0 else { return }
        let client = try await Self.administrator.get().client
        let body: JSONValue? = row.takesJSON ? [:] : nil
        let tricks = [
            "..", "%2e%2e%2f%2e%2e", "a%00b", "u_%FF", "'%20OR%201=1--", "%F0%9F%92%A9",
            String(repeating: "x", count: 3_000), "@", "@@", "u_1@2@3", "-1", "%2F",
        ]
        for target in [row.foreignKindTarget]
            + tricks.map({ trick in
                "/"
                    + row.template.split(separator: "/").map { part -> String in
                        guard let capture = part.firstIndex(of: ":") else { return String(part) }
                        return part[..<capture] + trick
                    }.joined(separator: "/")
            })
        {
            let answer = try await client.send(row.method, target, body)
            refused(answer, target.prefix(80).description)
        }
    }

    @Test func `path tricks lead nowhere`() async throws {
        let node = try await Shared.plain.get()
        for target in [
            "/api/../../etc/passwd", "/api/%2e%2e/%2e%2e/etc/passwd", "//api/users", "/api//users",
            "/api/users/", "/API/users", "/api/users%2f@me", "/api/users/@me/..", "/internal/link",
            "/internal/credentials", "/api/worlds/../users", "/.well-known/../api/users",
            "/api/users;x=1",
        ] {
            let answer = try await node.client.send(.get, target)
            #expect(answer.status == 404 || answer.status == 400, "\(target): \(answer)")
        }
    }

    @Test func `bad values of a query are named`() async throws {
        let client = try await Self.administrator.get().client
        for row in AllEndpoints.all where row.method == .get && row.captureCount == 0 {
            for parameter in row.parameters where !parameter.inPath {
                let value = parameter.name == "q" ? String(repeating: "x", count: 3_000) : "!!"
                let answer = try await client.send(
                    .get, "\(row.template)?\(parameter.name)=\(value)")
                #expect(
                    answer.status == 400 && answer.problems == [parameter.name],
                    "\(row.name) \(parameter.name): \(answer)")
            }
        }
        let broken = try await client.send(.get, "/api/users?q=%FF%FE")
        #expect(broken.status == 400 && broken.code == 56, "\(broken)")
    }

    @Test func `a body that comes behind its answer, and an upgrade to nothing, harm nobody`()
        async throws
    {
        let node = try await Shared.plain.get()
        let client = try await RawConnection(node.client.address)
        for _ in 0..<5 {
            await client.send(
                "GET /api/users/nobody HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n")
            let answer = await client.receive(until: "}}")
            #expect(answer?.hasPrefix("HTTP/1.1 404") == true, "\(answer ?? "nothing")")
            await client.send("hello")
        }
        await client.send(
            "GET /api/users/nobody HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\n"
                + "Upgrade: x\r\n\r\n")
        let last = await client.receive(until: "}}")
        #expect(last?.contains(" 404 ") == true, "\(last ?? "nothing")")
        #expect(node.process("reil").isRunning && node.process("eta").isRunning)
    }

    /// A raw request as `text`, and the first line of what comes back.
    private func raw(_ node: TestNode, _ text: String) async throws -> String? {
        let connection = try await RawConnection(node.client.address)
        await connection.send(text)
        return await connection.receive(until: "\r\n").map { String($0.prefix(12)) }
    }

    @Test func `what is no HTTP is refused and closed`() async throws {
        let node = try await Shared.plain.get()
        for text in [
            "nonsense\r\n\r\n", "GET /api/time HTTP/1.1\r\n\r\n",
            "GET /api/time HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
            "GET /api/time HTTP/3.7\r\nHost: a\r\n\r\n",
            "GET  /api/time HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /api/time HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
            "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Length: -2\r\n\r\n",
            "GET /api/time HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "x", count: 20_000))\r\n\r\n",
            "GET /api/time HTTP/1.1\r\nHost: a\r\n" + String(repeating: "X: y\r\n", count: 120)
                + "\r\n",
        ] {
            let connection = try await RawConnection(node.client.address)
            await connection.send(text)
            let answer = await connection.receiveAll()
            #expect(
                answer?.hasPrefix("HTTP/1.1 4") == true
                    || answer?.hasPrefix("HTTP/1.1 505") == true,
                "\(text.prefix(60)): \(answer ?? "not closed")")
            #expect(answer?.contains("\"code\":56") == true, "\(text.prefix(60)): \(answer ?? "")")
        }
    }

    @Test func `a body that is longer or shorter than told, or that never ends, harms nobody`()
        async throws
    {
        let node = try await Shared.plain.get()
        let head = "POST /api/auth/login HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        // Shorter: the client says that no more comes.
        let short = try await RawConnection(node.client.address)
        await short.send(head + "Content-Length: 100\r\n\r\n{\"username\":")
        short.shutdownWriting()
        let answer = await short.receiveAll()
        #expect(answer != nil, "a short body keeps its connection")
        #expect(answer?.contains(" 200 ") != true, "\(answer ?? "")")
        // Longer: what follows is the next request, and none.
        let long = try await RawConnection(node.client.address)
        await long.send(head + "Content-Length: 2\r\n\r\n{}surplus\r\n\r\n")
        let two = await long.receiveAll() ?? ""
        #expect(two.components(of: "HTTP/1.1 400") == 2, "\(two)")
        // Broken off without a word.
        let dead = try await RawConnection(node.client.address)
        await dead.send(head + "Content-Length: 100\r\n\r\n{")
        dead.reset()
        // Chunks that are none.
        let chunked = try await raw(
            node, head + "Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n")
        #expect(chunked == "HTTP/1.1 400", "\(chunked ?? "nothing")")
        #expect(try await node.client.send(.get, "/api/health").status == 200)
    }

    /// A DELETE may bring its body in the query, where fields can come as they like.
    @Test func `a query with a field twice, or with too many, is refused`() async throws {
        let user = try await Shared.plain.get().user()
        let twice = try await user.client.send(
            .delete, "/api/users/@me?password=\(user.password)&password=\(user.password)")
        #expect(twice.code == 56, "\(twice)")
        for target in ["/api/users/@me", "/api/nothing", "/api/users"] {
            let many = (0..<3_000).map { "\($0)" }.joined(separator: "&")
            let answer = try await user.client.send(.delete, "\(target)?\(many)")
            #expect((400..<500).contains(answer.status), "\(answer.status)")
        }
        let list = try await user.client.send(
            .get, "/api/users?" + Array(repeating: "q=a", count: 101).joined(separator: "&"))
        #expect(list.code == 56, "\(list)")
        #expect(try await user.client.send(.get, "/api/users/@me").status == 200)
        let once = try await user.client.send(
            .delete, "/api/users/@me?password=\(user.password)")
        #expect(once.status == 200, "\(once)")
    }

    /// What comes byte by byte is given up after its time, whatever keeps trickling in: heads, and
    /// bodies that Reil reads itself or passes on.
    @Test func `a client that sends two bytes a second is closed in time`() async throws {
        let node = try await Shared.plain.get()
        let post = "Host: a\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n"
        let started = SystemClock().now()
        await withTaskGroup(of: (String, String?).self) { group in
            for beginning in [
                "GET /api/time HTTP/1.1\r\nHost: a\r\nX-Slow: ",
                "POST /api/auth/login HTTP/1.1\r\n" + post,
                "PUT /api/challenges HTTP/1.1\r\n" + post,
            ] {
                group.addTask { (beginning, await Self.trickle(beginning, at: node)) }
            }
            for await (beginning, answer) in group {
                #expect(answer != nil, "\(beginning) was waited for")
                #expect(answer?.contains(" 200 ") == false, "\(beginning): \(answer ?? "")")
            }
        }
        #expect(SystemClock().now() - started < .seconds(45))
        #expect(node.process("reil").isRunning && node.process("eta").isRunning)
    }

    /// What comes back for that beginning of a request with more and more spaces behind it; nil
    /// when it is waited for beyond a minute.
    private static func trickle(_ beginning: String, at node: TestNode) async -> String? {
        guard let slow = try? await RawConnection(node.client.address) else { return nil }
        await slow.send(beginning)
        let end = SystemClock().now() + .seconds(60)
        while SystemClock().now() < end {
            guard await slow.send([UInt8(ascii: " ")]) else { return "" }
            if let all = await slow.receiveAll(within: .milliseconds(500)) { return all }
        }
        return nil
    }
}

extension String {
    fileprivate func components(of text: String) -> Int {
        var count = 0
        var rest = self[...]
        while let found = rest.firstRange(of: text) {
            count += 1
            rest = rest[found.upperBound...]
        }
        return count
    }
}
