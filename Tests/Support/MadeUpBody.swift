import Base
import Crypto
import HTTP
import Synchronization

/// A body of any size that is made up as it is asked for, always the same for the same size.
public final class MadeUpBody: BodySource {
    private static let piece = SeededRandom(seed: 7).bytes(256 * 1_024)
    private let size: Int64
    private let sent: Atomic<Int64>
    private let failure: Int64?

    /// The bytes from `start` to `size`; with `failure` it breaks off behind that many.
    public init(_ size: Int64, from start: Int64 = 0, failingAt failure: Int64? = nil) {
        self.size = size
        self.failure = failure
        sent = Atomic(start)
    }

    /// How far it was asked for.
    public var position: Int64 { sent.load(ordering: .relaxed) }

    /// The next piece.
    public func next() async throws(BodyError) -> [UInt8]? {
        let at = sent.load(ordering: .relaxed)
        let end = min(size, failure ?? size)
        guard at < end else {
            if failure != nil { throw BodyError.failed }
            return nil
        }
        let offset = Int(at % Int64(Self.piece.count))
        let count = min(Self.piece.count - offset, Int(end - at))
        sent.store(at + Int64(count), ordering: .relaxed)
        return offset == 0 && count == Self.piece.count
            ? Self.piece : Array(Self.piece[offset..<offset + count])
    }

    /// The bytes in a range, for comparing.
    public static func bytes(_ range: Range<Int64>) -> [UInt8] {
        range.map { piece[Int($0 % Int64(piece.count))] }
    }

    /// The digest of that many.
    public static func digest(_ size: Int64) -> SHA256Digest {
        var hash = SHA256.Incremental()
        var left = size
        while left >= Int64(piece.count) {
            hash.update(piece)
            left -= Int64(piece.count)
        }
        hash.update(piece[..<Int(left)])
        return hash.finish()
    }
}
