import Glibc

/// Where randomness comes from. Only `SystemRandom` may make secrets.
public protocol RandomSource: Sendable {
    /// `count` bytes.
    func bytes(_ count: Int) -> [UInt8]
}

extension RandomSource {
    /// A uniform 64-bit number.
    public func next() -> UInt64 {
        bytes(8).reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// A uniform number in `0..<bound`; `bound` must be positive.
    public func next(below bound: Int) -> Int {
        Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }
}

/// The kernel's generator.
public struct SystemRandom: RandomSource {
    /// The kernel's generator.
    public init() {}

    // SAFETY: `getentropy` fills exactly the span it is given (at most 256 bytes a call).
    /// `count` bytes of the kernel's generator.
    public func bytes(_ count: Int) -> [UInt8] {
        var all = [UInt8](repeating: 0, count: count)
        unsafe all.withUnsafeMutableBytes { buffer in
            var start = 0
            while start < buffer.count {
                let length = min(256, buffer.count - start)
                let part = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: buffer[start..<start + length])
                let result = unsafe getentropy(part.baseAddress, length)
                precondition(result == 0, "the kernel gives no randomness")
                start += length
            }
        }
        return all
    }
}

/// The same numbers for the same seed (SplitMix64): for tests alone.
public final class SeededRandom: RandomSource {
    private let state: Lock<UInt64>

    /// A generator whose sequence `seed` decides.
    public init(seed: UInt64) { state = Lock(seed) }

    /// The next `count` bytes of the sequence, from whole numbers of it.
    public func bytes(_ count: Int) -> [UInt8] {
        state.withLock { state in
            var all: [UInt8] = []
            all.reserveCapacity(count + 8)
            while all.count < count {
                state &+= 0x9E37_79B9_7F4A_7C15
                var word = state
                word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
                word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
                word ^= word >> 31
                for shift in stride(from: 56, through: 0, by: -8) {
                    all.append(UInt8(truncatingIfNeeded: word >> UInt64(shift)))
                }
            }
            all.removeLast(all.count - count)
            return all
        }
    }
}
