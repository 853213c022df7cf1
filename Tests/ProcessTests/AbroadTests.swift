import API
import Base
import Domain
import HTTP
import Support
import Testing

/// Reading from other nodes, docs/federation §6: who may, what is asked of them, and how often.
@Suite struct AbroadTests {
    /// Somebody of the shared node, and a peer of their own to read from.
    struct Place: Sendable {
        let node: TestNode
        let user: TestUser
        let peer: FakePeer

        private static let reader = Once { try await Shared.plain.get().user() }

        init() async throws {
            node = try await Shared.plain.get()
            user = try await Self.reader.get()
            peer = try FakePeer.start()
        }

        func read(_ target: String) async throws -> Answer {
            try await user.client.send(.get, target)
        }
    }

    /// What all readable paths of one world, its owner and its node are.
    private static func targets(_ job: MainJob) -> [(home: String, at: String, query: String)] {
        let (server, world) = (job.a.address, "/api/worlds/\(job.world)")
        func both(_ path: String, _ rest: String = "") -> (String, String, String) {
            (path + rest, "\(path)@\(server)\(rest)", "\(path)\(rest)?server=\(server)")
        }
        return [
            both("/api/users/\(job.ada.id)"), both("/api/users/\(job.ada.name)"), both(world),
            both(world, "/assets"), both(world, "/assets/\(job.asset)"),
            ("/api/server", "/api/server@\(server)", "/api/server?server=\(server)"),
        ]
    }

    @Test func `what is read abroad is what is shown there, marked as from elsewhere`()
        async throws
    {
        let (a, b) = (try await Shared.plain.get(), try await Shared.other.get())
        let job = try await MainJob.prepare(a, b)
        for target in Self.targets(job) {
            var there = try await a.client.data(.get, target.home).objectValue ?? [:]
            for spelled in [target.at, target.query] {
                var here = try await job.ben.client.data(.get, spelled).objectValue ?? [:]
                if here["items"] == nil {
                    #expect(here["external"] == true, "\(spelled): \(here)")
                } else {
                    let items = here["items"]?.arrayValue ?? []
                    #expect(!items.isEmpty && items.allSatisfy { $0["external"] == true })
                    here["items"] = .array(items.map(Self.unmarked))
                }
                // What is counted may have changed in between.
                for key in ["external", "stats"] {
                    here[key] = nil
                    there[key] = nil
                }
                #expect(Self.unmarked(.object(here)) == .object(there), "\(spelled)")
            }
        }
        let owned = try await job.ben.client.data(
            .get, "/api/worlds?server=\(a.address)&owner=\(job.ada.reference)")
        #expect(owned["items"]?.arrayValue?.map { $0["id"] } == [.string(job.world)], "\(owned)")
        let named = try await job.ben.client.data(
            .get, "/api/users?server=\(a.address)&q=\(job.ada.name)")
        #expect(named["items"]?[0]?["external"] == true, "\(named)")
    }

    /// An object, and what is in it, without the mark.
    private static func unmarked(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object(let object):
            var plain = JSONObject()
            for member in object.members where member.key != "external" {
                plain[member.key] = unmarked(member.value)
            }
            return .object(plain)
        case .array(let items): return .array(items.map(unmarked))
        case _: return value
        }
    }

    @Test func `two nodes in one request, or a name that is none, are refused`() async throws {
        let place = try await Place()
        let other = try FakePeer.start()
        let (user, own) = (place.user.id, place.node.address)
        for target in [
            "/api/users/\(user)@\(place.peer.address)?server=\(other.address)",
            "/api/users/\(user)@\(own)?server=\(other.address)",
            "/api/users/\(user)?server=not%20a%20node", "/api/worlds?server=a/b",
            "/api/server?server=", "/api/server?server=u:p@example.org",
        ] {
            let answer = try await place.read(target)
            #expect(answer.status == 400 && answer.code == 29, "\(target): \(answer)")
        }
        #expect(place.peer.asked.isEmpty && other.asked.isEmpty)
        // The same node twice is no contradiction, and this node itself is not abroad.
        place.peer.on("GET /api/users/\(user)", data: place.peer.user(user))
        let address = place.peer.address
        let twice = try await place.read("/api/users/\(user)@\(address)?server=\(address)")
        #expect(twice.status == 200, "\(twice)")
        for target in ["\(user)@\(own)", "\(user)?server=\(own)", "\(user)@\(own)?server=\(own)"] {
            let answer = try await place.node.client.send(.get, "/api/users/\(target)")
            #expect(answer.data?["external"] == false, "\(target): \(answer)")
        }
    }

    /// A node that asked on behalf of whoever asks it could be led anywhere, and so could this one.
    @Test func `only a user of this node with the right to is read for: no chains`() async throws {
        let place = try await Place()
        let (node, third) = (place.node, place.peer)
        let id = FakePeer.id("u")
        third.on("GET /api/users/\(id)", data: third.user(id))
        let asker = try FakePeer.start()
        let token = try await asker.token(at: node)
        let visitor = try await Shared.other.get().user().visiting(node)
        let bare = try await node.user()
        _ = try await node.administrator().client.data(
            .post, "/api/users/\(bare.id)", ["tags": []])
        for target in [
            "/api/users/\(id)@\(third.address)", "/api/users/\(id)?server=\(third.address)",
            "/api/worlds?server=\(third.address)", "/api/server?server=\(third.address)",
        ] {
            let chained = try await asker.send(.get, target, to: node, token: token)
            #expect(chained.status == 403 && chained.code == 18, "\(target): \(chained)")
            let visiting = try await visitor.send(.get, target)
            #expect(visiting.status == 403 && visiting.code == 18, "\(target): \(visiting)")
            let without = try await bare.client.send(.get, target)
            #expect(without.status == 403 && without.code == 18, "\(target): \(without)")
            let nobody = try await node.client.send(.get, target)
            #expect(nobody.status == 401 && nobody.code == 3, "\(target): \(nobody)")
        }
        #expect(third.asked.isEmpty, "\(third.asked)")
        let allowed = try await place.read("/api/users/\(id)@\(third.address)")
        #expect(allowed.status == 200, "\(allowed)")
    }

    static let writes = AllEndpoints.all.filter { row in
        row.method != .get && row.parameters.contains { $0.name == "server" }
    }.map(\.name)

    @Test(arguments: writes) func `nothing of another node is written`(
        name: String
    ) async throws {
        let place = try await Place()
        let row = EndpointTable.row(name)
        // Who may not call it at all hears that first.
        let isForFew = row.access.administrator || row.access.tag != nil
        let caller =
            isForFew ? try await place.node.administrator() : place.user
        let ids = row.kinds.map { FakePeer.id($0) }
        let located = ids.enumerated().map { $0 == 0 ? "\($1)@\(place.peer.address)" : $1 }
        for target in Set([row.target(located), row.target(ids)]).map({ target in
            target.contains("@") ? target : "\(target)?server=\(place.peer.address)"
        }) {
            let answer = try await caller.client.send(
                row.method, target, row.takesJSON ? [:] : nil)
            #expect(answer.status == 403 && answer.code == 41, "\(target): \(answer)")
        }
        #expect(place.peer.asked.isEmpty, "\(place.peer.asked)")
    }

    /// The caller's credential is for this node alone: not for the peer, and not for its gateway.
    @Test func `files are fetched at the other node, and no credential goes there`() async throws {
        let place = try await Place()
        let peer = place.peer
        let path = "/api/worlds/\(FakePeer.id("w"))"
        let file = "/assets/\(FakePeer.id("f"))/file"
        let there = "http://\(peer.address)\(path)\(file)"
        let (secret, hash) = (place.user.token, "hash=" + String(repeating: "a", count: 64))
        for (target, location) in [
            ("\(path)@\(peer.address)\(file)", there),
            ("\(path)\(file)?server=\(peer.address)", there),
            ("\(path)\(file)?\(hash)&server=\(peer.address)", "\(there)?\(hash)"),
            ("\(path)@\(peer.address)\(file)?authuser=\(secret)", there),
        ] {
            let client = target.contains("authuser") ? place.node.client : place.user.client
            let answer = try await client.send(.get, target)
            #expect(answer.status == 302 && answer["Location"] == location, "\(answer.fields)")
            #expect(answer["Cache-Control"]?.contains("private") == true)
        }
        // Where to send them is in the document; the file itself is the client's to fetch.
        #expect(Set(peer.asked) == ["GET /.well-known/avr"], "\(peer.asked)")
        let id = FakePeer.id("u")
        peer.on("GET /api/users/\(id)", data: peer.user(id))
        let read = try await place.node.client.send(
            .get, "/api/users/\(id)@\(peer.address)?a=1&authuser=\(secret)")
        #expect(read.status == 200 && read["Deprecation"] == "true", "\(read)")
        for head in peer.heads {
            #expect(!String(decoding: head.bytes, as: UTF8.self).contains(secret))
        }
    }

    @Test func `an object is kept as long as its node says, and asked for again by its tag`()
        async throws
    {
        let place = try await Place()
        let peer = place.peer
        // A 304 that says nothing of it leaves it as it was (RFC 9111 §4.3.4).
        typealias Case = (control: String?, saysAgain: Bool, asked: Int)
        for (control, saysAgain, asked) in [
            (nil, true, 1), ("max-age=600", true, 1), ("no-cache", true, 3),
            ("no-store", true, 3), ("max-age=0", true, 3), ("max-age=0", false, 3),
            ("no-cache", false, 3),
        ] as [Case] {
            let id = FakePeer.id("u")
            let path = "/api/users/\(id)"
            let user = peer.user(id)
            peer.on("GET \(path)") { request in
                var answer =
                    request.head.text(.ifNoneMatch) == "\"v1\""
                    ? Response(status: .notModified, fields: Fields((.eTag, "\"v1\"")))
                    : FakePeer.envelope(user, (.eTag, "\"v1\""))
                if let control, saysAgain || answer.status != .notModified {
                    answer.fields.append(.cacheControl, control)
                }
                return answer
            }
            var first: Answer?
            for _ in 0..<3 {
                let answer = try await place.read("\(path)@\(peer.address)")
                #expect(answer.status == 200, "\(control ?? "-"): \(answer)")
                #expect(answer.data == (first ?? answer).data)
                first = first ?? answer
            }
            #expect(peer.count(of: "GET \(path)") == asked, "\(control ?? "-")")
            let tags = peer.heads.filter { $0.pathText == path }.map { $0.text(.ifNoneMatch) }
            let known = control == "no-store" ? nil : "\"v1\""
            #expect(tags == Array([nil, known, known].prefix(asked)), "\(control ?? "-")")
            // Our own clients have a tag of ours.
            let tag = try #require(first?["ETag"])
            let same = try await place.user.client.send(
                .get, "\(path)@\(peer.address)", fields: [("If-None-Match", tag)])
            #expect(same.status == 304, "\(control ?? "-"): \(same)")
        }
    }

    @Test func `many who want the same at once are one request to the other node`() async throws {
        let place = try await Place()
        let peer = place.peer
        let id = FakePeer.id("u")
        let (path, user, barrier) = ("/api/users/\(id)", peer.user(id), Barrier())
        peer.on("GET \(path)") { _ in
            try? await barrier.wait()
            return FakePeer.envelope(user)
        }
        let answers = try await withThrowingTaskGroup(of: Answer.self) { group in
            for _ in 0..<24 {
                group.addTask { try await place.read("\(path)@\(peer.address)") }
            }
            try await Eventually.holds("a request at the peer") { _ in
                peer.count(of: "GET \(path)") > 0
            }
            // Whoever is on the way by now passes before what is asked from here on is answered.
            for _ in 0..<8 { _ = try await place.read("/api/users/@me") }
            barrier.open()
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers.allSatisfy { $0.status == 200 && $0.data == answers[0].data })
        #expect(peer.count(of: "GET \(path)") == 1)
        #expect(peer.count(of: "GET /.well-known/avr") == 1)
    }
}
