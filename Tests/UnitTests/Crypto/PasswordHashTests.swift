import Base
import Crypto
import Testing

/// RFC 7914 through the encoded form, which is what is stored: the parameters stand in it, so that
/// they can be raised, and nothing in it can make a check cost without bound.
struct PasswordHashTests {
    static let logN = 4

    private func encoded(_ logN: Int, _ r: Int, _ p: Int, salt: String, hash: String) -> String {
        let salt = Base64.encodeURL(Array(salt.utf8))
        return "$scrypt$ln=\(logN),r=\(r),p=\(p)$\(salt)$"
            + Base64.encodeURL(Hex.decode(hash) ?? [])
    }

    @Test func `the examples of RFC 7914 are right, and to be made again stronger`() {
        let nacl = encoded(
            10, 8, 16, salt: "NaCl",
            hash: "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"
                + "2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640")
        #expect(PasswordHash.verify(Secret("password"), against: nacl, logN: 10) == .right)
        #expect(
            PasswordHash.verify(Secret("password"), against: nacl, logN: 11) == .rightButRehash)
        #expect(PasswordHash.verify(Secret("passwore"), against: nacl, logN: 10) == .wrong)
        let chloride = encoded(
            14, 8, 1, salt: "SodiumChloride",
            hash: "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
                + "d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887")
        #expect(
            PasswordHash.verify(Secret("pleaseletmein"), against: chloride, logN: 14)
                == .rightButRehash)
    }

    @Test func `a password fits its own hash alone`() {
        let hash = PasswordHash.make(Secret("correct horse"), logN: Self.logN)
        #expect(hash.hasPrefix("$scrypt$ln=4,r=8,p=3$"))
        #expect(PasswordHash.verify(Secret("correct horse"), against: hash, logN: 4) == .right)
        #expect(PasswordHash.verify(Secret("correct horse"), against: hash, logN: 3) == .right)
        #expect(
            PasswordHash.verify(Secret("correct horse"), against: hash, logN: 5)
                == .rightButRehash)
        #expect(PasswordHash.verify(Secret("correct horsf"), against: hash, logN: 4) == .wrong)
        #expect(PasswordHash.verify(Secret(""), against: hash, logN: 4) == .wrong)
    }

    @Test func `the same password never has the same hash`() {
        #expect(
            PasswordHash.make(Secret("twice"), logN: 4)
                != PasswordHash.make(Secret("twice"), logN: 4))
    }

    @Test func `every byte of a long password counts, and an empty one is one too`() {
        let long = String(repeating: "x", count: 10_000)
        for text in ["", "a", long, long + "y"] {
            let hash = PasswordHash.make(Secret(text), logN: 2)
            #expect(PasswordHash.verify(Secret(text), against: hash, logN: 2) == .right)
            #expect(PasswordHash.verify(Secret(text + "y"), against: hash, logN: 2) == .wrong)
            if !text.isEmpty {
                let shorter = Secret(String(text.dropLast()))
                #expect(PasswordHash.verify(shorter, against: hash, logN: 2) == .wrong)
            }
        }
    }

    @Test func `without a user the check is wrong, at the same cost`() {
        let hash = PasswordHash.make(Secret("known"), logN: 12)
        let clock = SystemClock()
        func time(_ encoded: String?) -> Duration {
            // The quickest of three: what else runs on the machine only ever adds.
            var best = Duration.seconds(60)
            for _ in 0..<3 {
                let start = clock.now()
                #expect(PasswordHash.verify(Secret("x"), against: encoded, logN: 12) == .wrong)
                best = min(best, clock.now() - start)
            }
            return best
        }
        let (known, unknown) = (time(hash), time(nil))
        #expect(unknown > known / 3)
        #expect(known > unknown / 3)
    }

    @Test(arguments: [
        "", "$", "plain", "$scrypt$ln=4,r=8,p=3$$", "$scrypt$ln=4,r=8$c2FsdA$aGFzaA",
        "$argon2$ln=4,r=8,p=3$AAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=40,r=8,p=3$AAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=4,r=8000,p=3$AAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=4,r=8,p=300$AAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=-4,r=8,p=3$AAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=4,r=8,p=3$A!AA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "$scrypt$ln=4,r=8,p=3$AAAA$",
        "$scrypt$ln=4,r=8,p=3$AAAA$AA",
    ])
    func `what is no hash fits nothing`(encoded: String) {
        #expect(PasswordHash.verify(Secret(""), against: encoded, logN: 2) == .wrong)
    }
}
