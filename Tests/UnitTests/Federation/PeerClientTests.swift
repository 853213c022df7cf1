import API
import Base
import Crypto
import Domain
import HTTP
import Testing

@testable import Federation

/// Node A calls node B: found, proved, led on, and every failure under its one code.
struct PeerClientTests {
    static let a = SignedDraft.address("a.example")
    static let b = SignedDraft.address("b.example")
    static let gateB = Gateway(secure: true, address: b)
    static let other = Gateway(secure: true, address: SignedDraft.address("gate.b.example:8443"))

    let clock = ManualClock(timestamp: SignedDraft.now)
    let network = FakeNetwork()
    let memory = FakeMemory()
    let peer: FakePeer
    let client: PeerClient

    init() { self.init(allowsInsecure: false) }

    init(allowsInsecure: Bool) {
        let identity = NodeIdentity(
            address: Self.a, secure: true, gateway: Gateway(secure: true, address: Self.a),
            gateways: [], version: "0.1.0",
            keys: [
                NodeIdentity.Key(
                    pair: SignedDraft.pair(7), createdAt: SignedDraft.now,
                    expiresAt: SignedDraft.now + .seconds(1_000_000))
            ])
        peer = FakePeer(asker: identity, clock: clock, identity: DiscoveryDocumentTests.identity())
        client = PeerClient(
            transport: network, memory: memory, allowsInsecure: allowsInsecure,
            ambient: .silent(clock: clock, random: SeededRandom(seed: 3))
        ) { identity }
        let peer = peer
        network.at(Self.gateB) { peer.respond(to: $0) }
        network.at(Self.other) { peer.respond(to: $0) }
    }

    private func time(_ proof: PeerClient.Proof = .none) async -> UInt16 {
        do throws(APIError) {
            _ = try await client.call(ServerAPI.time, NoBody(), at: Self.b, proof: proof)
            return 0
        } catch {
            return error.code.rawValue
        }
    }

    @Test func `from cold a proved call takes four requests, then one`() async {
        peer.state.withLock { $0.wantsToken = true }
        #expect(await time(.required) == 0)
        #expect(
            network.asked == [
                "GET /.well-known/avr", "PUT /api/challenges",
                "POST /api/challenges/\(ChallengeID.sample)", "GET /api/time",
            ])
        network.forget()
        #expect(await time(.required) == 0)
        #expect(network.asked == ["GET /api/time"])
        #expect(memory[Self.b]?.token != nil)
    }

    @Test func `a node that was forgotten is found and asked for a token anew`() async {
        peer.state.withLock { $0.wantsToken = true }
        #expect(await time(.required) == 0)
        network.forget()
        client.forget(Self.b)
        memory[Self.b] = nil
        #expect(await time(.required) == 0)
        #expect(network.asked.count == 4, "\(network.asked)")
        // What the memory still has is not asked for again.
        network.forget()
        client.forgetAll()
        #expect(await time(.required) == 0)
        #expect(network.asked == ["GET /.well-known/avr", "GET /api/time"])
    }

    @Test func `whether a known node was found is noted, and of others nothing`() async {
        func noted() -> [ErrorCode?] { memory.notes.withLock { $0.map(\.1) } }
        peer.state.withLock { $0.failure = .silent("nothing") }
        #expect(await time() == 6 && noted().isEmpty)
        peer.state.withLock { $0.failure = nil }
        clock.advance(by: .seconds(31))
        #expect(await time() == 0 && noted() == [nil])
        // Its document is fresh: it is not looked for.
        #expect(await time() == 0 && noted() == [nil])
        clock.advance(by: .seconds(61))
        peer.state.withLock { $0.failure = .silent("nothing") }
        #expect(await time() == 6 && noted() == [nil, .noResponseFromServer])
    }

    @Test func `a token of another gateway of ours is used`() async {
        peer.state.withLock { $0.wantsToken = true }
        #expect(await time(.required) == 0)
        let second = PeerClientTests(sharing: self)
        network.forget()
        #expect(await second.time(.required) == 0)
        #expect(network.asked == ["GET /.well-known/avr", "GET /api/time"])
    }

    private init(sharing first: PeerClientTests) {
        peer = first.peer
        client = PeerClient(
            transport: first.network, memory: first.memory, allowsInsecure: false,
            ambient: .silent(clock: first.clock, random: SeededRandom(seed: 4))
        ) { [a = Self.a] in
            NodeIdentity(
                address: a, secure: true, gateway: Gateway(secure: true, address: a),
                gateways: [], version: "0.1.0",
                keys: [
                    NodeIdentity.Key(
                        pair: SignedDraft.pair(7), createdAt: SignedDraft.now,
                        expiresAt: SignedDraft.now + .seconds(1_000_000))
                ])
        }
    }

    @Test func `a token that is refused is earned anew, once`() async {
        peer.state.withLock { $0.wantsToken = true }
        #expect(await time(.required) == 0)
        peer.state.withLock { $0.tokens.append("gone") }
        network.forget()
        #expect(await time(.required) == 0)
        #expect(network.asked.filter { $0 == "PUT /api/challenges" }.count == 1)
        network.forget()
        peer.state.withLock { $0.answer = FakePeer.failure(.userNotLogged) }
        #expect(await time(.required) == ErrorCode.serverDenied.rawValue)
        #expect(network.asked.filter { $0 == "GET /api/time" }.count == 2)
    }

    @Test func `a token is renewed before it ends, and no read asks for one`() async {
        #expect(await time(.ifHeld) == 0)
        #expect(network.requests.allSatisfy { $0.fields[.authorization] == nil })
        #expect(await time(.required) == 0)
        clock.advance(by: .seconds(86_400 * 9 / 10 + 1))
        network.forget()
        #expect(await time(.required) == 0)
        #expect(network.asked.contains("PUT /api/challenges"))
    }

    @Test func `nothing but a challenge of our own is signed`() async {
        peer.state.withLock { $0.nonce = "x" }
        #expect(await time(.required) == 8)
        #expect(!network.asked.contains { $0.hasPrefix("POST") })
    }

    @Test func `identical discoveries are one request`() async {
        await withTaskGroup(of: UInt16.self) { group in
            for _ in 0..<20 { group.addTask { await time() } }
            for await code in group { #expect(code == 0) }
        }
        #expect(network.asked.filter { $0.hasSuffix("avr") }.count == 1)
    }

    @Test func `each failure has its code`() async {
        typealias Case = (UInt16, @Sendable (inout FakePeer.State) -> Void)
        let cases: [Case] = [
            (7, { $0.answer = FakePeer.envelope([:]) }),
            (7, { $0.answer = FakePeer.envelope(["data": nil]) }),
            (8, { $0.answer = PeerAnswer(status: .ok, fields: Fields(), body: Array("hi".utf8)) }),
            (8, { $0.answer = FakePeer.failure(.requestNotFound) }),
            (8, { $0.answer = FakePeer.envelope(["error": ["code": 9_999]]) }),
            (8, { $0.answer = PeerAnswer(status: .notModified, fields: Fields(), body: []) }),
            (11, { $0.answer = FakePeer.envelope(["data": "late"]) }),
            (6, { $0.answer = FakePeer.failure(.overloaded) }),
            (17, { $0.answer = FakePeer.failure(.userNotFound) }),
            (57, { $0.answer = FakePeer.failure(.challengeFailed) }),
            (9, { $0.answer = FakePeer.envelope(["data": 7], fields: Fields((.avrGateway, "x"))) }),
            (
                9,
                {
                    $0.answer = FakePeer.envelope(
                        ["data": 7], fields: Fields((.avrGateway, "true evil.example")))
                }
            ),
            (
                9,
                {
                    $0.answer = FakePeer.envelope(
                        ["data": 7], fields: Fields((.avrGateway, "false b.example")))
                }
            ),
            (9, { $0.answer = FakePeer.failure(.retryWithNewGateway) }),
        ]
        for (index, (code, change)) in cases.enumerated() {
            peer.state.withLock { change(&$0) }
            #expect(await time() == code, "case \(index)")
        }
        for (failure, code) in [
            (.silent(""), 6), (.refused, 61), (.malformed(""), 8), (.busy, 70), (.untrusted(""), 6),
        ] as [(PeerFailure, UInt16)] {
            let fresh = PeerClientTests()
            #expect(await fresh.time() == 0)
            fresh.peer.state.withLock { $0.failure = failure }
            #expect(await fresh.time() == code, "\(failure)")
        }
    }

    @Test func `each failure of discovery has its code, and is not repeated at once`() async {
        typealias Case = (UInt16, @Sendable (inout FakePeer.State) -> Void)
        let cases: [Case] = [
            (5, { $0.document = FakePeer.failure(.requestNotFound) }),
            (5, { $0.document = PeerAnswer(status: .ok, fields: Fields(), body: [1]) }),
            (5, { $0.failure = .unknown }), (5, { $0.failure = .untrusted("") }),
            (6, { $0.failure = .silent("") }), (61, { $0.failure = .refused }),
            (
                8,
                { state in
                    let old = state.identity
                    state.identity = NodeIdentity(
                        address: SignedDraft.address("c.example"), secure: true,
                        gateway: old.gateway,
                        gateways: old.gateways, version: "1", keys: old.keys)
                }
            ),
            (
                9,
                { state in
                    let gateway = Gateway(secure: false, address: SignedDraft.address("b.example"))
                    state.identity = NodeIdentity(
                        address: state.identity.address, secure: true, gateway: gateway,
                        gateways: [], version: "1", keys: state.identity.keys)
                }
            ),
        ]
        for (code, change) in cases {
            let fresh = PeerClientTests()
            fresh.peer.state.withLock { change(&$0) }
            #expect(await fresh.time() == code)
            fresh.peer.state.withLock {
                $0 = FakePeer.State(identity: DiscoveryDocumentTests.identity())
            }
            fresh.network.forget()
            #expect(await fresh.time() == code)
            #expect(fresh.network.asked.isEmpty)
            fresh.clock.advance(by: .seconds(30))
            #expect(await fresh.time() == 0)
        }
    }

    @Test func `http is for nodes never seen over https, and only where that is allowed`() async {
        let insecure = Gateway(secure: false, address: Self.b)
        for allowed in [false, true] {
            let nodes = PeerClientTests(allowsInsecure: allowed)
            nodes.network.at(Self.gateB, nil)
            let peer = nodes.peer
            nodes.network.at(insecure) { peer.respond(to: $0) }
            #expect(await nodes.time() != 0, "it says that it speaks https")
            nodes.clock.advance(by: .seconds(30))
            peer.state.withLock { state in
                state.identity = NodeIdentity(
                    address: Self.b, secure: false, gateway: insecure, gateways: [], version: "1",
                    keys: state.identity.keys)
            }
            #expect((await nodes.time() == 0) == allowed)
            // Seen over https once, it is never looked for otherwise.
            nodes.network.at(Self.gateB) { peer.respond(to: $0) }
            nodes.clock.advance(by: .seconds(61))
            _ = await nodes.time()
            #expect(nodes.memory[Self.b]?.secure == true)
            nodes.network.at(Self.gateB, nil)
            nodes.clock.advance(by: .seconds(601))
            #expect(await nodes.time() == 6)
        }
    }

    @Test func `a gateway that the document names is followed, once per request`() async {
        peer.state.withLock {
            $0.answer = FakePeer.failure(.retryWithNewGateway, redirect: Self.other)
        }
        let good = FakePeer.envelope(["data": 7])
        network.at(Self.other) { _ in .success(good) }
        #expect(await time() == 0)
        #expect(network.requests.map(\.gateway) == [Self.gateB, Self.gateB, Self.other])
        network.forget()
        #expect(await time() == 0)
        #expect(network.requests.map(\.gateway) == [Self.other], "stored")
        #expect(memory[Self.b]?.gateway == Self.other)
        let back = FakePeer.failure(.retryWithNewGateway, redirect: Self.gateB)
        network.at(Self.other) { _ in .success(back) }
        network.forget()
        #expect(await time() == 9)
        #expect(network.requests.count == 2)
    }

    @Test func `where nobody takes connections any more, another gateway of the node is tried`()
        async
    {
        #expect(await time() == 0)
        network.at(Self.gateB, nil)
        network.forget()
        #expect(await time() == 0)
        #expect(network.requests.map(\.gateway) == [Self.other])
        network.at(Self.other, nil)
        #expect(await time() == 6)
    }

    @Test func `a redirect without an error counts for later requests`() async {
        peer.state.withLock {
            $0.answer = FakePeer.envelope([
                "data": 7, "redirect": ["http": "https://gate.b.example:8443", "ws": "wss://x"],
            ])
        }
        #expect(await time() == 0)
        network.forget()
        #expect(await time() == 0)
        #expect(network.requests.first?.gateway == Self.other)
    }

    @Test func `an unknown key has the document read again, once a minute`() async throws {
        let first = SignedDraft.pair(1).publicKey
        #expect(try await client.key(first.id, of: Self.b) == first)
        peer.state.withLock { $0.identity = DiscoveryDocumentTests.identity([2, 1]) }
        let second = SignedDraft.pair(2).publicKey
        #expect(try await client.key(second.id, of: Self.b) == second)
        network.forget()
        await #expect(throws: APIError.self) { try await client.key("00", of: Self.b) }
        #expect(network.asked.isEmpty)
        // A node that cannot be reached for a moment has the keys it had.
        clock.advance(by: .seconds(3_600))
        peer.state.withLock { $0.failure = .silent("") }
        #expect(try await client.key(first.id, of: Self.b) == first)
    }

    @Test func `keys that nobody vouches for are not believed before their week is over`() async {
        #expect(await time() == 0)
        peer.state.withLock { $0.identity = DiscoveryDocumentTests.identity([3]) }
        clock.advance(by: .seconds(61))
        // The document's own time has to be that of the test's clock.
        #expect(await time() == 5)
        #expect(memory[Self.b]?.keys.count == 2)
    }

    @Test func `this node is no other node`() async {
        await #expect(throws: APIError.self) { try await client.peer(Self.a) }
    }
}
