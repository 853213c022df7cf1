import API
import Base
import Domain
import Testing

@testable import Ins

/// Protects: whatever its members move, a room can be told to who comes next.
struct TransformTableTests {
    private let random = SeededRandom(seed: 3)
    private let clock = ManualClock()

    private func id<Kind: IDKind>() -> ID<Kind> { .make(clock: clock, random: random) }

    /// As large as a transform gets: every vector, the longest numbers, the longest path.
    private func take(
        _ number: Int, of player: PlayerID, object: Bool = false, into table: inout TransformTable
    ) throws(TransformTable.Refusal) {
        let long = "-0.0000012345678901234567"
        let three = "[\(long),\(long),\(long)]"
        let owner = object ? "o:\(String(repeating: "x", count: 58))\(number)" : "p:@me"
        let path = "\(owner)/\(number)/".padded(to: object ? 160 : 119)
        let text = #"""
            {"path":"\#(path)","p":\#(three),"r":[\#(long),\#(long),\#(long),\#(long)],"s":\#(three),"v":\#(three),"a":\#(three),"at":\#(clock.timestamp().milliseconds)}
            """#
        let frame = Array(text.utf8)
        try table.take(
            frame, in: frame.indices, from: player, now: clock.timestamp()
        ) { _ in true }
    }

    private func size(_ transforms: [RoomTransform]) -> Int {
        transforms.reduce(0) { $0 + JSONCoder.encode($1).count + 1 }
    }

    @Test(arguments: [1, 32, 356, 1_024])
    func `the bodies of a full room stay within their bytes, each within its share`(
        capacity: Int
    ) throws {
        var table = TransformTable(capacity: capacity)
        let players: [PlayerID] = (0..<2).map { _ in id() }
        var taken = 0
        for player in players {
            for number in 0..<70 {
                do throws(TransformTable.Refusal) {
                    try take(number, of: player, into: &table)
                    taken += 1
                } catch {
                    #expect(error == .tooMany)
                }
            }
        }
        // Both have the same, and what one takes is not the other's.
        #expect(taken % 2 == 0 && taken >= 2 * min(64, 8_192 / 800))
        #expect(taken <= 128)
        #expect(size(table.all) <= 2 * TransformTable.bodyBytes / max(capacity, 2))
    }

    @Test func `objects take no more than three MiB`() throws {
        var table = TransformTable(capacity: 32)
        let player: PlayerID = id()
        for number in 1_000..<6_000 {
            try? take(number, of: player, object: true, into: &table)
        }
        let all = table.all
        #expect(all.count == TransformTable.objectPaths)
        #expect(size(all) <= 3 << 20)
    }

    @Test func `who has their share can go on moving what they have`() throws {
        var table = TransformTable(capacity: 1_024)
        let player: PlayerID = id()
        var count = 0
        while (try? take(count, of: player, into: &table)) != nil { count += 1 }
        clock.advance(by: .seconds(1))
        let frame = Array(
            #"{"path":"p:@me/new","p":[1,2,3],"at":\#(clock.timestamp().milliseconds)}"#.utf8)
        #expect(throws: TransformTable.Refusal.tooMany) {
            try table.take(
                frame, in: frame.indices, from: player, now: clock.timestamp()
            ) { _ in false }
        }
        // Unchanged, so stale and not too many.
        #expect(throws: TransformTable.Refusal.stale) {
            try take(0, of: player, into: &table)
        }
        table.forget(player)
        try take(0, of: player, into: &table)
    }
}

extension String {
    fileprivate func padded(to count: Int) -> String {
        self + String(repeating: "y", count: max(0, count - utf8.count))
    }
}
