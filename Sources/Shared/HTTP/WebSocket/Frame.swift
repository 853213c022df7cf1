/// A frame's opcode, RFC 6455 §5.2; the reserved ones cannot be made.
public enum Opcode: UInt8, Sendable, CaseIterable {
    /// A further fragment of the message that has begun.
    case continuation = 0
    /// A message of UTF-8.
    case text = 1
    /// A message of bytes.
    case binary = 2
    /// The end, with code and reason or without.
    case close = 8
    /// Asks for a pong.
    case ping = 9
    /// Answers a ping, or says that one is there.
    case pong = 10

    /// Whether frames of it are short, whole, and may stand between fragments.
    public var isControl: Bool { rawValue & 8 != 0 }
}

/// Why a WebSocket ended, RFC 6455 §7.4. Those that may not be sent cannot be made but as what
/// an end is called that had none: `noStatus` and `abnormal`.
public struct CloseCode: Sendable, Hashable, CustomStringConvertible {
    /// The number.
    public let rawValue: UInt16

    /// The code with that number if it may stand in a close frame: 1000–1003, 1007–1014
    /// (registered with IANA), 3000–4999.
    public init?(_ rawValue: UInt16) {
        switch rawValue {
        case 1_000...1_003, 1_007...1_014, 3_000...4_999: self.rawValue = rawValue
        case _: return nil
        }
    }

    private init(known rawValue: UInt16) { self.rawValue = rawValue }

    /// 1000: done.
    public static let normal = CloseCode(known: 1_000)
    /// 1001: the server goes down, or the page is left.
    public static let goingAway = CloseCode(known: 1_001)
    /// 1002: the peer broke the protocol.
    public static let protocolError = CloseCode(known: 1_002)
    /// 1003: a kind of message that is not taken.
    public static let unsupported = CloseCode(known: 1_003)
    /// 1005: a close frame without a code; never sent.
    public static let noStatus = CloseCode(known: 1_005)
    /// 1006: the connection ended without a close frame; never sent.
    public static let abnormal = CloseCode(known: 1_006)
    /// 1007: text that is not UTF-8.
    public static let badData = CloseCode(known: 1_007)
    /// 1008: not allowed, without a better code.
    public static let policy = CloseCode(known: 1_008)
    /// 1009: too big.
    public static let tooBig = CloseCode(known: 1_009)
    /// 1011: the server failed.
    public static let internalError = CloseCode(known: 1_011)
    /// 1013: try again later.
    public static let tryAgain = CloseCode(known: 1_013)
    /// 4401: no or a dead credential, docs/client.
    public static let unauthenticated = CloseCode(known: 4_401)
    /// 4403: suspended or denied.
    public static let denied = CloseCode(known: 4_403)
    /// 4408: too slow a reader.
    public static let slow = CloseCode(known: 4_408)
    /// 4409: resumed elsewhere.
    public static let resumedElsewhere = CloseCode(known: 4_409)
    /// 4429: too many commands.
    public static let tooMany = CloseCode(known: 4_429)

    /// Whether it may stand in a close frame.
    public var isSendable: Bool { self != .noStatus && self != .abnormal }

    /// The number.
    public var description: String { "\(rawValue)" }
}
