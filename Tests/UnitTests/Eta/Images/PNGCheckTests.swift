import Base
import Support
import Testing

@testable import Eta

/// What is taken for an image, and what only looks like one.
struct PNGCheckTests {
    private typealias Sample = PNGSample

    private func problem(_ bytes: [UInt8]) -> PNGProblem? {
        do throws(PNGProblem) {
            try PNGCheck.check(bytes)
            return nil
        } catch {
            return error
        }
    }

    private func made(_ chunks: [UInt8]...) -> [UInt8] { Sample.signature + chunks.joined() }

    @Test func `images are images, whoever wrote them`() {
        #expect(Sample.foreign.count == 70)
        #expect(problem(Sample.foreign) == nil)
        #expect(problem(Sample.image()) == nil)
        #expect(problem(Sample.image(4_096, 4_096)) == nil)
        #expect(CRC32.of(Array("123456789".utf8)) == 0xCBF4_3926)
    }

    @Test func `what is of another kind, cut, changed or longer is refused`() {
        let image = Sample.image()
        #expect(problem([]) == .noPNG && problem(Array("GIF89a".utf8)) == .noPNG)
        for length in 8..<image.count {
            #expect(problem(Array(image[..<length])) != nil, "\(length)")
        }
        // Every bit of it counts.
        for index in image.indices {
            for bit in 0..<8 {
                var changed = image
                changed[index] ^= 1 << UInt8(bit)
                #expect(problem(changed) != nil, "\(index) \(bit)")
            }
        }
        #expect(problem(image + [0]) == .trailingBytes)
        #expect(problem(image + Array("<script>".utf8)) == .trailingBytes)
        #expect(problem(Sample.signature) == .broken(at: 8))
    }

    @Test func `a header that makes no sense is refused`() {
        let rest = Sample.chunk("IDAT", [0]) + Sample.end
        for (depth, colours) in [
            (1, [0, 3]), (2, [0, 3]), (4, [0, 3]), (8, [0, 2, 3, 4, 6]), (16, [0, 2, 4, 6]),
        ] as [(UInt8, [UInt8])] {
            for colour in UInt8(0)...7 {
                let palette = colour == 3 ? Sample.chunk("PLTE", [1, 2, 3]) : []
                let header = Sample.header(1, 1, depth: depth, colour: colour)
                let isSound = problem(made(header, palette, rest)) == nil
                #expect(isSound == colours.contains(colour), "\(depth) \(colour)")
            }
        }
        for bad in [
            Sample.header(0, 1), Sample.header(1, 0), Sample.header(1 << 31, 1),
            Sample.header(1, 1, depth: 3), Sample.header(1, 1, tail: [1, 0, 0]),
            Sample.header(1, 1, tail: [0, 1, 0]), Sample.header(1, 1, tail: [0, 0, 2]),
            Sample.header(1, 1, tail: [0, 0]), Sample.header(1, 1, tail: [0, 0, 0, 0]),
            Sample.chunk("IDAT", [0]),
        ] { #expect(problem(made(bad, rest)) == .badHeader) }
        #expect(problem(Sample.image(4_097, 1)) == .tooLarge(width: 4_097, height: 1))
        #expect(problem(Sample.image(1, 70_000)) == .tooLarge(width: 1, height: 70_000))
    }

    @Test func `chunks come in their order, and those that count are known`() {
        let (header, data) = (Sample.header(1, 1, colour: 2), Sample.chunk("IDAT", [0]))
        let (palette, text) = (Sample.chunk("PLTE", [1, 2, 3]), Sample.chunk("teXt", [1]))
        for good in [
            made(header, data, Sample.end), made(header, palette, data, data, Sample.end),
            made(header, text, data, text, text, Sample.end),
        ] { #expect(problem(good) == nil) }
        for bad in [
            made(header, Sample.end), made(header, header, data, Sample.end),
            made(header, data, palette, Sample.end),
            made(header, palette, palette, data, Sample.end),
            made(header, data, text, data, Sample.end),
            made(header, Sample.chunk("PLTE", [1, 2]), data, Sample.end),
            made(header, Sample.chunk("PLTE", []), data, Sample.end),
            made(header, Sample.chunk("PLTE", [UInt8](repeating: 1, count: 771)), data, Sample.end),
            made(header, data, Sample.chunk("IEND", [0])),
            made(Sample.header(1, 1), palette, data, Sample.end),
            made(Sample.header(1, 1, depth: 1, colour: 3), data, Sample.end),
            made(
                Sample.header(1, 1, depth: 1, colour: 3),
                Sample.chunk("PLTE", [UInt8](repeating: 1, count: 9)), data, Sample.end),
        ] { #expect(problem(bad) == .badOrder) }
        #expect(
            problem(made(header, Sample.chunk("NEWW", [1]), data, Sample.end)) == .unknownChunk)
        #expect(problem(made(header, Sample.chunk("te1t", [1]), data, Sample.end)) != nil)
        #expect(problem(made(header, data)) != nil)
    }

    /// Whatever comes, the check ends, and takes nothing twice as long for twice as much.
    @Test func `bytes at random are looked through without harm`() {
        let random = SeededRandom(seed: 9)
        let types = ["IHDR", "PLTE", "IDAT", "IEND", "teXt", "tRNS", "ABCD", "\u{1}abc"]
        for _ in 0..<4_000 {
            var bytes = Sample.signature
            if random.next(below: 8) > 0 { bytes += Sample.header(2, 2, colour: 2) }
            for _ in 0..<random.next(below: 6) {
                bytes += Sample.chunk(
                    types[random.next(below: types.count)],
                    random.bytes(random.next(below: 12)))
            }
            if random.next(below: 2) == 0 { bytes += random.bytes(random.next(below: 20)) }
            if problem(bytes) == nil {
                #expect(bytes.suffix(12).elementsEqual(Sample.end))
            }
        }
    }
}
