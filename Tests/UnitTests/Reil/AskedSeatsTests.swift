import Base
import Domain
import Testing

@testable import Reil

/// A seat that was taken away before the answer to its asking was here is not sat on.
struct AskedSeatsTests {
    private let player = PlayerID.make(clock: ManualClock(), random: SeededRandom(seed: 1))
    private let other = PlayerID.make(clock: ManualClock(), random: SeededRandom(seed: 2))
    private let instance = InstanceID.make(clock: ManualClock(), random: SeededRandom(seed: 3))
    private let elsewhere = InstanceID.make(clock: ManualClock(), random: SeededRandom(seed: 4))

    @Test func `a seat is taken once, and only by who asked`() {
        var seats = AskedSeats()
        let unasked = seats.take(player, in: instance)
        seats.ask(player)
        seats.lose(other)
        seats.end(elsewhere)
        let first = seats.take(player, in: instance)
        let second = seats.take(player, in: instance)
        #expect([unasked, first, second] == [.lost, .held(isMuted: nil), .lost])
    }

    @Test func `who was muted before the answer was here is muted`() {
        for isMuted in [true, false] {
            var seats = AskedSeats()
            seats.ask(player)
            seats.setMuted(player, !isMuted)
            seats.setMuted(player, isMuted)
            seats.setMuted(other, !isMuted)
            let taken = seats.take(player, in: instance)
            #expect(taken == .held(isMuted: isMuted))
        }
    }

    @Test func `what is lost, ended or from before the link is not taken`() {
        let losses: [(AskedSeats.Outcome, (inout AskedSeats) -> Void)] = [
            (.lost, { $0.lose(player) }), (.ended, { $0.end(instance) }),
            (.lost, { $0.loseAll() }), (.lost, { $0.forget(player) }),
        ]
        for (outcome, loss) in losses {
            var seats = AskedSeats()
            seats.ask(player)
            loss(&seats)
            seats.ask(other)
            let lost = seats.take(player, in: instance)
            let kept = seats.take(other, in: instance)
            #expect(lost == outcome && kept == .held(isMuted: nil))
        }
    }
}
