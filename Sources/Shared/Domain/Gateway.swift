import Base

/// Where a node's Reil is reached: what `redirect`, `AVR-Gateway` and a Server tell.
public struct Gateway: Sendable, Hashable, Codable {
    /// Whether it speaks TLS.
    public let secure: Bool
    /// Its address, which need not be the node's.
    public let address: ServerAddress

    /// The gateway at `address`.
    public init(secure: Bool, address: ServerAddress) {
        self.secure = secure
        self.address = address
    }

    /// Reads `{secure, address}`, and `{http, ws}` as the first AtelierVR servers wrote it.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if !container.contains(.address), container.contains(.http) {
            let url = try container.decode(WebURL.self, forKey: .http)
            self.init(secure: url.secure, address: url.server)
        } else {
            self.init(
                secure: try container.decode(Bool.self, forKey: .secure),
                address: try container.decode(ServerAddress.self, forKey: .address))
        }
    }

    /// Writes `{secure, address}`.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(secure, forKey: .secure)
        try container.encode(address, forKey: .address)
    }

    private enum CodingKeys: String, CodingKey { case secure, address, http }

    /// Reads the value of `AVR-Gateway`: `true example.org`.
    public init?(field: String) {
        let words = field.split(separator: " ")
        guard words.count == 2, let secure = Bool(String(words[0])),
            let address = ServerAddress(String(words[1]))
        else { return nil }
        self.init(secure: secure, address: address)
    }

    /// The value of `AVR-Gateway`.
    public var field: String { "\(secure) \(address)" }

    /// The same as origins of HTTP and WebSocket.
    public var origins: GatewayOrigins {
        let authority = address.authority(secure: secure)
        return GatewayOrigins(
            http: (secure ? "https://" : "http://") + authority,
            ws: (secure ? "wss://" : "ws://") + authority)
    }

    /// The URL of a path at this gateway.
    public func url(_ path: String) -> WebURL {
        WebURL(secure: secure, server: address, path: path)
    }
}

/// A gateway as the first AtelierVR clients read it.
public struct GatewayOrigins: Sendable, Hashable, Codable {
    /// `https://example.org`
    public let http: String
    /// `wss://example.org`
    public let ws: String

    /// These two origins.
    public init(http: String, ws: String) {
        self.http = http
        self.ws = ws
    }
}
