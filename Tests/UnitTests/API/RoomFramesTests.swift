import API
import Base
import Domain
import Testing

/// Protects: what an Ins and a Reil say to each other in binary comes out as it went in, and what
/// is broken is refused at once, whatever it claims.
struct RoomFramesTests {
    private let random = SeededRandom(seed: 7)
    private let clock = ManualClock()

    private func player() -> PlayerID { PlayerID.make(clock: clock, random: random) }

    @Test func `a batch comes out as it went in`() throws {
        let instance = InstanceID.make(clock: clock, random: random)
        let (a, b) = (player(), player())
        var writer = RoomBatchWriter()
        writer.append(sender: a, audience: .others) { $0.append("one") }
        writer.append(sender: nil, audience: .players([a, b])) { $0.append("twotwo") }
        let began = writer.isEmpty
        #expect(!began)
        let batch = try RoomBatch(reading: writer.take(instance: instance, epoch: 3))
        let empty = writer.isEmpty
        #expect(empty)
        #expect(batch.instance == instance)
        #expect(batch.epoch == 3)
        #expect(batch.segments.count == 2)
        #expect(batch.segments[0].sender == a)
        #expect(batch.segments[0].audience == .others)
        #expect(batch.segments[1].sender == nil)
        #expect(batch.segments[1].audience == .players([a, b]))
        let texts = batch.segments.map { String(decoding: batch.bytes[$0.range], as: UTF8.self) }
        #expect(texts == ["one", "twotwo"])
    }

    @Test func `a batch cut at any byte is refused`() throws {
        var writer = RoomBatchWriter()
        writer.append(sender: player(), audience: .players([player()])) { $0.append("text") }
        let frame = writer.take(
            instance: InstanceID.make(clock: clock, random: random), epoch: 1)
        for cut in 0..<frame.count {
            #expect(throws: RoomFrameError.self) {
                try RoomBatch(reading: Array(frame[..<cut]))
            }
        }
        #expect(throws: RoomFrameError.self) { try RoomBatch(reading: frame + [0]) }
    }

    @Test func `commands come out in their order`() throws {
        let instance = InstanceID.make(clock: clock, random: random)
        let players = [player(), player()]
        var frame = ByteWriter()
        RoomCommands.begin(&frame)
        for (index, player) in players.enumerated() {
            RoomCommands.append(
                instance: instance, epoch: 9, player: player, index == 0 ? .data : .transform,
                json: Array("{\"n\":\(index)}".utf8)[...], to: &frame)
        }
        let bytes = frame.array()
        var read: [(PlayerID, RoomCommands.Command, String)] = []
        for entry in try RoomCommands.read(bytes) {
            #expect(entry.instance == instance && entry.epoch == 9)
            read.append(
                (entry.player, entry.command, String(decoding: bytes[entry.range], as: UTF8.self)))
        }
        #expect(read.map(\.0) == players)
        #expect(read.map(\.1) == [.data, .transform])
        #expect(read.map(\.2) == ["{\"n\":0}", "{\"n\":1}"])
    }

    @Test func `random bytes never trap`() {
        for round in 0..<4_000 {
            var bytes = random.bytes(round % 97)
            if !bytes.isEmpty { bytes[0] = UInt8(round % 2 + 1) }
            _ = try? RoomBatch(reading: bytes)
            _ = try? RoomCommands.read(bytes)
        }
    }
}
