import API
import Base
import Crypto
import Domain
import Testing

@testable import Federation

/// When a key of another node is believed, docs/federation §2, as a table.
struct KeyTrustTests {
    private static let now = SignedDraft.now
    private static let week = Duration.seconds(7 * 86_400)
    private static let far = now + .seconds(1_000_000_000)

    private func listed(_ numbers: UInt8..., until end: Timestamp = far) -> [DiscoveryDocument.Key]
    {
        numbers.map {
            DiscoveryDocument.Key(
                key: SignedDraft.pair($0).publicKey, createdAt: Self.now, expiresAt: end)
        }
    }

    private func known(
        _ number: UInt8, trusted: Timestamp = now, until end: Timestamp = far
    ) throws -> RegistryAPI.KnownKey {
        let text = try #require(NodeKeyText(bytes: SignedDraft.pair(number).publicKey.bytes))
        return RegistryAPI.KnownKey(
            key: text, seenAt: Self.now - Self.week, trustedAt: trusted, expiresAt: end)
    }

    private func judge(
        _ known: [RegistryAPI.KnownKey], _ document: [DiscoveryDocument.Key],
        wasSecure: Bool = true, overTLS: Bool = true, allowsInsecure: Bool = false,
        at moment: Timestamp = now
    ) -> KeyTrust.Judgement {
        KeyTrust.judge(
            known: known, wasSecure: wasSecure, document: document, overTLS: overTLS,
            allowsInsecure: allowsInsecure, now: moment)
    }

    @Test func `a node never seen is believed by TLS, without only where that is allowed`() {
        let first = judge([], listed(1, 2), wasSecure: false)
        #expect(first.isAccepted)
        #expect(first.keys.map(\.trustedAt) == [Self.now, Self.now])
        #expect(first.introduced.count == 2)
        #expect(!judge([], listed(1), wasSecure: false, overTLS: false).isAccepted)
        #expect(
            judge([], listed(1), wasSecure: false, overTLS: false, allowsInsecure: true).isAccepted)
    }

    @Test func `a node seen over https is never believed without`() throws {
        let known = [try known(1)]
        let judgement = judge(known, listed(1), overTLS: false, allowsInsecure: true)
        #expect(!judgement.isAccepted)
        #expect(judgement.keys == known)
    }

    @Test func `a known key vouches for a new one`() throws {
        let judgement = judge([try known(1)], listed(1, 2))
        #expect(judgement.isAccepted)
        #expect(judgement.introduced == [SignedDraft.pair(2).publicKey.id])
        #expect(judgement.keys.allSatisfy { $0.trustedAt <= Self.now })
    }

    @Test func `a key that is published no more is forgotten`() throws {
        let judgement = judge([try known(1), try known(2)], listed(2))
        #expect(judgement.isAccepted)
        #expect(judgement.keys.map(\.key.bytes) == [SignedDraft.pair(2).publicKey.bytes])
    }

    @Test func `a new key alone waits a week, and the old ones stay`() throws {
        let old = try known(1)
        let first = judge([old], listed(2))
        #expect(!first.isAccepted)
        #expect(first.keys.contains(old))
        let waiting = try #require(first.keys.first { $0 != old })
        #expect(waiting.trustedAt == Self.now + Self.week)
        // Seen again, it does not wait from the beginning.
        let again = judge(first.keys, listed(2), at: Self.now + .seconds(86_400))
        #expect(!again.isAccepted)
        #expect(again.keys.contains { $0.trustedAt == waiting.trustedAt })
        let last = judge(again.keys, listed(2), at: Self.now + Self.week)
        #expect(last.isAccepted)
        #expect(last.keys.count == 1)
    }

    @Test func `a document by the old keys has the new one forgotten that waited`() throws {
        let waiting = judge([try known(1)], listed(2)).keys
        let back = judge(waiting, listed(1))
        #expect(back.isAccepted)
        #expect(back.keys.count == 1)
        let again = judge(back.keys, listed(2), at: Self.now + Self.week)
        #expect(!again.isAccepted)
    }

    @Test func `a key that has run out, or waits, vouches for nothing`() throws {
        #expect(!judge([try known(1, until: Self.now)], listed(1, 2)).isAccepted)
        #expect(!judge([try known(1, trusted: Self.now + .seconds(1))], listed(1, 2)).isAccepted)
    }

    @Test func `strangers cannot push the known keys out`() throws {
        let old = try known(1)
        var keys = [old]
        for number in UInt8(2)...60 { keys = judge(keys, listed(number)).keys }
        #expect(keys.contains(old))
        #expect(keys.count <= 16)
    }
}
