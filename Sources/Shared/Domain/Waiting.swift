import Base

/// Where somebody stands who wants to enter an instance.
public enum CandidateState: String, Sendable, Codable, CaseIterable {
    /// Has asked to be let in.
    case asked
    /// Was invited.
    case invited
    /// Has asked and was let in.
    case admitted
    /// Stands in the queue.
    case queued
    /// A place is held.
    case held
}

/// Somebody who wants to enter an instance, or may.
public struct Candidate: Sendable, Hashable, Codable {
    /// Who, with their home.
    public var user: UserReference
    /// Where they stand.
    public var state: CandidateState
    /// Who invited them or let them in; null where nobody did.
    public var by: UserReference?
    /// Since when they stand there.
    public var since: Timestamp
    /// Their place in the queue: 1 for the next, 0 while one is held, null outside of it.
    public var position: Int?
    /// Until when a place is held; null while none is.
    public var heldUntil: Timestamp?

    /// A candidate with these fields.
    public init(
        user: UserReference, state: CandidateState, by: UserReference? = nil, since: Timestamp,
        position: Int? = nil, heldUntil: Timestamp? = nil
    ) {
        self.user = user
        self.state = state
        self.by = by
        self.since = since
        self.position = position
        self.heldUntil = heldUntil
    }

    private enum CodingKeys: String, CodingKey {
        case user, state, by, since, position
        case heldUntil = "held_until"
    }
}

/// The queue of an instance as one who looks sees it.
public struct InstanceQueue: Sendable, Hashable, Codable {
    /// How many wait.
    public var length: Int
    /// One's own place: 1 for the next, 0 while one is held, null for who does not wait.
    public var position: Int?
    /// Until when a place is held for oneself; null while none is.
    public var heldUntil: Timestamp?
    /// Who waits, those first for whom a place is held; left out for all but the staff.
    @Omittable public var items: [Candidate]?

    /// A queue with these fields.
    public init(
        length: Int, position: Int? = nil, heldUntil: Timestamp? = nil, items: [Candidate]? = nil
    ) {
        self.length = length
        self.position = position
        self.heldUntil = heldUntil
        self.items = items
    }

    private enum CodingKeys: String, CodingKey {
        case length, position, items
        case heldUntil = "held_until"
    }
}

/// What became of somebody who wanted to enter, as `instance-candidate` tells it.
public enum CandidateAction: String, Sendable, Codable, CaseIterable {
    case asked, invited, admitted, refused, left
}
