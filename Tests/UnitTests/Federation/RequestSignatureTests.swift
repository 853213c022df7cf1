import Base
import Crypto
import Domain
import Federation
import HTTP
import Support
import Testing

/// What proves a request of another node, docs/federation §5: the one profile, and no deviation.
struct RequestSignatureTests {
    static func verdict(_ text: String, now: Timestamp = SignedDraft.now) -> Bool {
        let transcript = ServerTranscript()
        transcript.receive(text)
        guard let head = transcript.heads.first, transcript.heads.count == 1,
            let start = text.firstRange(of: "\r\n\r\n")?.upperBound
        else { return false }
        do throws(RequestSignature.Refusal) {
            let claim = try RequestSignature.read(
                head, body: Array(text[start...].utf8), authorities: SignedDraft.gateways, now: now)
            return claim.holds(by: SignedDraft.pair(1).publicKey)
        } catch {
            return false
        }
    }

    /// By hand from RFC 9421 §2.5, and by the code: the same bytes.
    @Test func `a request in the profile holds`() {
        #expect(Self.verdict(SignedDraft().text))
        #expect(Self.verdict(SignedDraft.inQuery.text))
        var other = SignedDraft()
        other.label = "sig1"
        #expect(Self.verdict(other.text), "the label is the sender's affair")
        other = SignedDraft()
        other.parameters =
            ";tag=\"avr-s2s\";alg=\"ed25519\";keyid=\"\(other.keyID)\";nonce=\"\(other.nonce)\""
            + ";expires=1800000060;created=1800000000"
        #expect(Self.verdict(other.text), "so is the order of the parameters")
        other = SignedDraft()
        (other.host, other.authority) = ("gate.b.example:8443", "gate.b.example:8443")
        #expect(Self.verdict(other.text), "a gateway of the node is the node")
        other = SignedDraft()
        other.tamper = { $0.host = "B.Example:443" }
        #expect(Self.verdict(other.text), "another spelling of the same authority")
    }

    @Test(arguments: Deviation.all)
    func `any deviation is refused`(deviation: Deviation) {
        #expect(!Self.verdict(deviation.text))
    }

    @Test func `it counts for a minute on clocks a minute apart`() {
        let text = SignedDraft().text
        func at(_ seconds: Int64) -> Bool {
            Self.verdict(text, now: SignedDraft.now + .seconds(seconds))
        }
        #expect(at(-60) && at(0) && at(60))
        #expect(!at(-61) && !at(61))
    }

    @Test func `what the signer makes is what the verifier reads`() throws {
        for (target, body) in [("/api/users?q=a%20b", ""), ("/", "{}")] {
            let cut = target.split(separator: "?", maxSplits: 1)
            let digest = RequestSignature.digest(of: Array(body.utf8))
            let parts = RequestSignature.Parts(
                method: "POST", authority: "b.example", path: String(cut[0]),
                query: "?" + (cut.count > 1 ? cut[1] : ""), digest: digest,
                authorization: "Bearer \(SignedDraft.token)")
            let signed = RequestSignature.sign(
                parts, with: SignedDraft.pair(1), nonce: [UInt8](repeating: 7, count: 16),
                now: SignedDraft.now)
            let text =
                "POST \(target) HTTP/1.1\r\nHost: b.example\r\n"
                + "Authorization: Bearer \(SignedDraft.token)\r\nContent-Digest: \(digest)\r\n"
                + "Signature-Input: \(signed.input)\r\nSignature: \(signed.signature)\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
            #expect(Self.verdict(text))
        }
    }

    /// Random changes of one byte in what is signed: none may hold but another spelling in case.
    @Test func `no changed byte is overlooked`() {
        let text = SignedDraft().text
        let good = Array(text.utf8)
        // How the message is framed is not signed: its parts are.
        var open: Set<Int> = []
        for name in [" HTTP/1.1", "Content-Type: application/json", "Content-Length: 59"] {
            guard let range = text.utf8.firstRange(of: Array(name.utf8)) else { continue }
            let start = text.utf8.distance(from: text.startIndex, to: range.lowerBound)
            open.formUnion(start..<(start + name.utf8.count))
        }
        #expect(open.count == 57)
        var random = SeededGenerator(seed: 11)
        for _ in 0..<4_000 {
            let index = Int.random(in: 0..<good.count, using: &random)
            var bytes = good
            bytes[index] = UInt8.random(in: 33...126, using: &random)
            let changed = String(decoding: bytes, as: UTF8.self)
            if open.contains(index) || changed.lowercased() == text.lowercased() { continue }
            #expect(!Self.verdict(changed), "\(index)")
        }
    }
}

/// Swift's own generators cannot be seeded.
struct SeededGenerator: RandomNumberGenerator {
    private let source: SeededRandom
    init(seed: UInt64) { source = SeededRandom(seed: seed) }
    mutating func next() -> UInt64 { source.next() }
}
