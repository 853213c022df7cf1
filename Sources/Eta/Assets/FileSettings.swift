import Runtime

/// How much the node keeps for others, as an operator sets it.
public struct FileSettings: Sendable {
    private static let most = ByteCount.gibibytes(1 << 20)

    static let userQuota = Setting(
        "files.user_quota", .optional(.byteCount(.kibibytes(1)...most)), default: "20GiB",
        help: "The most bytes of files that one user's worlds and images need, each file counted "
            + "once; nothing: as many as they like")
    static let nodeQuota = Setting(
        "files.node_quota", .optional(.byteCount(.kibibytes(1)...most)), default: "",
        help: "The most bytes of files that the node keeps, unfinished uploads too; nothing: as "
            + "many as its disk takes")
    static let freeFloor = Setting(
        "files.free_floor", .byteCount(ByteCount(bytes: 0)...most), default: "512MiB",
        help: "Bytes of the data folder's disk that uploads leave free, for all else to go on")
    static let sweep = Setting(
        "files.sweep", .duration(.milliseconds(100)...(.seconds(86_400))), default: "1h",
        help: "How often files that nothing names, and parts of uploads that nobody came back for, "
            + "are looked for")

    /// All of them.
    static let all: [any AnySetting] = [userQuota, nodeQuota, freeFloor, sweep]

    /// The most bytes for one user.
    public var userQuota: Int64?
    /// The most bytes for all.
    public var nodeQuota: Int64?
    /// Bytes that stay free.
    public var freeFloor: Int64
    /// How often what nobody needs is looked for.
    public var sweep: Duration

    init(_ config: ConfigReader) {
        userQuota = config[Self.userQuota].map { Int64($0.bytes) }
        nodeQuota = config[Self.nodeQuota].map { Int64($0.bytes) }
        freeFloor = Int64(config[Self.freeFloor].bytes)
        sweep = config[Self.sweep]
    }
}
