import API
import Base
import Domain
import Storage

/// The queue of an instance. A place that is free goes to who has waited longest and is held for
/// them alone for a while; places that are held count as taken, so a capacity is exact.
///
/// It decides inside an act of writing, and has those told whom it concerns on the commit.
struct WaitingLine: Sendable {
    let node: Node
    let pushes: Pushes
    let notices: QueueNotices
    /// How long a place is held.
    let hold: Duration
    /// How many may wait for one instance.
    let limit: Int

    init(_ registry: Registry) {
        node = registry.node
        pushes = registry.pushes
        notices = registry.queueNotices
        hold = registry.settings.waiting.hold
        limit = registry.settings.waiting.queueLimit
    }

    /// What `instance-queue` says; no position to who waits no more.
    private struct Notice: Encodable {
        let instance: InstanceID
        let position: Int?
        let length: Int
        let heldUntil: Timestamp?

        private enum CodingKeys: String, CodingKey {
            case instance, position, length
            case heldUntil = "held_until"
        }
    }

    /// Somebody wants a seat: nil when it is theirs now, else where they stand in the queue from
    /// now on.
    ///
    /// - Throws: 48 when the queue is as long as it may be.
    func admit(
        _ person: UserReference, to row: InstanceRow, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> QueuePlace? {
        try lapse(at: now, transaction)
        let entry = try join(person, row, isComing: true, at: now, transaction)
        guard let entry else { return nil }
        if entry.heldUntil != nil, row.connected < row.capacity.count {
            _ = try WaitingStore.delete(person, from: row.id, transaction)
            changed(row.id, transaction)
            return nil
        }
        return QueuePlace(
            position: try WaitingStore.position(of: entry, transaction.reader),
            length: try WaitingStore.length(of: row.id, transaction.reader))
    }

    /// Somebody stands in the queue from now on, if they did not; a place that is free is held for
    /// them at once.
    ///
    /// - Throws: 48 when the queue is as long as it may be.
    func join(
        _ person: UserReference, _ row: InstanceRow, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> WaitingRow {
        try lapse(at: now, transaction)
        guard let entry = try join(person, row, isComing: false, at: now, transaction) else {
            throw APIError(.instanceIsFull)
        }
        return entry
    }

    /// Nil for who comes and need not wait.
    private func join(
        _ person: UserReference, _ row: InstanceRow, isComing: Bool, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> WaitingRow? {
        if try WaitingStore.find(person, in: row.id, transaction.reader) != nil {
            try WaitingStore.note(person, in: row.id, at: now, transaction)
            try fill(row.id, at: now, transaction)
        } else {
            let length = try WaitingStore.length(of: row.id, transaction.reader)
            let held = try WaitingStore.held(in: row.id, transaction.reader)
            if isComing, length == 0, row.connected + held < row.capacity.count { return nil }
            guard length < limit else { throw APIError(.instanceIsFull) }
            try WaitingStore.append(person, to: row.id, at: now, transaction)
            changed(row.id, transaction)
            try fill(row.id, telling: person, at: now, transaction)
        }
        return try WaitingStore.find(person, in: row.id, transaction.reader)
    }

    /// Somebody waits no more by their own wish, or since they may not; whether they did.
    func remove(
        _ person: UserReference, from instance: InstanceID, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Bool {
        guard try WaitingStore.delete(person, from: instance, transaction) else { return false }
        changed(instance, transaction)
        try fill(instance, at: now, transaction)
        return true
    }

    /// Somebody waits nowhere any more.
    func removeAll(
        of person: UserReference, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        for entry in try WaitingStore.all(of: person, transaction.reader) {
            _ = try remove(person, from: entry.instance, at: now, transaction)
        }
    }

    /// Holds the places that are free for those who have waited longest. `comer` hears of it by
    /// their answer.
    func fill(
        _ instance: InstanceID, telling comer: UserReference? = nil, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        guard try WaitingStore.next(in: instance, transaction.reader) != nil,
            let row = try InstanceStore.find(.id(instance), transaction.reader)
        else { return }
        let held = try WaitingStore.held(in: instance, transaction.reader)
        var free = row.capacity.count - row.connected - held
        let end = now + hold
        while free > 0, let next = try WaitingStore.next(in: instance, transaction.reader) {
            try WaitingStore.hold(for: next.user, in: instance, until: end, transaction)
            free -= 1
            changed(instance, transaction)
            if next.user == comer { continue }
            try tell(next.user, instance, position: 0, heldUntil: end, transaction)
        }
    }

    /// Ends what has been held for too long: the next ones have their turn.
    func lapse(
        at now: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        for entry in try WaitingStore.lapsed(at: now, transaction.reader) {
            try drop(entry, at: now, transaction)
        }
    }

    /// Takes somebody out who has not come, or has not been heard of, and says so.
    func drop(
        _ entry: WaitingRow, at now: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        guard try remove(entry.user, from: entry.instance, at: now, transaction) else { return }
        try tell(entry.user, entry.instance, position: nil, heldUntil: nil, transaction)
    }

    private func tell(
        _ person: UserReference, _ instance: InstanceID, position: Int?, heldUntil: Timestamp?,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        let notice = Notice(
            instance: instance, position: position,
            length: try WaitingStore.length(of: instance, transaction.reader),
            heldUntil: heldUntil)
        transaction.onCommit { pushes.tell(.instanceQueue, of: instance, to: [person], notice) }
    }

    private func changed(
        _ instance: InstanceID, _ transaction: borrowing Transaction<APIError>
    ) {
        transaction.onCommit { notices.changed(instance) }
    }
}

/// Which queues are not what everybody in them was told. They are told together, a little later:
/// each who comes or goes moves all behind.
public final class QueueNotices: Sendable {
    private let instances = Lock<Set<InstanceID>>([])

    func changed(_ instance: InstanceID) { instances.withLock { _ = $0.insert(instance) } }

    func take() -> Set<InstanceID> {
        instances.withLock { instances in
            defer { instances = [] }
            return instances
        }
    }
}
