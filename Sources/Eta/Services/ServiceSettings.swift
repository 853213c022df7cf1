import Runtime

/// How services are registered and watched.
struct ServiceSettings: Sendable {
    static let limitSetting = Setting(
        "services.limit", .int(0...10_000), default: "1000",
        help: "How many services may be registered on the node")
    static let ownerSetting = Setting(
        "services.per_owner", .int(0...10_000), default: "32",
        help: "How many of them one user may own")
    static let intervalSetting = Setting(
        "services.check_interval", .duration(.milliseconds(100)...(.seconds(3_600))),
        default: "30s", help: "How often a service is asked whether it is there")

    static let all: [any AnySetting] = [limitSetting, ownerSetting, intervalSetting]

    /// How many there may be.
    let limit: Int
    /// How many of one owner.
    let perOwner: Int
    /// How often each is looked at.
    let interval: Duration

    init(_ config: ConfigReader) {
        limit = config[Self.limitSetting]
        perOwner = config[Self.ownerSetting]
        interval = config[Self.intervalSetting]
    }
}
