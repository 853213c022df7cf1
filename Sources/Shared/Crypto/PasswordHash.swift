import Base
import COpenSSL

/// Passwords by scrypt, RFC 7914, with r = 8 and p = 3.
///
/// Takes a quarter of a second of a core, and 32 MiB, at N = 2^15: for `BlockingPool` alone.
public enum PasswordHash {
    /// What a password is, compared with a stored hash.
    public enum Verification: Sendable, Equatable {
        /// Another one, or no hash at all.
        case wrong
        /// The right one.
        case right
        /// The right one, but the hash is weaker than what is wanted now: store a new one.
        case rightButRehash
    }

    /// The least cost that the contract allows, and the most that a stored hash may ask for.
    public static let logNRange = 15...20
    private static let blockSize: UInt32 = 8
    private static let lanes: UInt32 = 3
    private static let saltLength = 16
    private static let hashLength = 32

    /// A hash to store, with a fresh salt: `$scrypt$ln=15,r=8,p=3$salt$hash`, base64url.
    public static func make(
        _ password: Secret, logN: Int, random: any RandomSource = SystemRandom()
    ) -> String {
        let salt = random.bytes(saltLength)
        let cost = Cost(logN: logN, r: blockSize, p: lanes)
        guard let hash = derive(password, salt: salt, cost: cost, length: hashLength) else {
            preconditionFailure("scrypt refuses N = 2^\(logN)")
        }
        return "$scrypt$ln=\(logN),r=\(blockSize),p=\(lanes)$"
            + Base64.encodeURL(salt) + "$" + Base64.encodeURL(hash)
    }

    /// Compares a password with what is stored, and with nothing at the same cost when there is
    /// no such user, so that the time does not tell which names exist.
    ///
    /// - Parameter logN: what new hashes are made with.
    public static func verify(
        _ password: Secret, against encoded: String?, logN: Int
    ) -> Verification {
        guard let encoded, let stored = Stored(encoded) else {
            let cost = Cost(logN: logN, r: blockSize, p: lanes)
            let salt = [UInt8](repeating: 0, count: saltLength)
            _ = derive(password, salt: salt, cost: cost, length: hashLength)
            return .wrong
        }
        let hash = derive(
            password, salt: stored.salt, cost: stored.cost, length: stored.hash.count)
        guard let hash, constantTimeEqual(hash, stored.hash) else { return .wrong }
        let isStrong =
            stored.cost.logN >= logN && stored.cost.r >= blockSize
            && stored.cost.p >= lanes && stored.hash.count >= hashLength
        return isStrong ? .right : .rightButRehash
    }

    struct Cost: Equatable {
        let logN: Int
        let r: UInt32
        let p: UInt32
    }

    /// An encoded hash taken apart; what would cost without bound is none.
    private struct Stored {
        let cost: Cost
        let salt: [UInt8]
        let hash: [UInt8]

        init?(_ encoded: String) {
            let parts = encoded.split(separator: "$", omittingEmptySubsequences: false)
            guard parts.count == 5, parts[0].isEmpty, parts[1] == "scrypt",
                let salt = Base64.decodeURL(parts[3]), let hash = Base64.decodeURL(parts[4]),
                !salt.isEmpty, (16...64).contains(hash.count)
            else { return nil }
            let names = ["ln=", "r=", "p="]
            var numbers: [UInt32] = []
            for (field, name) in zip(parts[2].split(separator: ","), names) {
                guard field.hasPrefix(name), let number = UInt32(field.dropFirst(name.count)) else {
                    return nil
                }
                numbers.append(number)
            }
            guard numbers.count == 3, (1...20).contains(numbers[0]),
                (1...16).contains(numbers[1]), (1...16).contains(numbers[2])
            else { return nil }
            cost = Cost(logN: Int(numbers[0]), r: numbers[1], p: numbers[2])
            self.salt = salt
            self.hash = hash
        }
    }

    // SAFETY: the buffers outlive the one call that they are lent to.
    static func derive(_ password: Secret, salt: [UInt8], cost: Cost, length: Int) -> [UInt8]? {
        let n = UInt64(1) << UInt64(cost.logN)
        // 128·r·N bytes for the table, 128·r·p for the lanes, and some room.
        let memory = 128 * UInt64(cost.r) * (n + UInt64(cost.p) + 4)
        let password = password.reveal()
        var out = [UInt8](repeating: 0, count: length)
        defer { ERR_clear_error() }
        let done = unsafe password.withUnsafeBytes { password in
            unsafe EVP_PBE_scrypt(
                password.baseAddress?.assumingMemoryBound(to: CChar.self), password.count,
                salt, salt.count, n, UInt64(cost.r), UInt64(cost.p), memory, &out, length)
        }
        return done == 1 ? out : nil
    }
}
