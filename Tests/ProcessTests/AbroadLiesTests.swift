import API
import Base
import Domain
import HTTP
import Support
import Testing

/// Nothing that another node says is believed of anybody but itself, docs/federation §6; each lie
/// has the code that docs/client/errors.md gives it, and none gets through to the client.
@Suite struct AbroadLiesTests {
    /// What a peer is asked for, what it answers, and what the reader is told.
    struct Lie: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let code: UInt16
        let path: String
        let answer: @Sendable (_ peer: FakePeer, _ id: String) -> Response

        /// An answer about whatever is at `path`, where `:id` is the id that is asked for.
        init(
            _ what: String, _ code: UInt16, at path: String = "/api/users/:id",
            _ answer: @escaping @Sendable (FakePeer, String) -> Response
        ) {
            (testDescription, self.code, self.path, self.answer) = (what, code, path, answer)
        }

        /// A user with something wrong about them.
        static func user(
            _ what: String, _ code: UInt16,
            _ lies: @escaping @Sendable (FakePeer) -> JSONObject
        ) -> Lie {
            Lie(what, code) { peer, id in FakePeer.envelope(peer.user(id, lies(peer))) }
        }

        /// A world with something wrong about it.
        static func world(
            _ what: String, _ code: UInt16,
            _ lies: @escaping @Sendable (FakePeer) -> JSONObject
        ) -> Lie {
            Lie(what, code, at: "/api/worlds/:id") { peer, id in
                FakePeer.envelope(peer.world(id, lies(peer)))
            }
        }
    }

    private static let elsewhere = "elsewhere.example"
    private static let long = String(repeating: "x", count: 1 << 20)

    static let answers = [
        Lie("no data", 7) { _, _ in FakePeer.json(["request": "/", "time": 0]) },
        Lie("null for data", 7) { _, _ in FakePeer.envelope(nil) },
        Lie("a page in HTML", 8) { _, _ in FakePeer.text("<html>502 Bad Gateway</html>") },
        Lie("nothing at all", 8) { _, _ in FakePeer.text("") },
        Lie("a list for an envelope", 8) { _, _ in FakePeer.json([1, 2]) },
        Lie("half an object", 8) { _, _ in FakePeer.text(#"{"request":"/","data":{"id":"#) },
        Lie("one key twice", 8) { _, _ in FakePeer.text(#"{"data":{},"data":{}}"#) },
        Lie("more than a mebibyte", 8) { _, _ in FakePeer.envelope(.string(long)) },
        Lie("more than a mebibyte, its length untold", 8) { _, _ in
            Response(
                status: .ok, fields: Fields((.contentType, "application/json")),
                body: .stream(MadeUpBody(2 << 20), length: nil))
        },
        Lie("a head of more than 32 KiB", 8) { peer, id in
            FakePeer.envelope(peer.user(id), (.eTag, "\"\(long.prefix(40_000))\""))
        },
        Lie("that nothing changed since never", 8) { _, _ in
            Response(status: .notModified, fields: Fields((.eTag, "\"v\"")))
        },
        Lie("an error that nobody knows", 8) { _, _ in FakePeer.refusal(9_999) },
        Lie("an error without a number", 8) { _, _ in FakePeer.json(["error": ["code": "no"]]) },
        Lie("that it has no such path", 8) { _, _ in FakePeer.refusal(2, status: .notFound) },
        Lie("that it is too busy", 6) { _, _ in FakePeer.refusal(70) },
        Lie("that this node is denied there", 57) { _, _ in
            FakePeer.refusal(57, status: .forbidden)
        },
        Lie("that there is nobody of that name", 17) { _, _ in
            FakePeer.refusal(17, status: .notFound, message: "Log in at \(elsewhere)")
        },
        Lie("a gateway that is none", 9) { peer, id in
            FakePeer.envelope(peer.user(id), (.avrGateway, "somewhere"))
        },
        Lie("a gateway that its document does not name", 9) { peer, id in
            FakePeer.envelope(peer.user(id), (.avrGateway, "false \(elsewhere)"))
        },
        Lie("go to a gateway that its document does not name", 9) { _, _ in
            FakePeer.refusal(10, redirect: ["secure": false, "address": .string(elsewhere)])
        },
        Lie("go to where it is asked already", 9) { peer, _ in
            FakePeer.refusal(10, redirect: ["secure": false, "address": .string(peer.address)])
        },
        Lie("go, but not where to", 9) { _, _ in FakePeer.refusal(10) },
    ]

    static let objects: [Lie] = [
        .user("another user", 8) { _ in ["id": .string(FakePeer.id("u"))] },
        .user("a user of another node", 8) { _ in ["server": .string(elsewhere)] },
        .user("an image elsewhere", 8) { _ in
            ["thumbnail": .string("https://\(elsewhere)/track.png")]
        },
        .user("a banner elsewhere", 8) { _ in
            ["banner": .string("http://\(elsewhere)/track.png")]
        },
        .user("an id of another kind", 11) { _ in ["id": .string(FakePeer.id("w"))] },
        .user("no name", 11) { _ in ["username": nil] },
        .user("a name that is too long", 11) { _ in
            ["displayname": .string(String(long.prefix(33)))]
        },
        .user("a text that is too long", 11) { _ in
            ["description": .string(String(long.prefix(513)))]
        },
        .user("a number for a text", 11) { _ in ["displayname": 7] },
        .user("a tag that is none", 11) { _ in ["tags": ["Not A Tag"]] },
        .user("a time that is none", 11) { _ in ["created_at": "yesterday"] },
        Lie("a text for a user", 11) { _, _ in FakePeer.envelope("a user") },
        .world("another world", 8) { _ in ["id": .string(FakePeer.id("w"))] },
        .world("a world of another node", 8) { _ in ["server": .string(elsewhere)] },
        .world("a world of somebody elsewhere", 8) { _ in
            ["owner": .string("\(FakePeer.id("u"))@\(elsewhere)")]
        },
        .world("a picture of a world elsewhere", 8) { _ in
            ["thumbnail": .string("https://\(elsewhere)/track.png")]
        },
        .world("a world with an asset that is none", 11) { _ in ["assets": [["id": 1]]] },
        Lie("a list with a world of another node", 8, at: "/api/worlds") { peer, _ in
            let lie: JSONObject = ["server": .string(elsewhere)]
            return FakePeer.envelope(
                FakePeer.page([
                    peer.world(FakePeer.id("w")), peer.world(FakePeer.id("w"), lie),
                ]))
        },
        Lie("a list of more than a hundred", 11, at: "/api/users") { peer, _ in
            FakePeer.envelope(FakePeer.page((0..<101).map { _ in peer.user(FakePeer.id("u")) }))
        },
        Lie("a list that is none", 11, at: "/api/users") { _, _ in
            FakePeer.envelope(["items": "none"])
        },
        Lie("another node", 8, at: "/api/server") { peer, _ in
            FakePeer.envelope(peer.node(["address": .string(elsewhere)]))
        },
        Lie("a gateway of a node that is not its own", 9, at: "/api/server") { peer, _ in
            let gateway: JSONValue = ["secure": false, "address": .string(elsewhere)]
            return FakePeer.envelope(peer.node(["gateway": gateway]))
        },
    ]

    @Test(arguments: answers + objects) func `a lie is called what it is, and goes no further`(
        lie: Lie
    ) async throws {
        let place = try await AbroadTests.Place()
        let id = FakePeer.id(lie.path.contains("worlds") ? "w" : "u")
        let path = lie.path.split(separator: ":", maxSplits: 1)
        let target = path.count == 1 ? lie.path : "\(path[0])\(id)"
        place.peer.on("GET \(target)") { [peer = place.peer] _ in lie.answer(peer, id) }
        let answer = try await place.read("\(target)?server=\(place.peer.address)")
        #expect(answer.code == Int(lie.code), "\(answer)")
        #expect(
            answer.status == ErrorCode(rawValue: lie.code).map { Int($0.status) }, "\(answer)")
        #expect(!answer.text.contains(Self.elsewhere), "\(answer)")
        // It was the answer that was refused, not the way to it; and nobody was asked twice.
        #expect(place.peer.count(of: "GET \(target)") == 1, "\(place.peer.asked)")
    }

    /// What is a lie above is one because of one field: without it, it is believed.
    @Test func `what a peer says of its own is believed`() async throws {
        let place = try await AbroadTests.Place()
        let peer = place.peer
        let (user, world, asset) = (FakePeer.id("u"), FakePeer.id("w"), FakePeer.id("f"))
        let image = "http://\(peer.address)/image.png"
        let objects: [(String, JSONValue)] = [
            ("/api/users/\(user)", peer.user(user, ["thumbnail": .string(image)])),
            ("/api/users/stranger", peer.user(FakePeer.id("u"))),
            ("/api/users", FakePeer.page((0..<100).map { _ in peer.user(FakePeer.id("u")) })),
            ("/api/worlds/\(world)", peer.world(world)),
            ("/api/worlds", FakePeer.page([peer.world(FakePeer.id("w"))])),
            ("/api/worlds/\(world)/assets", FakePeer.page([peer.asset(asset)])),
            ("/api/worlds/\(world)/assets/\(asset)", peer.asset(asset)),
            ("/api/server", peer.node()),
        ]
        for (path, object) in objects {
            peer.on("GET \(path)", data: object)
            let answer = try await place.read("\(path)?server=\(peer.address)")
            #expect(answer.status == 200, "\(path): \(answer)")
        }
        // A right that it says its user has is shown, and is none here.
        let tagged = FakePeer.id("u")
        peer.on("GET /api/users/\(tagged)", data: peer.user(tagged, ["tags": ["avr:admin"]]))
        let shown = try await place.read("/api/users/\(tagged)@\(peer.address)")
        #expect(shown.data?["tags"] == ["avr:admin"], "\(shown)")
    }
}
