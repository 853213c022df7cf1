import API
import Base
import Domain
import Storage

/// Ends what is over: seats of those who are gone, instances that stand empty or whose Ins is
/// lost. It decides inside an act of writing, and tells every Reil on the commit.
public struct InstanceKeeper: LinkObserver {
    let node: Node
    let database: Database
    let pushes: Pushes
    let line: WaitingLine
    let clock: any ClockSource
    /// How long an instance lives without players.
    let grace: Duration

    /// Keeps the instances of that registry.
    public init(_ registry: Registry) {
        node = registry.node
        database = registry.database
        pushes = registry.pushes
        line = WaitingLine(registry)
        clock = registry.ambient.clock
        grace = registry.settings.emptyGrace
    }

    /// Ends an instance, if there is one.
    func end(
        _ id: InstanceID, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        guard let row = try InstanceStore.find(.id(id), transaction.reader) else { return }
        let waiting = try WaitingStore.all(in: id, limit: line.limit, transaction.reader)
        try InstanceStore.delete(id, transaction)
        let instance = row.instance(nil, node)
        transaction.onCommit {
            if !waiting.isEmpty { pushes.tellEnd(of: id, to: waiting.map(\.user)) }
            // Its members may hear of its end because they are members, so first of all.
            pushes.announce(.instanceDeleted(instance))
            pushes.close(id)
        }
    }

    /// Takes seats away; `type` is what their players are told, nil when they know.
    func vacate(
        _ seats: [PlayerRow], _ type: LeaveType?, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        var left: Set<InstanceID> = []
        for seat in seats where try PlayerStore.delete(seat.id, transaction) {
            if let type { dismiss(seat.id, from: seat.instance, type, transaction) }
            left.insert(seat.instance)
        }
        for id in left {
            guard let instance = try InstanceStore.find(.id(id), transaction.reader) else {
                continue
            }
            let ownerLeft = seats.contains { $0.instance == id && $0.user == instance.owner }
            if ownerLeft, instance.tags.contains(.killOnOwnerLeave),
                try PlayerStore.count(of: instance.owner, in: id, transaction.reader) == 0
            {
                try end(id, transaction)
                continue
            }
            if instance.connected == 0 {
                try InstanceStore.setEmpty(id, since: now, transaction)
            }
            try line.fill(id, at: now, transaction)
            let changed = instance.instance(nil, node)
            transaction.onCommit { pushes.announce(.instance(changed)) }
        }
    }

    private func dismiss(
        _ player: PlayerID, from instance: InstanceID, _ type: LeaveType,
        _ transaction: borrowing Transaction<APIError>
    ) {
        transaction.onCommit { pushes.dismiss(player, from: instance, type) }
    }

    /// All that a person has here is over: their instances, and their players in others'.
    func removeAll(
        of person: UserReference, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        for id in try InstanceStore.all(of: person, transaction.reader) {
            try end(id, transaction)
        }
        try line.removeAll(of: person, at: now, transaction)
        try CandidateStore.deleteAll(of: person, transaction)
        try SanctionStore.deleteAll(against: person, transaction)
        try vacate(
            try PlayerStore.all(of: person, transaction.reader), .closed, at: now, transaction)
    }

    /// Every instance that somebody runs.
    public func hostings() throws(APIError) -> [Hosting] {
        try database.read { (reader) throws(APIError) in
            try InstanceStore.all(reader).compactMap(\.hosting)
        }
    }

    /// Ends the instances of an Ins that is lost; permanent ones wait for another.
    public func insLost(_ ins: String) async throws(APIError) {
        let now = clock.timestamp()
        try await database.write { (transaction) throws(APIError) in
            for var instance in try InstanceStore.all(at: ins, transaction.reader) {
                guard instance.tags.contains(.permanent) else {
                    try end(instance.id, transaction)
                    continue
                }
                // It waits without an Ins for the next one who wants to enter.
                instance.ins = nil
                instance.epoch += 1
                try InstanceStore.place(instance, transaction)
                // Its members are told that it is over, although it is still there.
                let id = instance.id
                transaction.onCommit { pushes.close(id) }
                try vacate(
                    try PlayerStore.all(in: id, transaction.reader), nil, at: now, transaction)
            }
        }
    }

    /// Compares the seats of a Reil with those that it reports.
    public func seatsReported(
        _ seats: [SeatReport], by run: String, before moment: Timestamp
    ) async throws(APIError) {
        let now = clock.timestamp()
        try await database.write { (transaction) throws(APIError) in
            let kept = try PlayerStore.all(at: run, transaction.reader)
            let reported = Set(seats.map(\.player))
            let free = kept.filter { !reported.contains($0.id) && $0.joinedAt < moment }
            // They are told all the same: one that was on its way when the Reil spoke is undone.
            try vacate(free, .disconnected, at: now, transaction)
            let known = Set(kept.map(\.id))
            for seat in seats where !known.contains(seat.player) {
                dismiss(seat.player, from: seat.instance, .disconnected, transaction)
            }
        }
    }

    /// Frees the seats of every Reil but these.
    public func releaseSeats(except runs: [String]) async throws(APIError) {
        let now = clock.timestamp()
        let gone = try database.read { (reader) throws(APIError) in
            try PlayerStore.runs(reader).filter { !runs.contains($0) }
        }
        for run in gone {
            try await database.write { (transaction) throws(APIError) in
                let seats = try PlayerStore.all(at: run, transaction.reader)
                try vacate(seats, .disconnected, at: now, transaction)
            }
        }
    }

    /// Ends instances that nobody has been in for too long.
    public func endEmpty() async throws(APIError) {
        let limit = clock.timestamp() - grace
        let empty = try database.read { (reader) throws(APIError) in
            try InstanceStore.empty(since: limit, reader)
        }
        if empty.isEmpty { return }
        try await database.write { (transaction) throws(APIError) in
            // Somebody may have entered since they were looked at.
            for id in try InstanceStore.empty(since: limit, transaction.reader) {
                try end(id, transaction)
            }
        }
    }
}

extension InstanceRow {
    /// Who runs it; nil while nobody does.
    var hosting: Hosting? {
        ins.map { ins in
            Hosting(
                instance: id, epoch: epoch, ins: ins, world: world, owner: owner,
                capacity: capacity.count)
        }
    }
}
