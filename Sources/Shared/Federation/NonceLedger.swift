import Base

/// In which window a signed request counts, and how long its nonce has to be remembered,
/// docs/federation §5. The memory itself is Eta's, so that it outlives restarts and is one for all
/// gateways of the node.
public enum NonceLedger {
    /// How far the clocks of two nodes may be apart.
    public static let tolerance = Duration.seconds(60)
    /// How long after it was made a signature may count at the most.
    public static let lifetime = Duration.seconds(60)
    /// Bytes of a nonce.
    public static let nonceLength = 16

    /// Whether a request made at `created` that counts until `expires` counts now.
    public static func counts(created: Timestamp, expires: Timestamp, now: Timestamp) -> Bool {
        expires > created && expires - created <= lifetime
            && created <= now + tolerance && created >= now - tolerance && expires >= now
    }

    /// Until when the nonce is remembered: beyond the moment after which the window refuses it,
    /// by the distance that the clocks of a node's own processes may have.
    public static func remembered(until expires: Timestamp) -> Timestamp {
        expires + .seconds(10)
    }
}
