import Base

/// A credential: one form for each kind, so that none can be taken for another.
///
/// It has no description and no hash of its own: it is looked up by the SHA-256 of its bytes, and
/// two are compared in constant time. It is Codable since some answers hand one out.
public protocol Token: Sendable, Equatable, Codable, JSONDescribed {
    /// Reads the kind's form; nil for any other.
    init?(_ text: String)
    /// The token itself; each use is a place to look at.
    var secret: Secret { get }
    /// What the form is.
    static var form: String { get }
    /// The form as a regular expression.
    static var pattern: String { get }
}

extension Token {
    /// The token itself, to be sent; never to be logged.
    public var text: String { String(decoding: secret.reveal(), as: UTF8.self) }
    /// The token's UTF-8: what is hashed and looked up.
    public var bytes: [UInt8] { secret.reveal() }

    /// A string of the form.
    public static var jsonSchema: JSONValue {
        ["type": "string", "pattern": .string(pattern), "description": .string(form)]
    }
    /// The form in words.
    public static var expectation: String { form }

    /// Reads a string and checks its form.
    public init(from decoder: any Decoder) throws {
        self = try decoder.checked { (raw: String) in Self(raw) }
    }

    /// Writes the token.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(text)
    }
}

/// What an opaque token is for; its prefix says so.
public protocol OpaqueTokenKind: Sendable {
    /// What stands before the 43 characters.
    static var prefix: String { get }
}

/// 256 random bits in base64url behind the prefix of their kind.
public struct OpaqueToken<Kind: OpaqueTokenKind>: Token {
    /// The token itself.
    public let secret: Secret

    /// A new one; `random` must be the system's.
    public static func make(random: some RandomSource) -> OpaqueToken {
        OpaqueToken(known: Kind.prefix + Base64.encodeURL(random.bytes(32)))
    }

    private init(known text: String) { secret = Secret(text) }

    /// Reads the prefix and 43 characters in their canonical spelling.
    public init?(_ text: String) {
        guard text.utf8.count == Kind.prefix.utf8.count + 43, text.hasPrefix(Kind.prefix),
            Base64.decodeURL(text.dropFirst(Kind.prefix.count)) != nil
        else { return nil }
        self.init(known: text)
    }

    /// Prefix and 43 characters.
    public static var form: String { "\(Kind.prefix) and 43 characters of base64url" }
    /// Prefix and 43 characters.
    public static var pattern: String { "^\(Kind.prefix)[A-Za-z0-9_-]{43}$" }
    /// One that nobody was given.
    public static var sample: OpaqueToken {
        OpaqueToken(known: Kind.prefix + String(repeating: "A", count: 43))
    }
}

/// Node to node.
public enum ServerTokenKind: OpaqueTokenKind {
    /// `avr_s_`
    public static var prefix: String { "avr_s_" }
}

/// Visiting user.
public enum IntegrityTokenKind: OpaqueTokenKind {
    /// `avr_i_`
    public static var prefix: String { "avr_i_" }
}

/// Instance server.
public enum InsTokenKind: OpaqueTokenKind {
    /// `avr_n_`
    public static var prefix: String { "avr_n_" }
}

/// Service.
public enum ServiceTokenKind: OpaqueTokenKind {
    /// `avr_v_`
    public static var prefix: String { "avr_v_" }
}

/// What a node shows another node after a challenge.
public typealias ServerToken = OpaqueToken<ServerTokenKind>
/// What a user shows a host that is not their home.
public typealias IntegrityToken = OpaqueToken<IntegrityTokenKind>
/// What an Ins shows a Reil.
public typealias InsToken = OpaqueToken<InsTokenKind>
/// What a service shows a Reil.
public typealias ServiceToken = OpaqueToken<ServiceTokenKind>

/// What a user shows their home: a JWT, of which only the outer form is known here.
public struct AccessToken: Token {
    /// The token itself.
    public let secret: Secret

    /// Reads three parts of base64url with dots between them, of at most 4 KiB.
    public init?(_ text: String) {
        guard CredentialForm.detect(text.utf8) == .access else { return nil }
        secret = Secret(text)
    }

    /// A JWT.
    public static let form = "a JSON Web Token"
    /// Three parts.
    public static let pattern = "^[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+$"
    /// One that nobody was given.
    public static var sample: AccessToken { known(AccessToken("e30.e30.AA"), "sample") }
}

/// What renews an access token: 256 random bits in hex.
public struct RefreshToken: Token {
    /// The token itself.
    public let secret: Secret

    /// A new one; `random` must be the system's.
    public static func make(random: some RandomSource) -> RefreshToken {
        RefreshToken(known: Hex.encode(random.bytes(32)))
    }

    private init(known text: String) { secret = Secret(text) }

    /// Reads 64 lower-case hex digits.
    public init?(_ text: String) {
        guard text.utf8.count == 64, text.utf8.allSatisfy(Self.digits.contains) else { return nil }
        self.init(known: text)
    }

    private static let digits = ASCIISet("0123456789abcdef")

    /// 64 hex digits.
    public static let form = "64 lower-case hex digits"
    /// 64 hex digits.
    public static let pattern = "^[0-9a-f]{64}$"
    /// One that nobody was given.
    public static var sample: RefreshToken {
        RefreshToken(known: String(repeating: "0", count: 64))
    }
}

/// Which kind of credential a text has the form of: what `Authorization` holds says so by itself.
public enum CredentialForm: Sendable, Hashable, CaseIterable {
    /// A JWT: a user of this node.
    case access
    /// `avr_s_`: another node.
    case server
    /// `avr_i_`: a user of another node.
    case integrity
    /// `avr_n_`: an Ins.
    case ins
    /// `avr_v_`: a service.
    case service

    /// Longer than any access token that Eta makes.
    private static let longestAccessToken = 4096

    /// What `bytes` must be if they are a node's at all, by their beginning alone: for who knows by
    /// their digest whether they are.
    public static func presume(_ bytes: Span<UInt8>) -> CredentialForm? {
        // A JSON object in base64 begins so.
        let isJWT =
            bytes.count > 49 && bytes.count <= longestAccessToken && bytes[0] == UInt8(ascii: "e")
            && bytes[1] == UInt8(ascii: "y") && bytes[2] == UInt8(ascii: "J")
        return isJWT ? .access : detect(bytes)
    }

    /// The form of `bytes`; nil when it is none of a node's.
    public static func detect(_ bytes: some Collection<UInt8>) -> CredentialForm? {
        detect(Array(bytes).span)
    }

    /// The form of `bytes`; nil when it is none of a node's. It allocates nothing: it runs for
    /// every request, before anything is believed.
    public static func detect(_ bytes: Span<UInt8>) -> CredentialForm? {
        guard bytes.count <= longestAccessToken else { return nil }
        let base64URL = base64URL
        if bytes.count == 49, bytes[0] == UInt8(ascii: "a"), bytes[1] == UInt8(ascii: "v"),
            bytes[2] == UInt8(ascii: "r"), bytes[3] == UInt8(ascii: "_")
        {
            guard bytes[5] == UInt8(ascii: "_") else { return nil }
            for index in 6..<49 where !base64URL.contains(bytes[index]) { return nil }
            // 43 characters are 258 bits: the last two must be zero to be the one spelling.
            guard lastOfFortyThree.contains(bytes[48]) else { return nil }
            switch bytes[4] {
            case UInt8(ascii: "s"): return .server
            case UInt8(ascii: "i"): return .integrity
            case UInt8(ascii: "n"): return .ins
            case UInt8(ascii: "v"): return .service
            case _: return nil
            }
        }
        var dots = 0
        var length = 0
        for index in 0..<bytes.count {
            let byte = bytes[index]
            if byte == UInt8(ascii: ".") {
                guard length > 0 else { return nil }
                dots += 1
                length = 0
            } else {
                guard base64URL.contains(byte) else { return nil }
                length += 1
            }
        }
        return dots == 2 && length > 0 ? .access : nil
    }

    private static let base64URL = ASCIISet.letters + .digits + ASCIISet("-_")
    private static let lastOfFortyThree = ASCIISet("AEIMQUYcgkosw048")
}
