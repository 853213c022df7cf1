import Base

/// A node's address, `host[:port]`: normalised when it is made, so equality is identity of a node.
///
/// Federation §1: lower case, `:443` omitted and any other port written out, IPv6 in brackets in
/// the spelling of RFC 5952, no path, no user info. Names in other scripts have to come in their
/// IDNA A-label form (`xn--…`): what is not ASCII is refused, since the mapping that IDNA asks for
/// needs tables that we do not carry, and half of it would make two nodes of one name.
public struct ServerAddress: TextScalar, Comparable {
    /// What a host is.
    public enum Host: Sendable, Hashable {
        /// A name to look up.
        case name(String)
        /// An address as it stands.
        case address(IPAddress)
    }

    /// The normalised spelling.
    public let text: String
    /// Where the port begins in `text`, or its end.
    private let hostLength: Int
    /// The port to connect to, 443 where none is written.
    public let port: UInt16

    /// Normalises `text`; nil when it is no address.
    public init?(_ text: String) {
        // The longest name, and a port: 253 + 6 (RFC 1035 §2.3.4).
        guard text.utf8.count <= 259 else { return nil }
        let bytes = Array(text.utf8)
        var host: String
        var rest: ArraySlice<UInt8>
        if bytes.first == UInt8(ascii: "[") {
            guard let end = bytes.firstIndex(of: UInt8(ascii: "]")),
                let literal = String(validating: bytes[1..<end], as: UTF8.self),
                let address = IPAddress(literal), case .v6 = address
            else { return nil }
            host = "[\(address)]"
            rest = bytes[(end + 1)...]
        } else {
            let end = bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.endIndex
            guard let name = Self.normalisedName(bytes[..<end]) else { return nil }
            host = name
            rest = bytes[end...]
        }
        var port: UInt16 = 443
        if !rest.isEmpty {
            guard rest.removeFirst() == UInt8(ascii: ":"), let number = Self.port(rest) else {
                return nil
            }
            port = number
        }
        hostLength = host.utf8.count
        if port != 443 { host += ":\(port)" }
        self.text = host
        self.port = port
    }

    /// The host as it stands in `text`, IPv6 in its brackets.
    public var hostText: String { String(decoding: text.utf8.prefix(hostLength), as: UTF8.self) }

    /// The host, to look up or to connect to.
    public var host: Host {
        let host = hostText
        if host.utf8.first == UInt8(ascii: "[") {
            return .address(known(IPAddress(String(host.dropFirst().dropLast())), host))
        }
        return IPAddress(host).map(Host.address) ?? .name(host)
    }

    /// How a URL or a `Host` field writes it: without the scheme's own port, with any other.
    public func authority(secure: Bool) -> String {
        if secure { return text }
        return port == 80 ? hostText : "\(hostText):\(port)"
    }

    /// By spelling.
    public static func < (a: ServerAddress, b: ServerAddress) -> Bool { a.text < b.text }

    /// The node that an id (`x@address`) and a query (`?server=`) agree on; nil where neither says
    /// one, or where it is `home` itself. Error 29 when they differ.
    public static func agreed(
        _ inID: ServerAddress?, _ inQuery: ServerAddress?, home: ServerAddress
    ) throws(APIError) -> ServerAddress? {
        if let inID, let inQuery, inID != inQuery {
            throw APIError(
                .serverInvalidInput,
                details: [
                    FieldProblem(
                        field: "server", message: "names another server than the id does")
                ])
        }
        let server = inID ?? inQuery
        return server == home ? nil : server
    }

    /// A host and perhaps a port.
    public static let shape = TextShape(
        1...259, .own, expectation: "a server address, host or host:port, without path or scheme",
        sample: "example.org")

    /// Letters, digits and inner hyphens, RFC 1123 §2.1, in lower case; or a dotted quad.
    private static func normalisedName(_ bytes: ArraySlice<UInt8>) -> String? {
        guard (1...253).contains(bytes.count) else { return nil }
        var name: [UInt8] = []
        name.reserveCapacity(bytes.count)
        for label in bytes.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false) {
            guard (1...63).contains(label.count), label.first != UInt8(ascii: "-"),
                label.last != UInt8(ascii: "-")
            else { return nil }
            if !name.isEmpty { name.append(UInt8(ascii: ".")) }
            for byte in label {
                guard allowed.contains(byte) else { return nil }
                name.append(ASCIISet.upper.contains(byte) ? byte | 0x20 : byte)
            }
        }
        let text = String(decoding: name, as: UTF8.self)
        // Resolvers take `1.2`, `0x7f.1` or `127.1` for addresses of IPv4 (inet_aton): what ends
        // like one must be one, in the one spelling that has no two readings.
        let last = name[((name.lastIndex(of: UInt8(ascii: ".")) ?? -1) + 1)...]
        if last.allSatisfy(ASCIISet.digits.contains) || last.starts(with: Array("0x".utf8)) {
            guard case .v4(let value)? = IPAddress(text), "\(IPAddress.v4(value))" == text else {
                return nil
            }
        }
        return text
    }

    private static let allowed = ASCIISet.letters + .digits + ASCIISet("-")

    private static func port(_ digits: ArraySlice<UInt8>) -> UInt16? {
        guard (1...5).contains(digits.count), digits.first != UInt8(ascii: "0"),
            digits.allSatisfy(ASCIISet.digits.contains)
        else { return nil }
        return UInt16(String(decoding: digits, as: UTF8.self))
    }
}
