import Domain
import Runtime

/// With which other nodes there are dealings, and how much of all that is kept.
struct RuleLimits: Sendable {
    static let modeSetting = Setting<FederationMode>(
        "federation.mode", .word, default: "open",
        help: "With which nodes there are dealings: all, those that a rule lets in, or none")
    static let rulesSetting = Setting(
        "moderation.rules", .int(1...1_000_000), default: "10000",
        help: "How many rules there may be about nodes, and as many about addresses")
    static let agentsSetting = Setting(
        "moderation.agents", .int(1...10_000), default: "256",
        help: "How many rules there may be about user agents; each costs every request")

    static let reportsSetting = Setting(
        "moderation.reports", .int(1...1_000_000), default: "10000",
        help: "How many reports are kept; the oldest that are closed go first")

    static let all: [any AnySetting] = [modeSetting, rulesSetting, agentsSetting, reportsSetting]

    /// With which nodes there are dealings.
    let mode: FederationMode
    /// Rules of a list.
    let rules: Int
    /// Rules about agents.
    let agents: Int
    /// Reports.
    let reports: Int

    init(_ config: ConfigReader) {
        mode = config[Self.modeSetting]
        rules = config[Self.rulesSetting]
        agents = config[Self.agentsSetting]
        reports = config[Self.reportsSetting]
    }
}
