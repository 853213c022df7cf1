import Base
import Domain
import Net
import Runtime

/// What an operator, or a friend who lends a machine, can set for Ins.
public struct InsSettings: Sendable {
    static let reil = Setting(
        "ins.reil", .list(of: .hostAndPort, 1...64), default: "127.0.0.1:3032",
        help: "Where a Reil of the node is dialled; the others are learnt from it")
    static let secure = Setting(
        "ins.secure", .bool, default: "false", help: "Whether that Reil speaks TLS")
    static let credential = Setting(
        "ins.credential", .secretFile, default: "data/keys/ins.credential",
        help: "The file with the credential that `eta ins add` printed")
    static let insName = Setting(
        "ins.name", .text(1...64), default: "ins", help: "What this Ins calls itself")
    static let region = Setting(
        "ins.region", .optional(.text(1...64)), default: "", help: "Where it stands, for people")
    static let capacity = Setting(
        "ins.capacity", .int(1...1_000_000), default: "1024", unit: "players",
        help: "How many players it is meant for: a fuller one gets no new instance")
    static let tick = Setting(
        "ins.tick", .duration(.milliseconds(1)...(.seconds(1))), default: "20ms",
        help: "How long a busy room gathers what its members say before it is sent")
    static let caFile = Setting(
        "federation.ca_file", .optional(.path), default: "",
        help: "A PEM file of authorities that are trusted beside the system's")

    static let all: [any AnySetting] = [
        reil, secure, credential, insName, region, capacity, tick, caFile,
    ]

    /// Reil to dial.
    public let reil: [HostAndPort]
    /// Whether by TLS.
    public let secure: Bool
    /// What it calls itself.
    public let name: String
    /// Where it stands.
    public let region: String
    /// How many players it takes.
    public let capacity: Int
    /// A busy room's tick.
    public let tick: Duration
    /// Authorities beside the system's.
    public let caFile: String?

    /// Reads them.
    public init(_ config: ConfigReader) {
        reil = config[Self.reil]
        secure = config[Self.secure]
        name = config[Self.insName]
        region = config[Self.region] ?? ""
        capacity = config[Self.capacity]
        tick = config[Self.tick]
        caFile = config[Self.caFile]
    }
}
