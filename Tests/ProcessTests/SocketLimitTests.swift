import API
import Base
import Domain
import HTTP
import Net
import Support
import Testing

/// How long a socket lives, how many there may be, and what closes one: each rule with its code.
@Suite struct SocketLimitTests {
    /// A node for sockets of one origin, which believes addresses that are passed on to it.
    private static let strict = Once {
        var shape = NodeShape()
        shape.reil = [
            ("sockets.origins", "https://a.example,https://b.example:8443"),
            ("reil.trusted_proxies", "127.0.0.0/8"),
        ]
        return try await TestNode.start(shape)
    }

    /// Waits for the close with that code, and for the word that comes before it.
    private func turnedOut(
        _ socket: TestSocket, _ code: CloseCode, at location: SourceLocation = #_sourceLocation
    ) async throws {
        #expect(try await socket.closed() == code, sourceLocation: location)
        let told = socket.waiting.last
        #expect(told?["command"] == "unauthenticated", "\(told ?? .null)", sourceLocation: location)
        let reason = told?["data"]?["reason"]?.stringValue ?? ""
        #expect(!reason.isEmpty, "\(told ?? .null)", sourceLocation: location)
    }

    private func isAlive(_ socket: TestSocket) async throws -> Bool {
        try await socket.command("ping", ["time": 5])["client"] == 5
    }

    /// Two pings, 20 s apart, and as long again: nobody else finds out that a client is dead.
    @Test func `a client that answers no ping is closed`() async throws {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let connection = try await RawConnection(node.client.address)
        await connection.send(
            """
            GET /api/ws?token=\(user.token) HTTP/1.1\r
            Host: \(node.address)\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Version: 13\r
            Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r
            \r

            """)
        let began = SystemClock().now()
        let heard = await connection.receiveAll(within: .seconds(90))
        let lived = SystemClock().now() - began
        #expect(heard?.hasPrefix("HTTP/1.1 101 ") == true, "\(heard ?? "still open")")
        #expect(heard?.contains("authenticated") == true, "\(heard ?? "still open")")
        #expect((.seconds(39)...(.seconds(70))).contains(lived), "\(lived)")
    }

    // MARK: Credentials

    @Test func `who has not logged in within ten seconds is closed, who has is not`() async throws {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let clock = SystemClock()
        let start = clock.now()
        let late = try await TestSocket.open(node.client)
        let inTime = try await TestSocket.open(node.client)
        try await inTime.command("authenticate", ["token": .string(user.token)])
        #expect(try await isAlive(late))
        #expect(try await late.refusal("authenticate", ["token": "nonsense"]) == 3)
        #expect(try await late.closed(within: .seconds(20)) == .unauthenticated)
        try await turnedOut(late, .unauthenticated)
        // The wall clock plays no part here, so these ten seconds have to pass.
        #expect(clock.now() - start >= .seconds(10))
        #expect(try await isAlive(inTime))
    }

    @Test func `the fifth login that fails closes, and a good one before it does not`()
        async throws
    {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let socket = try await TestSocket.open(node.client)
        for _ in 0..<4 {
            #expect(try await socket.refusal("authenticate", ["token": "nonsense"]) == 3)
        }
        #expect(try await isAlive(socket))
        try await socket.command("authenticate", ["token": .string(user.token)])
        let other = try await TestSocket.open(node.client)
        for _ in 0..<5 { other.post("authenticate", ["token": "nonsense"]) }
        try await turnedOut(other, .unauthenticated)
        #expect(try await isAlive(socket))
    }

    @Test func `a dead credential at the upgrade opens nothing`() async throws {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        try await user.client.data(.delete, "/api/auth/logout")
        let answer = try await node.upgrade([("Authorization", "Bearer \(user.token)")])
        #expect(answer.status == 401 && answer.code == 3, "\(answer)")
    }

    @Test func `a visitor's socket ends with its grant, unless a fresh one was shown`()
        async throws
    {
        var shape = NodeShape()
        shape.ins = 0
        let (home, host) = (try await TestNode.start(shape), try await TestNode.start())
        /// On both, since what nodes sign for each other counts for a minute.
        func move(to minutes: Int64) async throws {
            for node in [home, host] {
                try await node.client.data(
                    .post, "/api/test/clock", ["offset_ms": .integer(minutes * 60_000)])
            }
        }
        let (ada, ben) = (try await home.user(), try await host.user())
        let room = try await ben.instance()
        let member = try await ben.socket()
        try await member.join(room)
        let guest = try await ada.visiting(host)
        let (brief, renewed) = (
            try await TestSocket.open(guest), try await TestSocket.open(guest)
        )
        let told = try await brief.event("authenticated")
        #expect(told["data"]?["user"] == .string(ada.reference), "\(told)")
        #expect(told["data"]?["internal"] == false, "\(told)")
        let player = try await renewed.join(room)
        try await member.event("instance-joined")

        try await move(to: 30)
        let fresh = try #require(try await ada.integrity(at: host).token)
        try await renewed.command("authenticate", ["integrity": .string(fresh.text)])
        try await move(to: 70)
        try await turnedOut(brief, .unauthenticated)
        // Renewing has left nothing, and a user's socket outlives the token that it was opened by.
        try await renewed.command(
            "instance-data", ["instance": .string(room), "data": "still here"])
        let heard = try await member.event("instance-data")
        #expect(heard["data"]?["player"] == .string(player), "\(heard)")
        #expect(member.names == [], "\(member.waiting)")

        try await move(to: 100)
        try await turnedOut(renewed, .unauthenticated)
        let left = try await member.event("instance-left")
        #expect(left["data"]?["player"] == .string(player), "\(left)")
        #expect(try await isAlive(member))
    }

    @Test(arguments: [false, true])
    func `a visitor's socket ends when the grant is taken back, or the login behind it`(
        isLogout: Bool
    ) async throws {
        let (home, host) = (try await Shared.other.get(), try await Shared.plain.get())
        let user = try await home.user()
        let (ended, kept) = (try await user.again(), try await home.user())
        let grant = try await ended.integrity(at: host)
        let token = try #require(grant.token)
        let socket = try await TestSocket.open(host.client.with(token: token.text))
        let other = try await TestSocket.open(try await kept.visiting(host))
        try await socket.event("authenticated")
        if isLogout {
            // At home, which tells the other node.
            try await ended.client.data(.delete, "/api/auth/logout")
        } else {
            try await host.client.with(token: token.text)
                .data(.delete, "/api/integrity/\(grant.id)")
        }
        try await turnedOut(socket, .unauthenticated)
        let again = try await TestSocket.open(host.client)
        #expect(
            try await again.refusal("authenticate", ["integrity": .string(token.text)]) == 35)
        #expect(try await isAlive(other))
    }

    @Test func `sockets end with the session that they were opened by`() async throws {
        let node = try await Shared.plain.get()
        let first = try await node.user()
        let (second, third) = (try await first.again(), try await first.again())
        let sockets = [
            try await first.socket(), try await second.socket(), try await third.socket(),
        ]
        try await first.client.data(.delete, "/api/auth/logout")
        try await turnedOut(sockets[0], .unauthenticated)
        #expect(try await isAlive(sockets[1]))
        // A new password ends all sessions but the one that it was set by.
        try await second.client.data(
            .post, "/api/auth/password",
            ["current": .string(first.password), "new": "a-much-newer-one-7"])
        try await turnedOut(sockets[2], .unauthenticated)
        #expect(try await isAlive(sockets[1]))
    }

    @Test func `a user who is suspended is turned out and not let in again`() async throws {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let (one, two) = (try await user.socket(), try await user.again().socket())
        try await node.eta("user", "tag", user.name, "avr:disabled")
        try await turnedOut(one, .denied)
        try await turnedOut(two, .denied)
        // Their logins are over, and there is no other.
        let again = try await TestSocket.open(node.client)
        #expect(try await again.refusal("authenticate", ["token": .string(user.token)]) == 3)
        let login = try await node.client.send(
            .post, "/api/auth/login",
            ["username": .string(user.name), "password": .string(user.password)])
        #expect(login.status == 403 && login.code == 58, "\(login)")
    }

    @Test func `a user who is no more is no more logged in`() async throws {
        let node = try await Shared.plain.get()
        let (user, other) = (try await node.user(), try await node.user())
        let room = try await other.instance()
        let (near, gone) = (try await other.socket("update-user"), try await user.socket())
        try await near.join(room)
        let player = try await gone.join(room)
        try await user.client.data(
            .delete, "/api/users/@me", ["password": .string(user.password)])
        // Nobody has suspended them: their credential is dead.
        try await turnedOut(gone, .unauthenticated)
        let left = try await near.event("instance-left")
        #expect(left["data"]?["player"] == .string(player), "\(left)")
    }

    // MARK: How many, and from where

    @Test func `a user has sixteen sockets, however they log in`() async throws {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let other = try await user.again()
        var sockets: [TestSocket] = []
        for number in 0..<16 {
            sockets.append(try await (number % 2 == 0 ? user : other).socket())
        }
        let refused = try await node.upgrade([("Authorization", "Bearer \(user.token)")])
        #expect(refused.status == 429 && refused.code == 55, "\(refused)")
        let anonymous = try await TestSocket.open(node.client)
        #expect(
            try await anonymous.refusal("authenticate", ["token": .string(user.token)]) == 55)
        // Somebody else is not concerned, and a place that was given back is free.
        let neighbour = try await node.user().socket()
        #expect(try await isAlive(neighbour))
        sockets.removeLast().close()
        try await Eventually.holds("the freed place") { status in
            let answer = try await anonymous.exchange(
                "authenticate", ["token": .string(user.token)])
            status.text = "\(answer)"
            return answer["error"] == nil
        }
        for socket in sockets { socket.close() }
    }

    @Test func `an address has sixty-four sockets that have not logged in`() async throws {
        let node = try await Self.strict.get()
        let user = try await node.user()
        let (from, elsewhere) = (
            ("X-Forwarded-For", "203.0.113.7"), ("X-Forwarded-For", "203.0.113.8")
        )
        var sockets: [TestSocket] = []
        for _ in 0..<64 {
            sockets.append(try await TestSocket.open(node.client, fields: [from]))
        }
        let refused = try await node.upgrade([from])
        #expect(refused.status == 429 && refused.code == 55, "\(refused)")
        sockets.append(try await TestSocket.open(node.client, fields: [elsewhere]))
        // Who logs in at the upgrade is not among them, and who does later is no more.
        sockets.append(try await TestSocket.open(user.client, fields: [from]))
        try await sockets[0].command("authenticate", ["token": .string(user.token)])
        sockets.append(try await TestSocket.open(node.client, fields: [from]))
        let again = try await node.upgrade([from])
        #expect(again.code == 55, "\(again)")
        for socket in sockets { socket.close() }
    }

    @Test func `where origins are named no page of another opens a socket`() async throws {
        let node = try await Self.strict.get()
        for origin in [
            "https://c.example", "http://a.example", "https://a.example:444", "null",
            "https://a.example.c.example", "https://b.example",
        ] {
            let refused = try await node.upgrade([("Origin", origin)])
            #expect(refused.status == 403 && refused.code == 4, "\(origin): \(refused)")
        }
        // What is no browser says no origin.
        for fields in [
            [], [("Origin", "https://a.example")], [("Origin", "https://b.example:8443")],
        ] {
            let socket = try await TestSocket.open(node.client, fields: fields)
            #expect(try await isAlive(socket))
            socket.close()
        }
    }

    // MARK: What is sent

    /// A ping that is a frame of so many bytes.
    private func ping(_ size: Int) -> String {
        let (head, tail) = (#"{"command":"ping","data":{"time":5,"x":""#, #""}}"#)
        return head + String(repeating: "x", count: size - head.utf8.count - tail.utf8.count) + tail
    }

    @Test func `a frame has 64 KiB, text is UTF-8, and binary is of another subprotocol`()
        async throws
    {
        let node = try await Shared.plain.get()
        let user = try await node.user()
        let large = try await user.socket()
        large.send(text: ping(64 << 10))
        let answer = try await large.event("ping")
        #expect(answer["data"]?["client"] == 5, "\(answer)")
        large.send(text: ping((64 << 10) + 1))
        #expect(try await large.closed() == .tooBig)

        for bytes: [UInt8] in [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF0, 0x9F, 0x92]] {
            let broken = try await user.socket()
            broken.send(text: Array(#"{"command":""#.utf8) + bytes + Array(#""}"#.utf8))
            #expect(try await broken.closed() == .badData, "\(bytes)")
        }
        let binary = try await user.socket()
        binary.send(binary: Array(ping(100).utf8))
        #expect(try await binary.closed() == .unsupported)
    }

    @Test func `what is no command of JSON is refused, and the socket stays`() async throws {
        let node = try await Shared.plain.get()
        let socket = try await node.user().socket()
        let texts = [
            "", "hello", "[]", "1", "null", "{", #"{"command":}"#, #"{"data":{}}"#,
            #"{"command":7}"#, #"{"command":"ping","data":[]}"#,
            #"{"command":"ping","command":"ping"}"#, #"{"command":"ping"} {}"#,
            #"{"command":"ping","state":""# + String(repeating: "x", count: 256) + #""}"#,
        ]
        for text in texts {
            socket.send(text: text)
            try await Eventually.holds("an answer to \(text)") { _ in socket.waiting.count == 1 }
            let answer = socket.waiting[0]
            #expect(answer["error"]?["code"] == 56, "\(text): \(answer)")
            socket.forget()
        }
        // What can be told apart is.
        let answer = try await socket.exchange("", [:])
        #expect(answer["error"] != nil, "\(answer)")
        #expect(try await isAlive(socket))
    }

    @Test func `commands beyond the rate are refused, and who goes on is closed`() async throws {
        let node = try await Shared.plain.get()
        let socket = try await node.user().socket()
        // Three seconds' worth at once, and what comes back meanwhile.
        for _ in 0..<180 { socket.send(text: #"{"command":"ping"}"#) }
        try await Eventually.holds("all answers") { _ in socket.waiting.count == 180 }
        #expect(socket.waiting.allSatisfy { $0["error"] == nil })
        socket.forget()
        let clock = SystemClock()
        let start = clock.now()
        while socket.closeCode == nil, clock.now() - start < .seconds(10) {
            for _ in 0..<100 { socket.send(text: #"{"command":"ping"}"#) }
            await TestLoops.pause(.milliseconds(5))
        }
        #expect(socket.closeCode == .tooMany)
        let refused = socket.waiting.filter { $0["error"]?["code"] == 55 }
        // A client is told often enough to notice before it is closed.
        #expect(refused.count >= 100, "\(refused.count)")
        #expect(
            socket.waiting.allSatisfy { $0["error"] == nil || $0["error"]?["code"] == 55 })
    }

    @Test func `who does not read what is told is closed, having missed nothing before`()
        async throws
    {
        let node = try await Shared.plain.get()
        let (ada, ben) = (try await node.user(), try await node.user())
        let room = try await ada.instance()
        let proxy = FaultProxy(to: node.port)
        var client = TypedClient(proxy.address)
        client.token = ben.token
        let slow = try await TestSocket.open(client)
        var talkers: [TestSocket] = []
        for _ in 0..<4 {
            talkers.append(try await ada.socket())
            try await talkers.last?.join(room)
        }
        let player = try await slow.join(room)
        proxy.become(.silent)
        // To this one alone, so that nobody else has much to read; far more than the system's own
        // buffers and the megabyte of the socket.
        let words = JSONValue.string(String(repeating: "x", count: 16_000))
        // One round after the other: what is said at once would be too much at once.
        for _ in 0..<170 {
            for talker in talkers {
                try await talker.command(
                    "instance-data",
                    ["instance": .string(room), "to": [.string(player)], "data": words])
            }
        }
        let left = try await talkers[0].event("instance-left")
        #expect(left["data"]?["player"] == .string(player), "\(left)")
        #expect(left["data"]?["type"] == 4, "\(left)")
        proxy.become(.clear)
        #expect(try await slow.closed() == .slow)
        let numbers = slow.waiting.filter { $0["subgroup"] == .string(room) }
            .compactMap { $0["seq"]?.integerValue }
        #expect(numbers.count > 64)
        #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 + 1 == $1 }, "\(numbers)")
    }
}
