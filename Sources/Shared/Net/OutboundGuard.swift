import Base

/// Where connections may go that others made us open (docs/federation §6). Asked for the address
/// that a name resolved to, and again for the one that was really connected to.
public struct OutboundGuard: Sendable, Hashable {
    private let allowed: [NetworkRange]
    private let allowsPort80: Bool

    /// Everything public, and the networks of `allowed`; port 80 only where peers without TLS are.
    public init(allowed: [NetworkRange] = [], insecurePeers: Bool = false) {
        self.allowed = allowed
        allowsPort80 = insecurePeers
    }

    /// Whether a connection may go there.
    public func allows(_ address: SocketAddress) -> Bool {
        guard address.port >= 1_024 || address.port == 443 || (allowsPort80 && address.port == 80)
        else { return false }
        if allowed.contains(where: { $0.contains(address.ip) }) { return true }
        return NetworkRange.isPublic(address.ip)
    }
}
