import API
import Base
import Domain
import Support
import Testing

@testable import Ins

/// The objects of a room against a plain model of them, and their bounds.
struct ObjectTableTests {
    private let clock = ManualClock()
    private let random = SeededRandom(seed: 11)
    private func player() -> PlayerID { .make(clock: clock, random: random) }

    @Test func `nobody does with an object what is another's to do`() throws {
        let players = [player(), player(), player()]
        let names = ["a", "b", "c"]
        var table = ObjectTable()
        var holders: [String: PlayerID] = [:]
        var words: [String: String] = [:]
        var existing: Set<String> = []
        for step in 0..<5_000 {
            let player = players[Int(random.next() % 3)]
            let name = names[Int(random.next() % 3)]
            if random.next() % 20 == 0 {
                let freed = table.release(allOf: player).map(\.object)
                #expect(freed == holders.filter { $0.value == player }.keys.sorted())
                holders = holders.filter { $0.value != player }
                continue
            }
            let action = ObjectAction.allCases[Int(random.next() % 4)]
            let mayDo =
                action == .acquire
                ? holders[name] == nil || holders[name] == player : holders[name] == player
            let text = "\(step)"
            let result = Result { () throws(ObjectTable.Refusal) in
                try table.perform(action, name, data: Array(text.utf8)[...], by: player)
            }
            guard mayDo else {
                #expect(throws: ObjectTable.Refusal.notHeld) { try result.get() }
                continue
            }
            switch action {
            case .acquire: (holders[name], _) = (player, existing.insert(name))
            case .release: holders[name] = nil
            case .set: words[name] = text
            case .delete:
                holders[name] = nil
                words[name] = nil
                existing.remove(name)
            }
            let object = try result.get()
            #expect(object.holder == holders[name] && table.holder(of: name) == holders[name])
        }
        let all = table.all
        #expect(all.map(\.object) == existing.sorted())
        #expect(all.map(\.holder) == existing.sorted().map { holders[$0] })
        #expect(
            all.map { $0.data?.integerValue.map(String.init) }
                == existing.sorted().map { words[$0] })
    }

    @Test func `a room has no more of them than fits into a snapshot`() throws {
        let player = player()
        var table = ObjectTable()
        for number in 0..<ObjectTable.limit {
            _ = try table.perform(.acquire, "\(number)", data: nil, by: player)
        }
        #expect(throws: ObjectTable.Refusal.tooMany) {
            try table.perform(.acquire, "more", data: nil, by: player)
        }
        let words = Array("\"\(String(repeating: "x", count: 8_190))\"".utf8)[...]
        var count = 0
        while (try? table.perform(.set, "\(count)", data: words, by: player)) != nil { count += 1 }
        #expect(count == ObjectTable.byteLimit / words.count)
        // What is said less of one is room for another.
        _ = try table.perform(.set, "0", data: nil, by: player)
        _ = try table.perform(.set, "\(count)", data: words, by: player)
        _ = try table.perform(.delete, "1", data: nil, by: player)
        _ = try table.perform(.set, "\(count + 1)", data: words, by: player)
        #expect(throws: ObjectTable.Refusal.tooMany) {
            try table.perform(.set, "\(count + 2)", data: words, by: player)
        }
    }
}
