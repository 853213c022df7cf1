import API
import Base
import Domain
import Testing

@testable import Eta

/// The registry link from Eta's side: order, leases, who came and went.
struct RegistryLinkTests {
    @Test func `the welcome comes first, with keys, gateways and what is live`() async throws {
        let eta = try await TestRegistry()
        let one = FakeReil(eta.registry, run: "one", port: 3_032)
        guard case .welcome(let welcome)? = one.heard.first else {
            Issue.record("the first frame is no welcome")
            return
        }
        #expect(welcome.server.address == TestRegistry.address)
        #expect(welcome.accessKeys.count == 1 && welcome.signingKeys.count == 1)
        #expect(welcome.leaseMilliseconds == 1_000 && welcome.gateways.count == 1)
        let two = FakeReil(eta.registry, run: "two", port: 3_034)
        guard case .reils(let gateways, let links)? = one.heard.last else {
            Issue.record("the first Reil is not told of the second")
            return
        }
        #expect(gateways.count == 2 && links.count == 2)
        two.hangUp()
        guard case .reils(let left, _)? = one.heard.last else { return }
        #expect(left.count == 1)
    }

    @Test func `settling waits for who has a lease to acknowledge, and only for them`()
        async throws
    {
        let eta = try await TestRegistry()
        let leased = FakeReil(eta.registry, run: "leased")
        let idle = FakeReil(eta.registry, run: "idle")
        leased.renew()
        let isOver = Lock(false)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await eta.registry.pushes.settled()
                isOver.withLock { $0 = true }
            }
            while leased.marks.isEmpty || idle.marks.isEmpty { await Task.yield() }
            #expect(!isOver.withLock { $0 })
            leased.say(.acknowledge(sequence: leased.marks[0]))
        }
        #expect(isOver.withLock { $0 })
    }

    @Test func `a Reil whose link broke is waited for until its lease is over`() async throws {
        let eta = try await TestRegistry()
        let reil = FakeReil(eta.registry)
        reil.renew()
        reil.hangUp()
        let isOver = Lock(false)
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                await eta.registry.pushes.settled()
                isOver.withLock { $0 = true }
            }
            for _ in 0..<100 { await Task.yield() }
            #expect(!isOver.withLock { $0 })
            eta.clock.advance(by: .milliseconds(1_051))
            // The pusher may not have come to wait yet.
            while !isOver.withLock({ $0 }) {
                eta.registry.pushes.expire()
                await Task.yield()
            }
        }
        await eta.registry.pushes.settled()
    }

    @Test func `an answer to a renewal comes behind all that was pushed before`() async throws {
        let eta = try await TestRegistry()
        let reil = FakeReil(eta.registry)
        eta.registry.pushes.revoke(.ins("x"))
        reil.renew(7)
        guard case .leased(7)? = reil.heard.last, case .revoke? = reil.heard.dropLast().last else {
            Issue.record("out of order")
            return
        }
    }

    @Test func `the same run links again and its old link ends`() async throws {
        let eta = try await TestRegistry()
        let old = FakeReil(eta.registry)
        let new = FakeReil(eta.registry)
        #expect(old.isClosed && !new.isClosed)
        old.hangUp()
        #expect(eta.registry.pushes.runs == ["run-1"])
        eta.clock.advance(by: .seconds(120))
        #expect(!eta.registry.pushes.takeGone(now: eta.clock.now()))
    }

    @Test func `who says no hello, two, or no JSON is shown the door`() async throws {
        let eta = try await TestRegistry()
        let twice = FakeReil(eta.registry)
        let gateway = Gateway(secure: false, address: TestRegistry.address)
        twice.say(.hello(ReilHello(run: "x", gateway: gateway, link: gateway)))
        #expect(twice.isClosed)
        let garbage = FakeReil(eta.registry, run: "g")
        garbage.say(text: "{")
        #expect(garbage.isClosed)
        let unknown = FakeReil(eta.registry, run: "u")
        unknown.say(text: #"{"nothing":{}}"#)
        #expect(unknown.isClosed)
    }

    @Test func `an Ins is lost half a second after its last link, unless it is back`() async throws
    {
        let eta = try await TestRegistry()
        let reil = FakeReil(eta.registry)
        let report = InsReport(
            credential: "local", name: "local", version: "1", capacity: 10, region: "", load: 0)
        let roster = eta.registry.roster
        reil.say(.insLinked(report))
        #expect(roster.linked.count == 1)
        reil.say(.insLost(credential: "local"))
        #expect(roster.linked.isEmpty)
        eta.clock.advance(by: .milliseconds(400))
        #expect(roster.takeLost(now: eta.clock.now()) == [])
        reil.say(.insLinked(report))
        eta.clock.advance(by: .seconds(1))
        #expect(roster.takeLost(now: eta.clock.now()) == [])
        reil.say(.insLost(credential: "local"))
        eta.clock.advance(by: .milliseconds(501))
        #expect(roster.takeLost(now: eta.clock.now()) == ["local"])
        #expect(roster.takeLost(now: eta.clock.now()) == [])
    }

    @Test func `a Reil that is gone may come back for a minute, and so may what it had`()
        async throws
    {
        let eta = try await TestRegistry()
        let (one, two) = (FakeReil(eta.registry, run: "one"), FakeReil(eta.registry, run: "two"))
        one.say(
            .insLinked(
                InsReport(
                    credential: "local", name: "local", version: "1", capacity: 10, region: "",
                    load: 0)))
        one.hangUp()
        #expect(eta.registry.roster.linked.isEmpty)
        eta.clock.advance(by: .seconds(59))
        #expect(!eta.registry.pushes.takeGone(now: eta.clock.now()))
        #expect(eta.registry.roster.takeLost(now: eta.clock.now()) == [])
        eta.clock.advance(by: .seconds(2))
        #expect(eta.registry.pushes.takeGone(now: eta.clock.now()))
        #expect(eta.registry.pushes.runs == ["two"])
        #expect(eta.registry.roster.takeLost(now: eta.clock.now()) == ["local"])
        two.hangUp()
    }
}
