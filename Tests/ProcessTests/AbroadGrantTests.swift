import API
import Base
import Domain
import HTTP
import Support
import Testing

/// A user's way to another node where that node lies: challenges and grants (docs/federation §4 and
/// §7), and a home world that is over there.
@Suite struct AbroadGrantTests {
    /// A peer that grants whatever `user` asks for, as it should.
    private struct Host {
        let place: AbroadTests.Place
        let challenge = FakePeer.id("c")
        var peer: FakePeer { place.peer }

        static let open = "PUT /api/challenges"
        static let vouch = "PUT /api/integrity"
        var prove: String { "POST /api/challenges/\(challenge)" }

        init() async throws {
            place = try await AbroadTests.Place()
            peer.on(Self.open, data: nonce())
            peer.on(prove, data: proved())
            peer.on(Self.vouch, data: grant())
        }

        private var soon: JSONValue {
            .integer(SystemClock().timestamp().milliseconds + 50_000)
        }

        func nonce(_ lies: JSONObject = [:]) -> JSONValue {
            FakePeer.object(
                [
                    "id": .string(challenge), "nonce": .string(String(repeating: "A", count: 43)),
                    "server": .string(place.node.address), "expires_at": soon,
                ], lies)
        }

        func proved(_ lies: JSONObject = [:]) -> JSONValue {
            FakePeer.object(
                [
                    "id": .string(challenge), "server": .string(place.node.address),
                    "token": .string("avr_s_" + String(repeating: "E", count: 43)),
                    "expires_at": soon,
                ], lies)
        }

        func grant(_ lies: JSONObject = [:]) -> JSONValue {
            FakePeer.object(
                [
                    "id": .string(FakePeer.id("t")), "user": .string(place.user.reference),
                    "token": .string("avr_i_" + String(repeating: "I", count: 43)),
                    "expires_at": soon,
                ], lies)
        }

        func ask() async throws -> Answer {
            try await place.user.client.send(
                .post, "/api/integrity", ["server": .string(peer.address)])
        }
    }

    @Test func `a grant from cold is a discovery, a challenge and the grant, and then one request`()
        async throws
    {
        let host = try await Host()
        let first = try await host.ask()
        #expect(first.status == 200, "\(first)")
        #expect(first.data?["server"] == .string(host.peer.address), "\(first)")
        #expect(first.data?["gateway"]?["address"] == .string(host.peer.address), "\(first)")
        let cold = ["GET /.well-known/avr", Host.open, host.prove, Host.vouch]
        #expect(host.peer.asked == cold)
        #expect(try await host.ask().status == 200)
        #expect(host.peer.asked == cold + [Host.vouch])
        // A token that counts no more is earned anew, once.
        host.peer.on(Host.vouch) { _ in FakePeer.refusal(3, status: .unauthorized) }
        let refused = try await host.ask()
        #expect(refused.status == 403 && refused.code == 57, "\(refused)")
        #expect(host.peer.count(of: Host.open) == 2 && host.peer.count(of: Host.vouch) == 4)
        // None of its secrets is in a list.
        let listed = try await host.place.user.client.send(.get, "/api/integrity?limit=100")
        #expect(listed.text.contains(host.peer.address) && !listed.text.contains("avr_i_"))
    }

    @Test func `a challenge that is none is not answered`() async throws {
        let elsewhere: JSONValue = "elsewhere.example"
        for (lies, code) in [
            // Whoever had this signed could show it elsewhere.
            (["server": elsewhere], 8), (["nonce": "c2hvcnQ"], 8), (["nonce": "!"], 8),
            (["nonce": nil], 11), (["id": .string(FakePeer.id("u"))], 11), (["server": 1], 11),
        ] as [(JSONObject, Int)] {
            let host = try await Host()
            host.peer.on(Host.open, data: host.nonce(lies))
            let answer = try await host.ask()
            #expect(answer.code == code && answer.status == 502, "\(lies): \(answer)")
            #expect(!host.peer.asked.contains { $0.hasPrefix("POST") }, "\(lies)")
        }
        for (answer, code) in [
            (FakePeer.text("<html>"), 8), (FakePeer.json(["time": 0]), 7),
            (FakePeer.envelope([], (.avrGateway, "false elsewhere.example")), 9),
            (FakePeer.refusal(10), 9), (FakePeer.refusal(57, status: .forbidden), 57),
            (FakePeer.refusal(70), 6),
        ] {
            let host = try await Host()
            host.peer.on(Host.open) { _ in answer }
            let told = try await host.ask()
            #expect(told.code == code, "\(told)")
            #expect(host.peer.count(of: Host.open) == 1)
        }
    }

    @Test func `a token or a grant for somebody else is none`() async throws {
        let past: JSONValue = .integer(SystemClock().timestamp().milliseconds - 1)
        for (lies, code) in [
            (["server": "elsewhere.example"], 8), (["expires_at": past], 8),
            (["token": "avr_i_\(String(repeating: "E", count: 43))"], 11), (["token": nil], 11),
        ] as [(JSONObject, Int)] {
            let host = try await Host()
            host.peer.on(host.prove, data: host.proved(lies))
            let answer = try await host.ask()
            #expect(answer.code == code && answer.status == 502, "\(lies): \(answer)")
            #expect(host.peer.count(of: Host.vouch) == 0)
        }
        for (lies, code) in [
            (["user": .string("\(FakePeer.id("u"))@elsewhere.example")], 8),
            (["user": .string(FakePeer.id("u"))], 8), (["expires_at": past], 8),
            (["token": "avr_s_\(String(repeating: "I", count: 43))"], 11),
        ] as [(JSONObject, Int)] {
            let host = try await Host()
            host.peer.on(Host.vouch, data: host.grant(lies))
            let answer = try await host.ask()
            #expect(answer.code == code && answer.status == 502, "\(lies): \(answer)")
            #expect(!answer.text.contains("avr_"))
        }
    }

    @Test func `a visitor whose home tells no profile is looked up there`() async throws {
        let place = try await AbroadTests.Place()
        let (node, peer, id) = (place.node, place.peer, FakePeer.id("u"))
        peer.on("GET /api/users/\(id)", data: peer.user(id, ["displayname": "Viola"]))
        let reference = JSONValue.string("\(id)@\(peer.address)")
        let granted = try await peer.send(
            .put, "/api/integrity", ["user": reference], to: node,
            token: try await peer.token(at: node))
        #expect(granted.status == 201, "\(granted)")
        let token = try #require(granted.data?["token"]?.stringValue)
        let room = try await place.user.instance()
        let visitor = try await TestSocket.open(node.client.with(token: token))
        let joined = try await visitor.command("instance-join", ["instance": .string(room)])
        let player = joined["players"]?.arrayValue?.first { $0["user"] == reference }
        #expect(player?["displayname"] == "Viola", "\(joined)")
        #expect(peer.count(of: "GET /api/users/\(id)") == 1, "\(peer.asked)")
    }

    @Test func `a home abroad is the world that is there, with the version that was chosen`()
        async throws
    {
        let place = try await AbroadTests.Place()
        let peer = place.peer
        let user = try await place.node.user()
        let (world, home) = (FakePeer.id("w"), "/api/users/@me/home")
        peer.on("GET /api/worlds/\(world)", data: peer.world(world))
        let chosen: JSONValue = .string("\(world):2.0@\(peer.address)")
        let set = try await user.client.send(.post, home, ["world": chosen])
        let got = try await user.client.send(.get, home)
        for answer in [set, got] {
            #expect(answer.status == 200, "\(answer)")
            #expect(answer.data?["id"] == .string(world), "\(answer)")
            #expect(answer.data?["server"] == .string(peer.address), "\(answer)")
            #expect(answer.data?["external"] == true && answer.data?["version"] == "2.0")
            #expect(answer.data?["fallback"] == false)
        }
        #expect(peer.count(of: "GET /api/worlds/\(world)") == 1, "\(peer.asked)")
        let me = try await user.client.data(.get, "/api/users/@me")
        #expect(me["home"] == chosen, "\(me)")
        #expect(try await user.client.send(.delete, home).status == 200)
        let none = try await user.client.send(.get, home)
        #expect(none.status == 404 && none.code == 43, "\(none)")
    }

    /// However its body comes, and whatever became of the other node in between: nothing is kept
    /// that was refused.
    @Test func `a choice that cannot be read is not kept, in whatever form it comes`() async throws
    {
        let place = try await AbroadTests.Place()
        let (node, gone) = (place.node, "127.0.0.1:\(FreePort.next())")
        let user = try await node.user()
        let body = #"{"world":"\#(FakePeer.id("w"))@\#(gone)"}"#
        for (form, text) in [
            (
                "Transfer-Encoding: chunked",
                "\(String(body.utf8.count, radix: 16))\r\n\(body)\r\n0\r\n\r\n"
            ),
            (
                "Content-Length: \(body.utf8.count + 9_000)",
                body + String(repeating: " ", count: 9_000)
            ),
        ] {
            for (method, path) in [("POST", "/api/users/@me/home"), ("PUT", "/api/instances")] {
                let connection = try await RawConnection(node.client.address)
                await connection.send(
                    "\(method) \(path) HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                        + "Authorization: Bearer \(user.token)\r\nConnection: close\r\n\(form)\r\n\r\n\(text)"
                )
                let answer = await connection.receiveAll()
                #expect(answer?.contains(#""code":6"#) == true, "\(form): \(answer ?? "nothing")")
            }
        }
        let me = try await user.client.data(.get, "/api/users/@me")
        #expect(me["home"] == nil || me["home"] == .null, "\(me)")
        let made = try await user.client.data(.get, "/api/instances?owner=\(user.reference)")
        #expect(made["items"] == [], "\(made)")
        // Whose home it is comes first: nobody abroad is asked for who may not set it.
        let other = try await node.user()
        let refused = try await other.client.send(
            .post, "/api/users/\(user.id)/home",
            ["world": .string("\(FakePeer.id("w"))@\(place.peer.address)")])
        #expect(refused.code == 12, "\(refused)")
        #expect(place.peer.asked.isEmpty, "\(place.peer.asked)")
    }

    @Test func `an instance of a world abroad is made as that world is`() async throws {
        let place = try await AbroadTests.Place()
        let (peer, user) = (place.peer, try await place.node.user())
        let world = FakePeer.id("w")
        // The newest is the one that was made last, and what has no file is no version yet.
        let ids = (0..<3).map { _ in FakePeer.id("f") }.sorted()
        let assets = zip(ids, ["2.0", "1.0", "3.0"]).map { id, version in
            peer.asset(id, ["version": .string(version), "empty": .boolean(version == "3.0")])
        }
        peer.on(
            "GET /api/worlds/\(world)",
            data: peer.world(world, ["capacity": 7, "assets": .array(assets)]))
        func make(_ world: String, _ more: JSONObject = [:]) async throws -> Answer {
            var body: JSONObject = ["world": .string("\(world)@\(peer.address)")]
            for member in more.members { body[member.key] = member.value }
            return try await user.client.send(.put, "/api/instances", .object(body))
        }
        let made = try await make(world)
        #expect(made.status == 201 && made.data?["capacity"] == 7, "\(made)")
        #expect(made.data?["world"] == .string("\(world):1.0@\(peer.address)"), "\(made)")
        let named = try await make(world + ":2.0", ["capacity": 3])
        #expect(named.data?["capacity"] == 3, "\(named)")
        #expect(named.data?["world"] == .string("\(world):2.0@\(peer.address)"), "\(named)")
        #expect(peer.count(of: "GET /api/worlds/\(world)") == 1, "\(peer.asked)")
        let none = try await make(world + ":3.0")
        #expect(none.status == 400 && none.code == 33 && none.problems == ["world"], "\(none)")
        let missing = try await make(FakePeer.id("w"))
        #expect((400..<600).contains(missing.status) && missing.code != nil, "\(missing)")
        // What a client says of it itself counts for nothing.
        let lie = try await user.client.send(
            .put, "/api/instances", ["world": .string("\(world):3.0@\(peer.address)")],
            fields: [("AVR-World-Read", "\(world):3.0@\(peer.address) 1000")])
        #expect(lie.code == 33, "\(lie)")
    }

    @Test func `a home abroad that is not there, or is another, is refused`() async throws {
        let place = try await AbroadTests.Place()
        let peer = place.peer
        let (user, bare) = (try await place.node.user(), try await place.node.user())
        let home = "/api/users/@me/home"
        _ = try await place.node.administrator().client.data(
            .post, "/api/users/\(bare.id)", ["tags": []])
        let world = FakePeer.id("w")
        peer.on("GET /api/worlds/\(world)", data: peer.world(FakePeer.id("w")))
        for (address, code) in [
            (peer.address, 8), ("127.0.0.1:\(FreePort.next())", 6), ("10.0.0.1:8080", 61),
        ] {
            let body: JSONValue = ["world": .string("\(world)@\(address)")]
            let answer = try await user.client.send(.post, home, body)
            #expect(answer.code == code, "\(address): \(answer)")
            let me = try await user.client.data(.get, "/api/users/@me")
            #expect(me["home"] == nil || me["home"] == .null, "\(address): \(me)")
            let refused = try await bare.client.send(.post, home, body)
            #expect(refused.status == 403 && refused.code == 18, "\(address): \(refused)")
        }
        #expect(try await bare.client.send(.get, home).code == 43)
    }
}
