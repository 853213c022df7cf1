import API
import Base
import Domain
import Testing

@testable import Eta

/// What the links owe the instances is done in the end, also where the database fails at first.
struct LinkWatchTests {
    private static let report = InsReport(
        credential: "local", name: "local", version: "1", capacity: 10, region: "", load: 0)

    @Test func `what could not be done is tried again until it is done, and then no more`()
        async throws
    {
        let eta = try await TestRegistry()
        let observer = FailingObserver()
        let watch = eta.registry.watch
        watch.observe(observer)
        try await watch.start()
        let reil = FakeReil(eta.registry, run: "one")
        let player = PlayerID.make(clock: eta.clock, random: SystemRandom())
        let instance = InstanceID.make(clock: eta.clock, random: SystemRandom())
        reil.say(.insLinked(Self.report))
        reil.say(.insLost(credential: "local"))
        reil.say(.players([SeatReport(instance: instance, player: player)]))
        reil.hangUp()
        for _ in 0..<3 {
            eta.clock.advance(by: .seconds(61))
            await watch.look()
        }
        #expect(observer.done == [])
        observer.fails.withLock { $0 = false }
        for _ in 0..<3 {
            eta.clock.advance(by: .seconds(2))
            await watch.look()
        }
        #expect(observer.done.sorted() == ["lost local", "released", "reported one: 1"])
    }

    @Test func `of what a Reil says twice only the last is compared`() async throws {
        let eta = try await TestRegistry()
        let observer = FailingObserver()
        observer.fails.withLock { $0 = false }
        eta.registry.watch.observe(observer)
        let reil = FakeReil(eta.registry, run: "one")
        let player = PlayerID.make(clock: eta.clock, random: SystemRandom())
        let instance = InstanceID.make(clock: eta.clock, random: SystemRandom())
        reil.say(.players([SeatReport(instance: instance, player: player)]))
        reil.say(.players([]))
        await eta.registry.watch.look()
        #expect(observer.done == ["reported one: 0"])
    }
}

/// Notes what it is asked for, and fails as long as it is to.
private final class FailingObserver: LinkObserver {
    let fails = Lock(true)
    private let notes = Lock<[String]>([])

    var done: [String] { notes.withLock { $0 } }

    private func note(_ text: String) throws(APIError) {
        if fails.withLock({ $0 }) { throw .overloaded(context: "the database is locked") }
        notes.withLock { $0.append(text) }
    }

    func hostings() throws(APIError) -> [Hosting] { [] }
    func insLost(_ ins: String) async throws(APIError) { try note("lost \(ins)") }
    func seatsReported(
        _ seats: [SeatReport], by run: String, before moment: Timestamp
    ) async throws(APIError) { try note("reported \(run): \(seats.count)") }
    func releaseSeats(except runs: [String]) async throws(APIError) { try note("released") }
}
