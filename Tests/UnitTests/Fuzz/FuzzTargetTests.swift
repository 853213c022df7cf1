import Base
import Support
import Testing

/// Every parser and machine holds its rules under bytes that nobody meant: samples are mutated by
/// a seeded generator. `./cluster/test fuzz` does the same for hours, guided by coverage.
struct FuzzTargetTests {
    static let seed: UInt64 = 20_261_120

    @Test(arguments: FuzzTarget.all.map(\.name))
    func `a target holds its rules under mutations of its samples`(name: String) throws {
        let target = try #require(FuzzTarget.all.first { $0.name == name })
        var mutator = Mutator(seed: Self.seed)
        for sample in target.samples { target.run(Array(sample.utf8)) }
        for _ in 0..<4_000 { target.run(mutator.input(from: target.samples)) }
    }

    @Test func `the canary is found, so mutations do find something`() async {
        await #expect(processExitsWith: .failure) {
            var mutator = Mutator(seed: Self.seed)
            for _ in 0..<200_000 { FuzzTarget.canary.run(mutator.input(from: ["a canary sings"])) }
        }
    }
}

/// Changes, inserts, removes, repeats and joins; most often a little, sometimes much.
struct Mutator {
    let random: SeededRandom

    init(seed: UInt64) { random = SeededRandom(seed: seed) }

    mutating func input(from samples: [String]) -> [UInt8] {
        var bytes = Array(samples[random.next(below: samples.count)].utf8)
        for _ in 0...random.next(below: 8) {
            let at = random.next(below: bytes.count + 1)
            switch random.next(below: 6) {
            case 0: bytes.insert(UInt8(random.next(below: 256)), at: at)
            case 1 where at < bytes.count: bytes.remove(at: at)
            case 2 where at < bytes.count: bytes[at] ^= 1 << UInt8(random.next(below: 8))
            case 3: bytes.insert(contentsOf: bytes.suffix(random.next(below: 16)), at: at)
            case 4: bytes.removeSubrange(at..<min(at + random.next(below: 8), bytes.count))
            case 5 where at < bytes.count: bytes[at] = UInt8(random.next(below: 256))
            default: bytes += Array(samples[random.next(below: samples.count)].utf8)
            }
        }
        return bytes
    }
}
