import Domain

/// Which Ins runs an instance.
enum PlacementRules {
    /// An Ins that could.
    struct Candidate: Sendable, Equatable {
        /// Its credential, which is its name in the pool.
        var ins: String
        /// How many players it takes in all.
        var capacity: Int
        var players: Int
        var instances: Int

        /// 0 with nobody there, 1 when no more fit.
        var load: Double { Double(players) / Double(max(1, capacity)) }
    }

    /// The least loaded: by players to capacity, then by instances (so that many made at once are
    /// spread before anybody has entered), then by name. Nil when none has room.
    static func choose(_ candidates: [Candidate]) -> Candidate? {
        candidates.filter { $0.players < $0.capacity }.min {
            ($0.load, $0.instances, $0.ins) < ($1.load, $1.instances, $1.ins)
        }
    }
}
