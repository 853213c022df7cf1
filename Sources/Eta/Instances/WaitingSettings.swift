import Runtime

/// How long people may wait to enter an instance, and how many.
public struct WaitingSettings: Sendable {
    static let holdSetting = Setting(
        "instances.hold", .duration(.milliseconds(100)...(.seconds(3_600))), default: "30s",
        help: "How long a place is held for who comes out of the queue")
    static let silenceSetting = Setting(
        "instances.queue_silence", .duration(.milliseconds(100)...(.seconds(86_400))),
        default: "60s",
        help: "How long somebody without a socket stays in the queue without asking")
    static let queueSetting = Setting(
        "instances.queue_limit", .int(1...100_000), default: "5000",
        help: "How many may wait for one instance")
    static let candidateSetting = Setting(
        "instances.candidate_limit", .int(1...100_000), default: "1000",
        help: "How many may have asked to enter one instance, or be invited to it")

    static let all: [any AnySetting] = [
        holdSetting, silenceSetting, queueSetting, candidateSetting,
    ]

    /// How long a place is held.
    public let hold: Duration
    /// How long somebody without a socket may be silent.
    public let silence: Duration
    /// How many may wait for one instance.
    public let queueLimit: Int
    /// How many may have asked, or be invited.
    public let candidateLimit: Int

    init(_ config: ConfigReader) {
        hold = config[Self.holdSetting]
        silence = config[Self.silenceSetting]
        queueLimit = config[Self.queueSetting]
        candidateLimit = config[Self.candidateSetting]
    }
}
