import Base

/// An account's name: unique on its node without regard to case.
public struct Username: TextScalar {
    /// As it was chosen.
    public let text: String

    /// A letter, then 3 to 16 letters, digits and underscores.
    public init?(_ text: String) {
        guard Self.shape.accepts(text) else { return nil }
        self.text = text
    }

    /// What two names must not share.
    public var folded: String { text.lowercased() }

    /// `^[A-Za-z][A-Za-z0-9_]{3,16}$`
    public static let shape = TextShape(
        4...17, .ascii(any: .letters + .digits + ASCIISet("_"), first: .letters),
        pattern: "^[A-Za-z][A-Za-z0-9_]{3,16}$",
        expectation: "a letter and then 3 to 16 letters, digits or underscores", sample: "ada_l")
}

/// What others see as a user's name.
public struct DisplayName: TextScalar {
    /// As it was written.
    public let text: String

    /// 3 to 32 characters.
    public init?(_ text: String) {
        guard Self.shape.accepts(text) else { return nil }
        self.text = text
    }

    /// The username, which is always long enough, for who gave no other.
    public init(_ username: Username) { text = username.text }

    /// 3 to 32 characters on one line.
    public static let shape = TextShape(3...32, sample: "Ada")
}

/// What a user, a server or an instance says of itself.
public struct Description: TextScalar {
    /// As it was written.
    public let text: String

    /// At most 512 characters.
    public init?(_ text: String) {
        guard Self.shape.accepts(text) else { return nil }
        self.text = text
    }

    /// At most 512 characters on any number of lines.
    public static let shape = TextShape(0...512, .lines, sample: "")
    /// Nothing said.
    public static let empty = known(Description(""), "")
}

/// An object's name in a room.
public struct ObjectName: TextScalar {
    /// As it was written.
    public let text: String

    /// 1 to 64 letters, digits, `_`, `.`, `:` and `-`.
    public init?(_ text: String) {
        guard Self.shape.accepts(text) else { return nil }
        self.text = text
    }

    private static let characters = .letters + .digits + ASCIISet("_.:-")
    /// `^[A-Za-z0-9_.:-]{1,64}$`
    public static let shape = TextShape(
        1...64, .ascii(any: characters, first: characters), pattern: "^[A-Za-z0-9_.:-]{1,64}$",
        expectation: "1 to 64 letters, digits, _ . : or -", sample: "ball")
}

/// Why something was done to somebody.
public struct Reason: TextScalar {
    /// As it was written.
    public let text: String

    /// 1 to 512 characters.
    public init?(_ text: String) {
        guard Self.shape.accepts(text) else { return nil }
        self.text = text
    }

    /// 1 to 512 characters on any number of lines.
    public static let shape = TextShape(1...512, .lines, sample: "Too loud")
}

/// What is said of a world.
public struct WorldDescription: TextScalar {
    /// As it was written.
    public let text: String

    /// At most 1,024 characters.
    public init?(_ text: String) {
        guard Self.shape.accepts(text) else { return nil }
        self.text = text
    }

    /// At most 1,024 characters on any number of lines.
    public static let shape = TextShape(0...1024, .lines, sample: "")
}

/// A world's title.
public struct WorldTitle: TextScalar {
    /// As it was written.
    public let text: String

    /// 1 to 64 characters.
    public init?(_ text: String) {
        guard Self.shape.accepts(text) else { return nil }
        self.text = text
    }

    /// 1 to 64 characters on one line.
    public static let shape = TextShape(1...64, sample: "Atelier")
}

/// An instance's title.
public struct InstanceTitle: TextScalar {
    /// As it was written.
    public let text: String

    /// 1 to 64 characters.
    public init?(_ text: String) {
        guard Self.shape.accepts(text) else { return nil }
        self.text = text
    }

    /// 1 to 64 characters on one line.
    public static let shape = TextShape(1...64, sample: "Opening night")
}

/// A node's title.
public struct ServerTitle: TextScalar {
    /// As it was written.
    public let text: String

    /// 1 to 64 characters.
    public init?(_ text: String) {
        guard Self.shape.accepts(text) else { return nil }
        self.text = text
    }

    /// 1 to 64 characters on one line.
    public static let shape = TextShape(1...64, sample: "Reileta")
}

/// The version of a node's software.
public struct SoftwareVersion: TextScalar {
    /// As the node says it.
    public let text: String

    /// 1 to 64 characters.
    public init?(_ text: String) {
        guard Self.shape.accepts(text) else { return nil }
        self.text = text
    }

    /// 1 to 64 characters on one line.
    public static let shape = TextShape(1...64, sample: "1.0.0")
}

/// An instance's name, unique on its node; shorter than any id, so it is never one.
public struct InstanceName: TextScalar {
    /// Its one spelling.
    public let text: String

    /// 3 to 32 of `a-z`, `0-9`, `.`, `_`, `-`.
    public init?(_ text: String) {
        guard Self.shape.accepts(text) else { return nil }
        self.text = text
    }

    /// The name of an instance that was given none: 6 hex digits.
    public static func make(random: some RandomSource) -> InstanceName {
        let text = Hex.encode(random.bytes(3))
        return known(InstanceName(text), text)
    }

    /// `^[a-z0-9._-]{3,32}$`
    public static let shape = TextShape(
        3...32, .ascii(any: characters, first: characters), pattern: "^[a-z0-9._-]{3,32}$",
        expectation: "3 to 32 lower-case letters, digits, dots, underscores or hyphens",
        sample: "lobby")
    private static let characters = ASCIISet.lower + .digits + ASCIISet("._-")
}

/// An email address, as far as it can be told by looking at it.
public struct EmailAddress: TextScalar {
    /// As it was written.
    public let text: String

    /// One `@` with something on both sides, no blanks.
    public init?(_ text: String) {
        // By bytes: to Swift an `@` with an accent is another character.
        let parts = text.utf8.split(
            separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }), Self.shape.accepts(text),
            !text.unicodeScalars.contains(where: \.properties.isWhitespace)
        else { return nil }
        self.text = text
    }

    /// What two accounts must not share.
    public var folded: String { text.lowercased() }

    /// At most 254 characters.
    public static let shape = TextShape(
        3...254, pattern: "^[^@\\s]+@[^@\\s]+$",
        expectation: "an email address of at most 254 characters", sample: "ada@example.org")
}

/// Version, engine or platform of an asset.
public struct AssetLabel: TextScalar {
    /// Its one spelling.
    public let text: String

    /// 1 to 32 letters, digits, `.`, `_`, `+`, `-`.
    public init?(_ text: String) {
        guard Self.shape.accepts(text) else { return nil }
        self.text = text
    }

    /// `^[A-Za-z0-9._+-]{1,32}$`
    public static let shape = TextShape(
        1...32, .ascii(any: characters, first: characters), pattern: "^[A-Za-z0-9._+-]{1,32}$",
        expectation: "1 to 32 letters, digits, dots, underscores, plus signs or hyphens",
        sample: "1.0.0")
    private static let characters = ASCIISet.letters + .digits + ASCIISet("._+-")
}

/// What a list is searched for; empty finds everything.
public struct SearchText: TextScalar {
    /// As it was written.
    public let text: String

    /// At most 128 characters.
    public init?(_ text: String) {
        guard Self.shape.accepts(text) else { return nil }
        self.text = text
    }

    /// At most 128 characters.
    public static let shape = TextShape(0...128, .lines, sample: "")
}

/// The name of an Ins, as the operator or its owner chose it.
public struct InsName: TextScalar {
    /// Its one spelling.
    public let text: String

    /// 1 to 64 letters, digits, `.`, `_`, `-`.
    public init?(_ text: String) {
        guard Self.shape.accepts(text) else { return nil }
        self.text = text
    }

    /// `^[A-Za-z0-9._-]{1,64}$`
    public static let shape = TextShape(
        1...64, .ascii(any: characters, first: characters), pattern: "^[A-Za-z0-9._-]{1,64}$",
        expectation: "1 to 64 letters, digits, dots, underscores or hyphens", sample: "ins-1")
    private static let characters = ASCIISet.letters + .digits + ASCIISet("._-")
}

/// The SHA-256 of a file, in hex.
public struct ContentHash: TextScalar {
    /// 64 lower-case hex digits.
    public let text: String

    /// Reads 64 hex digits in either case.
    public init?(_ text: String) {
        guard text.utf8.count == 64, text.utf8.allSatisfy({ Hex.value($0) != nil }) else {
            return nil
        }
        self.text = text.lowercased()
    }

    /// The digest itself; nil when it is not of 32 bytes.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        text = Hex.encode(bytes)
    }

    /// The 32 bytes.
    public var bytes: [UInt8] { known(Hex.decode(text), text) }

    /// 64 hex digits.
    public static let shape = TextShape(
        64...64, .own, pattern: "^[0-9A-Fa-f]{64}$", expectation: "a SHA-256 in 64 hex digits",
        sample: String(repeating: "0", count: 64))
}

/// A node's public key for Ed25519, RFC 8032, in base64url; Crypto says whether it is a sound one.
public struct NodeKeyText: TextScalar {
    /// 43 characters.
    public let text: String

    /// Reads 32 bytes in base64url.
    public init?(_ text: String) {
        guard text.utf8.count == 43, Base64.decodeURL(text)?.count == 32 else { return nil }
        self.text = text
    }

    /// The key itself; nil when it is not of 32 bytes.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 32 else { return nil }
        text = Base64.encodeURL(bytes)
    }

    /// The 32 bytes.
    public var bytes: [UInt8] { known(Base64.decodeURL(text), text) }

    /// 43 characters of base64url.
    public static let shape = TextShape(
        43...43, .own, pattern: "^[A-Za-z0-9_-]{43}$",
        expectation: "an Ed25519 public key in 43 characters of base64url",
        sample: String(repeating: "A", count: 43))
}

/// The address of something on the web, `http` or `https`.
public struct WebURL: TextScalar {
    /// As it was written, the server's address normalised.
    public let text: String
    /// Whether it is https.
    public let secure: Bool
    /// Whose it is.
    public let server: ServerAddress
    /// What follows the address.
    public let path: String

    /// Reads scheme, address and path; no user info, no fragment, ASCII without blanks.
    public init?(_ text: String) {
        guard text.utf8.count <= 2048,
            text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "#") })
        else { return nil }
        let secure: Bool
        let rest: Substring
        if text.hasPrefix("https://") {
            (secure, rest) = (true, text.dropFirst(8))
        } else if text.hasPrefix("http://") {
            (secure, rest) = (false, text.dropFirst(7))
        } else {
            return nil
        }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        let authority = rest[..<end]
        // Without a port http means 80, which an address has to write out.
        let colon = authority.lastIndex(of: ":")
        let bare = colon.map { authority[$0...].contains("]") } ?? true
        guard let server = ServerAddress(authority + (bare && !secure ? ":80" : "")) else {
            return nil
        }
        self.init(secure: secure, server: server, path: String(rest[end...]))
    }

    /// That path on that server.
    public init(secure: Bool, server: ServerAddress, path: String) {
        self.secure = secure
        self.server = server
        self.path = path
        text = (secure ? "https://" : "http://") + server.authority(secure: secure) + path
    }

    /// At most 2,048 characters.
    public static let shape = TextShape(
        8...2048, .own, pattern: "^https?://[!-~]+$",
        expectation: "a URL with http or https of at most 2048 characters",
        sample: "https://example.org/icon.png")
}

/// The address of something on the web that can be trusted to come from there: `https` alone.
public struct SecureURL: TextScalar {
    /// The address.
    public let url: WebURL

    /// Reads a URL with https.
    public init?(_ text: String) {
        guard let url = WebURL(text), url.secure else { return nil }
        self.url = url
    }

    /// Its one spelling.
    public var text: String { url.text }

    /// At most 2,048 characters.
    public static let shape = TextShape(
        9...2048, .own, pattern: "^https://[!-~]+$",
        expectation: "a URL with https of at most 2048 characters",
        sample: "https://example.org/world.bin")
}
