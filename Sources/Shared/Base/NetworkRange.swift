/// A block of addresses in CIDR form, such as `10.0.0.0/8`.
public struct NetworkRange: Sendable, Hashable, CustomStringConvertible {
    /// The first address of the block.
    public let first: IPAddress
    /// How many leading bits all of the block share.
    public let prefix: Int

    /// Reads `address/bits`, or a bare address as a block of one. Bits set behind the prefix are
    /// refused: who writes `10.0.0.1/8` may mean either of two things.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let address = IPAddress(parts[0]) else { return nil }
        var prefix = address.width
        if parts.count == 2 {
            guard (1...3).contains(parts[1].utf8.count),
                parts[1].utf8.allSatisfy({ (48...57).contains($0) }),
                let bits = Int(parts[1]), bits <= address.width
            else { return nil }
            prefix = bits
        }
        guard Self.masked(address, prefix) == address else { return nil }
        (self.first, self.prefix) = (address, prefix)
    }

    /// The block of `prefix` leading bits that `address` lies in; not more bits than it has.
    init(around address: IPAddress, prefix: Int) {
        (first, self.prefix) = (Self.masked(address, prefix), prefix)
    }

    /// Whether `address` lies in the block. A v4-mapped address counts as the v4 address it means.
    public func contains(_ address: IPAddress) -> Bool {
        if Self.masked(address, prefix) == first { return true }
        let plain = address.unmapped
        return plain != address && Self.masked(plain, prefix) == first
    }

    /// The block in CIDR form.
    public var description: String { "\(first)/\(prefix)" }

    /// All that is not the public Internet: this network, private, shared (CGNAT), loopback,
    /// link-local with the clouds' metadata, protocol assignments, documentation, benchmarks,
    /// multicast, reserved; the address behind which Azure answers each of its machines; of v6 all but
    /// 2000::/3, which is all that is given out, and in it what wraps a v4 address (6to4, Teredo),
    /// behind which any of those may hide. From the special-purpose registries of RFC 6890.
    private static let notPublic: [NetworkRange] = [
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16",
        "168.63.129.16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "::/3", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "4000::/2", "8000::/1",
    ].map { text in
        guard let range = NetworkRange(text) else { preconditionFailure("no range: \(text)") }
        return range
    }

    /// Whether `address` belongs to the public Internet; a v4-mapped one is the v4 address it means.
    public static func isPublic(_ address: IPAddress) -> Bool {
        let plain = address.unmapped
        return !notPublic.contains { $0.contains(plain) }
    }

    private static func masked(_ address: IPAddress, _ prefix: Int) -> IPAddress {
        switch address {
        case .v4(let number): .v4(prefix >= 32 ? number : number & ~(UInt32.max >> prefix))
        case .v6(let high, let low):
            .v6(
                high: prefix >= 64 ? high : high & ~(UInt64.max >> prefix),
                low: prefix >= 128 ? low : low & ~(UInt64.max >> max(0, prefix - 64)))
        }
    }
}
