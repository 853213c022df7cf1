import Base
import CLinux

/// Where bytes go: an IP address and a port.
public struct SocketAddress: Sendable, Hashable, CustomStringConvertible {
    /// The address.
    public let ip: IPAddress
    /// The port; 0 asks the system to choose one.
    public let port: UInt16

    /// An address made of both.
    public init(_ ip: IPAddress, port: UInt16) {
        self.ip = ip
        self.port = port
    }

    /// Reads `a.b.c.d:port` or `[v6]:port`; a name is for the `Resolver`.
    public init?(_ text: some StringProtocol) {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        let digits = text[text.index(after: colon)...]
        guard (1...5).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ (48...57).contains($0) }),
            let port = UInt16(digits)
        else { return nil }
        var host = text[..<colon]
        let bracketed = host.hasPrefix("[") && host.hasSuffix("]") && host.count > 2
        if bracketed { host = host.dropFirst().dropLast() }
        guard let ip = IPAddress(host), bracketed == (ip.width == 128) else { return nil }
        self.init(ip, port: port)
    }

    /// `a.b.c.d:port` or `[v6]:port`.
    public var description: String {
        switch ip {
        case .v4: "\(ip):\(port)"
        case .v6: "[\(ip)]:\(port)"
        }
    }

    init(_ raw: reileta_address) {
        ip =
            raw.v6 != 0
            ? .v6(high: raw.high, low: raw.low) : .v4(UInt32(truncatingIfNeeded: raw.low))
        port = raw.port
    }

    var raw: reileta_address {
        switch ip {
        case .v4(let number): reileta_address(high: 0, low: UInt64(number), port: port, v6: 0)
        case .v6(let high, let low): reileta_address(high: high, low: low, port: port, v6: 1)
        }
    }
}
