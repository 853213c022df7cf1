import API
import Base
import Crypto
import Domain

/// What the asker of a challenge signs, docs/federation §4. It names both ends, so that a proof
/// for one node is worthless at another.
public enum ChallengeText {
    /// How many bytes a nonce has.
    public static let nonceLength = 32

    /// The signed bytes.
    public static func bytes(
        id: ChallengeID, nonce: String, asker: ServerAddress, asked: ServerAddress
    ) -> [UInt8] {
        Array("avr-challenge:1\n\(id)\n\(nonce)\n\(asker)\n\(asked)".utf8)
    }

    /// The asker's side: the proof for a challenge that `asked` gave; nil when the challenge is
    /// none that a node should sign: for another address, or without 32 bytes of nonce.
    public static func prove(
        _ challenge: ChallengeAPI.Nonce, asker: ServerAddress, asked: ServerAddress,
        key: Ed25519PrivateKey
    ) -> ChallengeAPI.Proof? {
        guard challenge.server == asker,
            Base64.decodeURL(challenge.nonce)?.count == nonceLength
        else { return nil }
        let signed = bytes(
            id: challenge.id, nonce: challenge.nonce, asker: asker, asked: asked)
        return ChallengeAPI.Proof(
            key: key.publicKey.id, signature: Base64.encodeURL(key.sign(signed)))
    }

    /// The asked side: whether `proof` is that of the challenge's node by `key`.
    public static func holds(
        _ proof: ChallengeAPI.Proof, of challenge: ChallengeAPI.Nonce, by key: Ed25519PublicKey,
        asked: ServerAddress
    ) -> Bool {
        guard proof.key == key.id, let signature = Base64.decodeURL(proof.signature) else {
            return false
        }
        return key.verify(
            signature,
            of: bytes(
                id: challenge.id, nonce: challenge.nonce, asker: challenge.server, asked: asked))
    }
}
