import API
import Base
import Crypto
import Domain

/// When a key of another node is believed, docs/federation §2. Pure: what is known and what is
/// seen go in, what is known from now on comes out.
public enum KeyTrust {
    /// How long a key waits that no known key vouches for.
    public static let waitingTime = Duration.seconds(7 * 86_400)

    /// What follows from a document.
    public struct Judgement: Sendable, Equatable {
        /// Whether the document is believed.
        public let isAccepted: Bool
        /// What is to be remembered of the node's keys.
        public let keys: [RegistryAPI.KnownKey]
        /// Ids of the keys that were not known before; they wait where the document is refused.
        public let introduced: [String]
    }

    /// Judges a document whose signatures hold. `known`: what is remembered of the node's keys,
    /// empty for a node never seen; `wasSecure`: whether it was ever seen over https.
    ///
    /// A node seen for the first time is believed when TLS proved its host, or where the
    /// configuration allows to do without. Later one of the keys that count already has to have
    /// signed. Where none has, the document is refused, its keys wait, and count from the end of
    /// that time, unless a document by the old keys came meanwhile and had them forgotten.
    public static func judge(
        known: [RegistryAPI.KnownKey], wasSecure: Bool, document keys: [DiscoveryDocument.Key],
        overTLS: Bool, allowsInsecure: Bool, now: Timestamp
    ) -> Judgement {
        if !overTLS, wasSecure || !allowsInsecure {
            return Judgement(isAccepted: false, keys: known, introduced: [])
        }
        // A node of which every key has run out is still a known node.
        let isFirst = known.isEmpty
        func before(_ key: DiscoveryDocument.Key) -> RegistryAPI.KnownKey? {
            known.first { $0.key.bytes == key.key.bytes }
        }
        func counts(_ known: RegistryAPI.KnownKey) -> Bool {
            known.trustedAt <= now && known.expiresAt > now
        }
        let isVouchedFor = keys.contains { key in before(key).map(counts) ?? false }
        let isAccepted = isFirst || isVouchedFor
        let seen = keys.compactMap { key -> RegistryAPI.KnownKey? in
            guard let text = NodeKeyText(bytes: key.key.bytes) else { return nil }
            let old = before(key)
            return RegistryAPI.KnownKey(
                key: text, seenAt: old?.seenAt ?? now,
                trustedAt: isAccepted
                    ? min(old?.trustedAt ?? now, now)
                    : old.map { waits($0, now) ? $0.trustedAt : now + waitingTime }
                        ?? now + waitingTime,
                expiresAt: key.expiresAt)
        }
        let introduced = keys.filter { before($0) == nil }.map(\.key.id)
        if isAccepted { return Judgement(isAccepted: true, keys: seen, introduced: introduced) }
        // The old keys stay, whoever claims to be their owner.
        let others = known.filter { old in !seen.contains { $0.key == old.key } }
        return Judgement(
            isAccepted: false, keys: Array((others + seen).prefix(DiscoveryDocument.keyLimit)),
            introduced: introduced)
    }

    /// Whether a key that does not count now is one that waits, not one that has run out.
    private static func waits(_ known: RegistryAPI.KnownKey, _ now: Timestamp) -> Bool {
        known.expiresAt > now && known.trustedAt > now
    }
}
