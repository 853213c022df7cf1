/// A world of another node that Reil is to read, as Eta tells it in `AVR-World`.
public struct WorldAbroad: Sendable, Equatable {
    /// What it is read for.
    public enum Purpose: String, Sendable {
        /// It is a user's home, which is to be shown.
        case home
        /// The same of who has chosen none.
        case fallback
        /// It was chosen for something: Eta is to be asked again, and told what was read.
        case choice
    }

    /// Which one, with its node, and perhaps in which version.
    public let world: WorldReference
    /// What it is read for.
    public let purpose: Purpose

    /// That world, for that.
    public init(world: WorldReference, for purpose: Purpose) {
        self.world = world
        self.purpose = purpose
    }

    /// Reads the field's value.
    public init?(field: String) {
        let words = field.split(separator: " ")
        guard words.count == 2, let world = WorldReference(String(words[0])),
            let purpose = Purpose(rawValue: String(words[1]))
        else { return nil }
        self.init(world: world, for: purpose)
    }

    /// The field's value.
    public var field: String { "\(world) \(purpose.rawValue)" }
}

/// What Reil has read of a world that was chosen, as it tells Eta in `AVR-World-Read`.
public struct WorldRead: Sendable, Equatable {
    /// Which one, with its node, in the version that was named, or in the newest; in none where
    /// there is no such version, or none at all.
    public let world: WorldReference
    /// For how many it is made.
    public let capacity: Capacity

    /// What was chosen, and the world that was read for it.
    public init(_ chosen: WorldReference, _ world: World) {
        let filled = world.assets.filter { !$0.empty }
        let version =
            if let named = chosen.version {
                filled.contains { $0.version == named } ? named : nil
            } else {
                // Ids of one node rise with time.
                filled.max { $0.id.text < $1.id.text }?.version
            }
        self.world = chosen.version(version)
        capacity = world.capacity
    }

    /// Reads the field's value.
    public init?(field: String) {
        let words = field.split(separator: " ")
        guard words.count == 2, let world = WorldReference(String(words[0])),
            let number = Int64(words[1]), let capacity = Capacity(number)
        else { return nil }
        self.world = world
        self.capacity = capacity
    }

    /// The field's value.
    public var field: String { "\(world) \(capacity.number)" }
}
