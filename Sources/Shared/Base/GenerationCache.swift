/// A bounded memory of what was used lately, in two generations: what is found in the older one goes
/// over to the newer, and when that is full or old, the older one is dropped. So half of it goes at
/// once, never what was just used, and nothing has to be looked through.
public struct GenerationCache<Key: Hashable, Value> {
    private let capacity: Int
    private let lifetime: Duration
    private var newer: [Key: Value] = [:]
    private var older: [Key: Value] = [:]
    private var began: Timestamp?

    /// A memory of at most twice `capacity` values, each for at least `lifetime` since its last use
    /// unless there are more, and at most twice that.
    public init(capacity: Int, lifetime: Duration) {
        precondition(capacity > 0, "a memory of nothing")
        self.capacity = capacity
        self.lifetime = lifetime
    }

    /// How many values are remembered.
    public var count: Int { newer.count + older.count }

    /// What is remembered of `key`.
    public mutating func find(_ key: Key, at now: Timestamp) -> Value? {
        turn(at: now)
        if let value = newer[key] { return value }
        guard let value = older.removeValue(forKey: key) else { return nil }
        put(value, key, now)
        return value
    }

    /// Remembers `value` in place of what was remembered of `key`.
    public mutating func keep(_ value: Value, for key: Key, at now: Timestamp) {
        turn(at: now)
        older[key] = nil
        put(value, key, now)
    }

    private mutating func put(_ value: Value, _ key: Key, _ now: Timestamp) {
        if newer.count >= capacity, newer[key] == nil { begin(at: now) }
        newer[key] = value
    }

    /// A clock that was set back begins a generation as well.
    private mutating func turn(at now: Timestamp) {
        guard let began else {
            self.began = now
            return
        }
        let age = now - began
        if age < .zero || age >= lifetime { begin(at: now) }
        // Nobody came for longer than both lived.
        if age >= lifetime * 2 { older = [:] }
    }

    private mutating func begin(at now: Timestamp) {
        older = newer
        newer = [:]
        began = now
    }
}
