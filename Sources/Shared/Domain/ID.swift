import Base

/// What an identifier names; its prefix tells it from all others.
public protocol IDKind: Sendable {
    /// The letter in front of the underscore.
    static var prefix: Unicode.Scalar { get }
    /// The word for it in texts for people, with its article.
    static var noun: String { get }
}

/// A user's account.
public enum UserKind: IDKind {
    /// `u_`
    public static var prefix: Unicode.Scalar { "u" }
    /// user
    public static var noun: String { "a user" }
}

/// A world of the catalogue.
public enum WorldKind: IDKind {
    /// `w_`
    public static var prefix: Unicode.Scalar { "w" }
    /// world
    public static var noun: String { "a world" }
}

/// One build of a world.
public enum AssetKind: IDKind {
    /// `f_`
    public static var prefix: Unicode.Scalar { "f" }
    /// asset
    public static var noun: String { "an asset" }
}

/// A live run of a world.
public enum InstanceKind: IDKind {
    /// `i_`
    public static var prefix: Unicode.Scalar { "i" }
    /// instance
    public static var noun: String { "an instance" }
}

/// A user's presence in one instance.
public enum PlayerKind: IDKind {
    /// `p_`
    public static var prefix: Unicode.Scalar { "p" }
    /// player
    public static var noun: String { "a player" }
}

/// One login.
public enum SessionKind: IDKind {
    /// `s_`
    public static var prefix: Unicode.Scalar { "s" }
    /// session
    public static var noun: String { "a session" }
}

/// One proof of an address.
public enum ChallengeKind: IDKind {
    /// `c_`
    public static var prefix: Unicode.Scalar { "c" }
    /// challenge
    public static var noun: String { "a challenge" }
}

/// One grant to a visitor.
public enum IntegrityKind: IDKind {
    /// `t_`
    public static var prefix: Unicode.Scalar { "t" }
    /// integrity
    public static var noun: String { "an integrity" }
}

/// A node.
public enum NodeKind: IDKind {
    /// `n_`
    public static var prefix: Unicode.Scalar { "n" }
    /// node
    public static var noun: String { "a node" }
}

/// Names a user of this node.
public typealias UserID = ID<UserKind>
/// Names a world of this node.
public typealias WorldID = ID<WorldKind>
/// Names an asset.
public typealias AssetID = ID<AssetKind>
/// Names an instance.
public typealias InstanceID = ID<InstanceKind>
/// Names a player.
public typealias PlayerID = ID<PlayerKind>
/// Names a session.
public typealias SessionID = ID<SessionKind>
/// Names a challenge.
public typealias ChallengeID = ID<ChallengeKind>
/// Names an integrity.
public typealias IntegrityID = ID<IntegrityKind>
/// Names a node's own record; its identity is its address.
public typealias NodeID = ID<NodeKind>

/// A prefix and a UUID, in one spelling: lower case, `8-4-4-4-12`.
///
/// Our own are of version 7 (RFC 9562 §5.7), so they sort by the time of their making; those of
/// imports and of other nodes may be of any version.
public struct ID<Kind: IDKind>: TextScalar, Comparable {
    private let high: UInt64
    private let low: UInt64

    private init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// A new one, of now.
    public static func make(clock: some ClockSource, random: some RandomSource) -> ID {
        make(at: clock.timestamp(), random: random)
    }

    /// A new one, of that moment.
    public static func make(at moment: Timestamp, random: some RandomSource) -> ID {
        let bytes = random.bytes(10)
        let first = UInt64(bytes[0] & 0x0F) << 8 | UInt64(bytes[1])
        let rest = bytes[2...].reduce(0 as UInt64) { $0 << 8 | UInt64($1) }
        return ID(
            high: UInt64(truncatingIfNeeded: moment.milliseconds) << 16 | 0x7000 | first,
            low: 0x8000_0000_0000_0000 | rest >> 2)
    }

    /// The UUID in 16 bytes, as it is stored.
    public init?(bytes: [UInt8]) {
        guard bytes.count == 16 else { return nil }
        high = bytes[..<8].reduce(0) { $0 << 8 | UInt64($1) }
        low = bytes[8...].reduce(0) { $0 << 8 | UInt64($1) }
    }

    /// The UUID in 16 bytes.
    public var bytes: [UInt8] {
        var all: [UInt8] = []
        all.reserveCapacity(16)
        for word in [high, low] {
            for shift in stride(from: 56 as UInt64, through: 0, by: -8) {
                all.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        return all
    }

    /// Reads the one spelling.
    public init?(_ text: String) {
        guard let words = UUIDText.read(text.utf8.span, after: Kind.prefix) else { return nil }
        self.init(high: words.high, low: words.low)
    }

    /// Reads the one spelling from bytes, such as a part of a path.
    public init?(utf8 text: ArraySlice<UInt8>) {
        guard let words = UUIDText.read(text.span, after: Kind.prefix) else { return nil }
        self.init(high: words.high, low: words.low)
    }

    /// The one spelling.
    public var text: String { UUIDText.write(high, low, after: Kind.prefix) }

    /// By the bytes, and so by age for those of version 7.
    public static func < (a: ID, b: ID) -> Bool { (a.high, a.low) < (b.high, b.low) }

    /// `x_` and a UUID.
    public static var shape: TextShape {
        TextShape(
            38...38, .own,
            pattern: "^\(Kind.prefix)_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
            expectation: "the id of \(Kind.noun): \(Kind.prefix)_ and a UUID in lower case",
            sample: "\(Kind.prefix)_01890a5d-ac96-774b-bcce-b302099a8057")
    }
}

/// The reading of an id, apart from the type: a generic function would cost each caller its
/// specialisation.
private enum UUIDText {
    static func write(_ high: UInt64, _ low: UInt64, after prefix: Unicode.Scalar) -> String {
        unsafe String(unsafeUninitializedCapacity: 38) { text in
            unsafe text[0] = UInt8(ascii: prefix)
            unsafe text[1] = UInt8(ascii: "_")
            var index = 2
            for place in 0..<32 {
                if place == 8 || place == 12 || place == 16 || place == 20 {
                    unsafe text[index] = UInt8(ascii: "-")
                    index += 1
                }
                let word = place < 16 ? high : low
                let digit = UInt8(truncatingIfNeeded: word >> UInt64(60 - place % 16 * 4)) & 15
                let first = digit < 10 ? UInt8(ascii: "0") : UInt8(ascii: "a") - 10
                unsafe text[index] = first + digit
                index += 1
            }
            return index
        }
    }

    static func read(
        _ text: Span<UInt8>, after prefix: Unicode.Scalar
    ) -> (high: UInt64, low: UInt64)? {
        guard text.count == 38, text[0] == UInt8(ascii: prefix), text[1] == UInt8(ascii: "_")
        else { return nil }
        var high: UInt64 = 0
        var low: UInt64 = 0
        for place in 2..<38 {
            let byte = text[place]
            if place == 10 || place == 15 || place == 20 || place == 25 {
                guard byte == UInt8(ascii: "-") else { return nil }
                continue
            }
            // Upper case would be a second spelling.
            guard byte < UInt8(ascii: "A") || byte >= UInt8(ascii: "a"),
                let digit = Hex.value(byte)
            else { return nil }
            if place < 20 {
                high = high << 4 | UInt64(digit)
            } else {
                low = low << 4 | UInt64(digit)
            }
        }
        return (high, low)
    }
}
