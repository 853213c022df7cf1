import API
import Base
import Domain
import HTTP
import Support
import Testing

@testable import Reil

/// What is kept for sockets that drop: in order, for whom it was, within bounds.
struct ResumeMemoryTests {
    private let clock = ManualClock()
    private let random = SeededRandom(seed: 5)
    private func player() -> PlayerID { .make(clock: clock, random: random) }

    /// A batch of one room: each event with its number, who says it and to whom.
    private func batch(
        _ events: [(number: Int64, sender: PlayerID?, audience: RoomBatch.Audience)],
        motion: Int = 0, size: Int = 10
    ) throws -> RoomBatch {
        let instance = InstanceID.make(clock: clock, random: random)
        var writer = RoomBatchWriter()
        for event in events {
            let text =
                #"{"command":"instance-data","subgroup":"\#(instance.text)","seq":\#(event.number),"#
                + #""data":"\#(String(repeating: "x", count: size))"}"#
            writer.append(sender: event.sender, audience: event.audience) {
                $0.append(FrameSerializer.frame(.text, Array(text.utf8)))
            }
        }
        for _ in 0..<motion {
            writer.append(sender: player(), audience: .others, isState: true) {
                $0.append(FrameSerializer.frame(.text, Array(#"{"seq":9}"#.utf8)))
            }
        }
        return try RoomBatch(reading: writer.take(instance: instance, epoch: 1))
    }

    private func numbers(_ frames: [[UInt8]]?) -> [String]? {
        frames.map { frames in
            frames.map { frame in
                let text = String(decoding: frame, as: UTF8.self)
                let tail = text.split(separator: "\"seq\":").last ?? ""
                return String(tail.prefix { $0 != "," })
            }
        }
    }

    @Test func `a player missed what others said to all or to them`() throws {
        let (ada, ben) = (player(), player())
        var history = RoomHistory(age: .seconds(60))
        history.append(
            try batch(
                [
                    (1, ada, .others), (2, ben, .others), (3, ada, .players([ben])),
                    (5, ada, .players([player()])), (6, nil, .others),
                ], motion: 3), now: clock.now())
        #expect(numbers(history.missed(since: 0, by: ben)) == ["1", "3", "6"])
        #expect(numbers(history.missed(since: 0, by: ada)) == ["2", "6"])
        #expect(numbers(history.missed(since: 3, by: ben)) == ["6"])
        #expect(numbers(history.missed(since: 9, by: ben)) == [])
        #expect(history.newest == 6)
        history.restart()
        #expect(history.newest == 0 && history.beginnings == 1)
        #expect(numbers(history.missed(since: 0, by: ben)) == [])
    }

    @Test func `what is too old or too much is not at hand`() throws {
        let ada = player()
        var history = RoomHistory(age: .seconds(60))
        for number in 1...600 as ClosedRange<Int64> {
            history.append(try batch([(number, ada, .others)]), now: clock.now())
            clock.advance(by: .seconds(1))
        }
        // A minute's worth is there, and of what is older only that it is not.
        let kept = try #require(numbers(history.missed(since: 550, by: player())))
        #expect(kept.first == "551" && kept.last == "600" && kept.count == 50)
        #expect(history.missed(since: 500, by: ada) == nil)
        for number in 601...900 as ClosedRange<Int64> {
            history.append(try batch([(number, ada, .others)], size: 16_000), now: clock.now())
        }
        let rest = try #require(numbers(history.missed(since: 850, by: player())))
        #expect(rest.count == 50 && history.missed(since: 800, by: ada) == nil)
    }

    @Test func `a socket's last events are kept, within bounds`() {
        var recent = RecentEvents(since: 4)
        for number in 5...9 as ClosedRange<Int64> { recent.append(number, [UInt8(number)]) }
        #expect(recent.missed(since: 7) == [[8], [9]])
        #expect(recent.missed(since: nil) == [[5], [6], [7], [8], [9]])
        #expect(recent.missed(since: 3) == nil && recent.missed(since: 12) == [])
        let large = [UInt8](repeating: 1, count: 20 << 10)
        recent.append(10, large)
        recent.append(11, large)
        #expect(recent.missed(since: 10) == [large])
        #expect(recent.missed(since: 9) == nil && recent.missed(since: nil) == nil)
    }

    @Test func `a word resumes one socket, once`() {
        let book = ResumeBook()
        let (one, two) = (ResumeBook.key("one"), ResumeBook.key("two"))
        book.set(one, ResumeBook.Place(loop: 0, socket: 7))
        book.set(two, ResumeBook.Place(loop: 1, socket: 8))
        #expect(book.take(one) == ResumeBook.Place(loop: 0, socket: 7))
        #expect(book.take(one) == nil)
        book.forget(two)
        #expect(book.take(two) == nil)
    }
}
