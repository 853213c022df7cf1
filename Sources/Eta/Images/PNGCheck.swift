import Base

/// Why bytes are not accepted as an image; the words end "the file …".
enum PNGProblem: Error, Equatable {
    /// They are of another kind.
    case noPNG
    /// A chunk is cut, or what follows it is none.
    case broken(at: Int)
    /// A chunk's bytes are not those that were written.
    case wrongSum(at: Int)
    /// What the header says there cannot be.
    case badHeader
    /// It is larger than allowed, in pixels.
    case tooLarge(width: UInt32, height: UInt32)
    /// Chunks are missing, twice there, or in another order than they may be.
    case badOrder
    /// A chunk that has to be understood, and that no reader knows.
    case unknownChunk
    /// Something follows the image.
    case trailingBytes

    /// What is wrong, for `details`.
    var message: String {
        switch self {
        case .noPNG: "must be a PNG"
        case .broken(let offset): "is broken at byte \(offset)"
        case .wrongSum(let offset): "has a wrong CRC at byte \(offset)"
        case .badHeader: "has a header that makes no sense"
        case .tooLarge(let width, let height):
            "has \(width) × \(height) pixels, more than \(PNGCheck.largestSide) a side"
        case .badOrder: "has not the chunks of a PNG in their order"
        case .unknownChunk: "has a chunk that nobody knows"
        case .trailingBytes: "has something behind the image"
        }
    }
}

/// Looks through a PNG as its specification (W3C, third edition, §5 and §11) has it: signature, the
/// header's values, each chunk's length and CRC, and their order. The pixels are not unpacked.
///
/// A file that passes is an image and nothing else: it ends where the image ends.
struct PNGCheck {
    /// Pixels of width or height.
    static let largestSide: UInt32 = 4_096

    /// Signature of every PNG.
    private static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    /// Length, type and CRC of a chunk.
    private static let overhead = 12

    private enum Kind: UInt32 {
        case header = 0x4948_4452
        case palette = 0x504C_5445
        case data = 0x4944_4154
        case end = 0x4945_4E44
    }

    private let bytes: [UInt8]
    private var offset: Int
    private var colour: UInt8 = 0
    private var depth: UInt8 = 0
    private var hasPalette = false
    private var hasData = false
    /// Other chunks have followed the data: no more data may.
    private var isDataOver = false

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
        offset = Self.signature.count
    }

    /// Checks all of `bytes`.
    static func check(_ bytes: [UInt8]) throws(PNGProblem) {
        guard bytes.starts(with: signature) else { throw .noPNG }
        var check = PNGCheck(bytes)
        try check.header()
        while try check.chunk() {}
        guard check.offset == bytes.count else { throw .trailingBytes }
    }

    /// The chunk at the offset: its type, where its data stands. The offset goes behind it.
    private mutating func next() throws(PNGProblem) -> (type: UInt32, data: Range<Int>) {
        let start = offset
        guard bytes.count - start >= Self.overhead else { throw .broken(at: start) }
        let length = Int(number(at: start))
        guard length <= bytes.count - start - Self.overhead else { throw .broken(at: start) }
        let data = start + 8..<start + 8 + length
        guard CRC32.of(bytes[start + 4..<data.upperBound]) == number(at: data.upperBound) else {
            throw .wrongSum(at: start)
        }
        offset = data.upperBound + 4
        return (number(at: start + 4), data)
    }

    private mutating func header() throws(PNGProblem) {
        let (type, data) = try next()
        guard Kind(rawValue: type) == .header, data.count == 13 else { throw .badHeader }
        let start = data.lowerBound
        let (width, height) = (number(at: start), number(at: start + 4))
        (depth, colour) = (bytes[start + 8], bytes[start + 9])
        let isSound =
            switch colour {
            case 0: [1, 2, 4, 8, 16].contains(depth)
            case 3: [1, 2, 4, 8].contains(depth)
            case 2, 4, 6: depth == 8 || depth == 16
            case _: false
            }
        // Compression, filter, and two ways of interlacing.
        guard isSound, bytes[start + 10] == 0, bytes[start + 11] == 0, bytes[start + 12] <= 1,
            width > 0, height > 0, width <= Int32.max, height <= Int32.max
        else { throw .badHeader }
        guard width <= Self.largestSide, height <= Self.largestSide else {
            throw .tooLarge(width: width, height: height)
        }
    }

    /// Takes one more chunk; false when it was the last.
    private mutating func chunk() throws(PNGProblem) -> Bool {
        let (type, data) = try next()
        switch Kind(rawValue: type) {
        case .header: throw .badOrder
        case .palette:
            let entries = data.count / 3
            guard !hasPalette, !hasData, colour != 0, colour != 4, data.count % 3 == 0,
                (1...256).contains(entries), colour != 3 || entries <= 1 << Int(depth)
            else { throw .badOrder }
            hasPalette = true
        case .data:
            guard !isDataOver, colour != 3 || hasPalette else { throw .badOrder }
            hasData = true
        case .end:
            guard hasData, data.isEmpty else { throw .badOrder }
            return false
        case nil:
            if hasData { isDataOver = true }
            guard try isSkippable(type) else { throw .unknownChunk }
        }
        return true
    }

    /// Whether a chunk of that type may be passed over: four letters, the first of which is small.
    private func isSkippable(_ type: UInt32) throws(PNGProblem) -> Bool {
        for shift in [24, 16, 8, 0] as [UInt32] {
            guard (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(UInt8(type >> shift & 0xDF))
            else { throw .broken(at: offset) }
        }
        return type >> 24 & 0x20 != 0
    }

    private func number(at place: Int) -> UInt32 {
        bytes[place..<place + 4].reduce(0) { $0 << 8 | UInt32($1) }
    }
}
