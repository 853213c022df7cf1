import API
import Base
import Domain
import HTTP
import Net
import Runtime
import Support
import Testing

@testable import Reil

/// Protects: docs/client/http.md, rates: what counts, whose it is, and when it comes back.
struct RateLimiterTests {
    private let clock = ManualClock()
    private let random = SeededRandom(seed: 11)

    private func id<Kind: IDKind>() -> ID<Kind> { .make(clock: clock, random: random) }

    private func limiter(
        _ flags: [(String, String)] = [], exempt: [String] = []
    ) throws -> RateLimiter {
        let config = try ConfigReader(
            ReilSettings.all + ProcessSettings.all,
            flags: flags.map { (flag: $0.0, text: $0.1) })
        return RateLimiter(
            limits: RateLimits(config), exempt: try exempt.map { try #require(NetworkRange($0)) },
            clock: clock)
    }

    /// One request; nil when it may pass, else how long it has to wait.
    private func ask(
        _ limiter: RateLimiter, _ endpoint: EndpointFacts = ServerAPI.time.facts,
        as caller: Caller = .nobody, from client: String = "192.0.2.1"
    ) throws -> Duration? {
        var passage = Passage(request: try .test(), endpoint: endpoint)
        passage.caller = caller
        passage.client = try #require(IPAddress(client))
        do throws(APIError) {
            #expect(try limiter.check(&passage), "it never has to ask anybody")
            return nil
        } catch {
            #expect(error.code == .tooManyRequests)
            return error.retryAfter
        }
    }

    private func user() -> Caller { .user(UserCaller(id: id(), session: id(), tags: [])) }

    /// The contract's table: how many at once, and after how long there is one more.
    @Test(arguments: [
        (ServerAPI.time.facts, 300, Duration.milliseconds(10)),
        (AuthAPI.register.facts, 5, .seconds(360)), (ChallengeAPI.open.facts, 10, .seconds(6)),
        (ChallengeAPI.prove.facts, 10, .seconds(6)), (WorldAPI.upload.facts, 30, .seconds(60)),
        (WorldAPI.create.facts, 30, .seconds(20)), (InstanceAPI.create.facts, 30, .seconds(20)),
        (IntegrityAPI.request.facts, 30, .seconds(2)),
    ])
    func `by default each class allows what the contract says`(
        endpoint: EndpointFacts, burst: Int, interval: Duration
    ) throws {
        let limiter = try limiter()
        let caller = user()
        for _ in 0..<burst { #expect(try ask(limiter, endpoint, as: caller) == nil) }
        #expect(try ask(limiter, endpoint, as: caller) == interval)
        clock.advance(by: interval - .nanoseconds(1))
        #expect(try ask(limiter, endpoint, as: caller) == .nanoseconds(1))
        clock.advance(by: .nanoseconds(1))
        #expect(try ask(limiter, endpoint, as: caller) == nil)
        #expect(try ask(limiter, endpoint, as: caller) == interval)
        // Idle for long, it is the burst again and no more.
        clock.advance(by: .seconds(86_400))
        for _ in 0..<burst { #expect(try ask(limiter, endpoint, as: caller) == nil) }
        #expect(try ask(limiter, endpoint, as: caller) == interval)
    }

    @Test func `another node has a rate of its own`() throws {
        let limiter = try limiter()
        let (a, b) = (
            try #require(ServerAddress("a.example")), try #require(ServerAddress("b.example"))
        )
        for _ in 0..<200 { #expect(try ask(limiter, as: .server(a)) == nil) }
        // Whichever of its gateways it calls from.
        #expect(try ask(limiter, as: .server(a), from: "198.51.100.7") == .milliseconds(20))
        #expect(try ask(limiter, as: .server(b)) == nil)
    }

    @Test func `who waits no longer than told is let in, however often they asked meanwhile`()
        throws
    {
        let limiter = try limiter([("limits-requests", "1"), ("limits-requests-burst", "2")])
        for _ in 0..<2 { #expect(try ask(limiter) == nil) }
        for _ in 0..<50 { #expect(try ask(limiter) == .seconds(1)) }
        clock.advance(by: .seconds(1))
        #expect(try ask(limiter) == nil)
    }

    private func narrow(exempt: [String] = []) throws -> RateLimiter {
        try limiter(
            [("limits-requests-burst", "1"), ("limits-challenges", "1"), ("limits-meetings", "1")],
            exempt: exempt)
    }

    @Test func `a person is counted wherever they are, and apart from others there`() throws {
        let limiter = try narrow()
        let home = try #require(ServerAddress("home.example"))
        let abroad = try #require(ServerAddress("abroad.example"))
        let (ada, ben) = (user(), user())
        let visitor = UserReference(id(), at: abroad)
        let people: [Caller] = [
            ada, ben, .visitor(VisitorCaller(user: visitor, integrity: id())),
            // The same id at another node is somebody else.
            .visitor(VisitorCaller(user: UserReference(visitor.id, at: home), integrity: id())),
        ]
        for person in people { #expect(try ask(limiter, as: person) == nil) }
        for person in people { #expect(try ask(limiter, as: person, from: "192.0.2.9") != nil) }
        // A new login, or a new grant, is no new person.
        if case .user(let caller) = ada {
            let again = UserCaller(id: caller.id, session: id(), tags: [])
            #expect(try ask(limiter, as: .user(again)) != nil)
        }
        let again = VisitorCaller(user: visitor, integrity: id())
        #expect(try ask(limiter, as: .visitor(again)) != nil)
        // They all came from one address, which has not asked for anything itself.
        #expect(try ask(limiter) == nil)
    }

    @Test func `classes are counted apart`() throws {
        let limiter = try narrow()
        let caller = user()
        for endpoint in [ServerAPI.time.facts, IntegrityAPI.request.facts, WorldAPI.create.facts] {
            #expect(try ask(limiter, endpoint, as: caller) == nil)
        }
        #expect(try ask(limiter, IntegrityAPI.request.facts, as: caller) != nil)
        #expect(try ask(limiter, WorldAPI.create.facts, as: caller) == nil)
    }

    /// Accounts, or nodes, that somebody has are no way around.
    @Test func `registering and challenges count by address, whoever calls`() throws {
        let limiter = try narrow()
        #expect(try ask(limiter, ChallengeAPI.open.facts, as: user()) == nil)
        #expect(try ask(limiter, ChallengeAPI.open.facts, as: user()) != nil)
        #expect(try ask(limiter, ChallengeAPI.prove.facts) != nil)
        #expect(try ask(limiter, ChallengeAPI.open.facts, from: "192.0.2.2") == nil)
    }

    @Test func `IPv6 counts by network, and a mapped address is the one that is mapped`() throws {
        let limiter = try narrow()
        #expect(try ask(limiter, from: "2001:db8:1:2::1") == nil)
        #expect(try ask(limiter, from: "2001:db8:1:2:ffff:ffff:ffff:ffff") != nil)
        #expect(try ask(limiter, from: "2001:db8:1:3::1") == nil)
        #expect(try ask(limiter, from: "192.0.2.1") == nil)
        #expect(try ask(limiter, from: "::ffff:192.0.2.1") != nil)
        #expect(try ask(limiter, from: "::ffff:192.0.2.2") == nil)
    }

    @Test func `networks that are exempt are never counted, and nobody else is exempt`() throws {
        let limiter = try narrow(exempt: ["127.0.0.0/8", "2001:db8::/32"])
        let caller = user()
        for client in ["127.0.0.1", "127.9.9.9", "2001:db8:7::1", "::ffff:127.0.0.1"] {
            for _ in 0..<5 { #expect(try ask(limiter, as: caller, from: client) == nil) }
        }
        // The same person from elsewhere.
        #expect(try ask(limiter, as: caller, from: "128.0.0.1") == nil)
        #expect(try ask(limiter, as: caller, from: "128.0.0.1") != nil)
        #expect(try ask(limiter, from: "2001:db9::1") == nil)
        #expect(try ask(limiter, from: "2001:db9::1") != nil)
    }
}

/// Protects: `reil.trusted_proxies`: an address in X-Forwarded-For counts only where a proxy that
/// is trusted wrote it.
struct ForwardedClientTests {
    private func client(
        _ fields: String..., from socket: String = "10.0.0.1",
        trusting networks: [String] = ["10.0.0.0/8", "fd00::/8"]
    ) throws -> String {
        let request = try Request.test(
            fields: fields.map { "X-Forwarded-For: \($0)\r\n" }.joined(), from: socket)
        return ForwardedClient.address(
            of: request, trusting: try networks.map { try #require(NetworkRange($0)) }
        ).description
    }

    @Test func `without a proxy that is trusted the field is a stranger's word`() throws {
        #expect(try client("203.0.113.1", trusting: []) == "10.0.0.1")
        #expect(try client("203.0.113.1", from: "192.0.2.1") == "192.0.2.1")
        #expect(try client("10.0.0.9", from: "192.0.2.1") == "192.0.2.1")
    }

    @Test func `a trusted proxy says who its client is`() throws {
        #expect(try client("203.0.113.1") == "203.0.113.1")
        #expect(try client(" 203.0.113.1 ") == "203.0.113.1")
        #expect(try client("2001:db8::1") == "2001:db8::1")
        #expect(try client("203.0.113.1", from: "fd00::1") == "203.0.113.1")
        #expect(try client("203.0.113.1", from: "::ffff:10.0.0.1") == "203.0.113.1")
        #expect(try client() == "10.0.0.1")
        #expect(try client("") == "10.0.0.1")
    }

    /// A proxy adds to what came: what is left of the last stranger, the stranger wrote.
    @Test func `what a client wrote itself is not believed`() throws {
        #expect(try client("198.51.100.1, 203.0.113.1") == "203.0.113.1")
        #expect(try client("10.0.0.5, 203.0.113.1") == "203.0.113.1")
        #expect(try client("nonsense, 203.0.113.1") == "203.0.113.1")
        #expect(try client("198.51.100.1", "203.0.113.1") == "203.0.113.1")
    }

    @Test func `a chain of trusted proxies leads to the client before it`() throws {
        #expect(try client("203.0.113.1, 10.0.0.2, 10.0.0.3") == "203.0.113.1")
        #expect(try client("203.0.113.1, 10.0.0.2", "fd00::3") == "203.0.113.1")
        #expect(try client("198.51.100.1, 203.0.113.1, 10.0.0.2") == "203.0.113.1")
        // Within the trusted networks alone it is the first of them.
        #expect(try client("10.0.0.7, 10.0.0.2") == "10.0.0.7")
    }

    /// A word that is no address ends the search: never a step further than somebody vouches for.
    @Test func `where the chain breaks, the last proxy that is known is counted`() throws {
        #expect(try client("unknown") == "10.0.0.1")
        #expect(try client("203.0.113.1, unknown") == "10.0.0.1")
        #expect(try client("203.0.113.1, unknown, 10.0.0.2") == "10.0.0.2")
        #expect(try client("203.0.113.1:4711") == "10.0.0.1")
    }
}

extension Request {
    /// A request as it comes from a socket.
    fileprivate static func test(
        fields: String = "", from client: String = "192.0.2.1"
    ) throws -> Request {
        let clock = ManualClock()
        var machine = ServerMachine(now: clock.now())
        let text = "GET / HTTP/1.1\r\nHost: x\r\n\(fields)\r\n"
        machine.receive(Array(text.utf8).span, now: clock.now())
        guard case .request(let head)? = machine.next(now: clock.now()) else {
            throw NeverCame("not a request: \(text)")
        }
        return Request(
            head: head, body: EmptyBody(), client: try #require(IPAddress(client)), secure: false,
            id: 1, received: clock.now(), loop: TestLoops.group.loops[0])
    }
}
