import HTTP

/// What both ends of a link agree on.
public struct LinkProtocol: Sendable {
    /// The WebSocket's subprotocol.
    public let name: String
    /// Sizes and times.
    public let limits: WebSocketLimits
    /// Bytes that may wait for the other end: one that leaves more unread has hung.
    public let pendingLimit = 64 << 20

    private init(_ name: String, pings interval: Duration? = nil) {
        self.name = name
        // A room's tick, or every player of a Reil, in one message.
        var limits = WebSocketLimits(message: 16 << 20)
        if let interval { limits.pingInterval = interval }
        self.limits = limits
    }

    /// A Reil to Eta, ``RegistryPush`` and ``RegistryReport``.
    public static let registry = LinkProtocol("avr.registry.1")
    /// An Ins to a Reil, ``InsInstruction`` and ``InsStatement``.
    public static let ins = LinkProtocol("avr.ins.1", pings: .seconds(1))
}
