import Domain

/// The seats that Eta is asked for, and what happened to them before the answer was here: a push may
/// overtake the answer, which comes over another connection.
struct AskedSeats {
    /// What has become of a seat by the time its answer is here.
    enum Outcome: Equatable {
        /// It is there; muted or not where that was said since.
        case held(isMuted: Bool?)
        /// Eta has taken it away, or may have: who asks again may have another.
        case lost
        /// The instance is over.
        case ended
    }
    private struct Asked {
        var isLost = false
        /// What was said since of whether the player is muted.
        var isMuted: Bool?
        /// Instances that have ended since; the seat may be in one of them.
        var ended: Set<InstanceID> = []
    }

    private var asked: [PlayerID: Asked] = [:]

    /// A seat is asked for.
    mutating func ask(_ player: PlayerID) { asked[player] = Asked() }

    /// It was not taken, or is given back.
    mutating func forget(_ player: PlayerID) { asked[player] = nil }

    /// The answer is here.
    mutating func take(_ player: PlayerID, in instance: InstanceID) -> Outcome {
        guard let seat = asked.removeValue(forKey: player) else { return .lost }
        if seat.ended.contains(instance) { return .ended }
        return seat.isLost ? .lost : .held(isMuted: seat.isMuted)
    }

    /// What that player says is dropped, or no more.
    mutating func setMuted(_ player: PlayerID, _ isMuted: Bool) {
        asked[player]?.isMuted = isMuted
    }

    /// Eta has taken it away.
    mutating func lose(_ player: PlayerID) { asked[player]?.isLost = true }

    /// The link to Eta stands anew: Eta frees what was taken before and is not reported.
    mutating func loseAll() { for player in asked.keys { asked[player]?.isLost = true } }

    /// An instance is over, and so are the seats in it.
    mutating func end(_ instance: InstanceID) {
        for player in asked.keys { asked[player]?.ended.insert(instance) }
    }
}
