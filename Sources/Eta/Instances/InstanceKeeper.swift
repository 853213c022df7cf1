import API
import Base
import Domain
import Storage

/// Ends what is over: seats of those who are gone, instances that stand empty or whose Ins is
/// lost. It decides inside an act of writing, and tells the Reil once that is durable.
public struct InstanceKeeper: LinkObserver {
    /// What others have to be told of.
    struct Outcome: Sendable {
        /// Instances that are no more.
        var ended: [InstanceID] = []
        /// Instances that nobody runs for now: they are told as over, and are still there.
        var orphaned: [InstanceID] = []
        /// Seats that were taken away.
        var dismissed: [(player: PlayerID, instance: InstanceID, type: LeaveType)] = []
        /// Instances that are not what they were.
        var changed: [Instance] = []
    }

    let node: Node
    let database: Database
    let pushes: Pushes
    let clock: any ClockSource
    /// How long an instance lives without players.
    let grace: Duration

    /// Keeps the instances of that registry.
    public init(_ registry: Registry) {
        node = registry.node
        database = registry.database
        pushes = registry.pushes
        clock = registry.ambient.clock
        grace = registry.settings.emptyGrace
    }

    /// Tells every Reil.
    func tell(_ outcome: Outcome) {
        for (player, instance, type) in outcome.dismissed {
            pushes.dismiss(player, from: instance, type)
        }
        for instance in outcome.orphaned + outcome.ended { pushes.close(instance) }
        for instance in outcome.changed { pushes.announce(.instance(instance)) }
        for instance in outcome.ended { pushes.announce(.instanceDeleted(instance)) }
    }

    /// Takes seats away; `type` is what their players are told, nil when they know.
    func vacate(
        _ seats: [PlayerRow], _ type: LeaveType?, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Outcome {
        var outcome = Outcome()
        var touched: [InstanceID] = []
        for seat in seats where try PlayerStore.delete(seat.id, transaction) {
            if let type { outcome.dismissed.append((seat.id, seat.instance, type)) }
            if !touched.contains(seat.instance) { touched.append(seat.instance) }
        }
        for id in touched {
            guard let instance = try InstanceStore.find(.id(id), transaction.reader) else {
                continue
            }
            let ownerLeft = seats.contains { $0.instance == id && $0.user == instance.owner }
            if ownerLeft, instance.tags.contains(.killOnOwnerLeave),
                try PlayerStore.count(of: instance.owner, in: id, transaction.reader) == 0
            {
                if try InstanceStore.delete(id, transaction) { outcome.ended.append(id) }
                continue
            }
            if instance.connected == 0 {
                try InstanceStore.setEmpty(id, since: now, transaction)
            }
            outcome.changed.append(instance.instance(nil, node))
        }
        return outcome
    }

    /// All that a person has here is over: their instances, and their players in others'.
    func removeAll(
        of person: UserReference, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Outcome {
        var ended: [InstanceID] = []
        for id in try InstanceStore.all(of: person, transaction.reader)
        where try InstanceStore.delete(id, transaction) {
            ended.append(id)
        }
        let seats = try PlayerStore.all(of: person, transaction.reader)
        var outcome = try vacate(seats, .closed, at: now, transaction)
        outcome.ended += ended
        return outcome
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
        let outcome = try await database.write { (transaction) throws(APIError) in
            var outcome = Outcome()
            for var instance in try InstanceStore.all(at: ins, transaction.reader) {
                guard instance.tags.contains(.permanent) else {
                    if try InstanceStore.delete(instance.id, transaction) {
                        outcome.ended.append(instance.id)
                    }
                    continue
                }
                // It waits without an Ins for the next one who wants to enter.
                instance.ins = nil
                instance.epoch += 1
                try InstanceStore.place(instance, transaction)
                let seats = try PlayerStore.all(in: instance.id, transaction.reader)
                outcome.changed += try vacate(seats, nil, at: now, transaction).changed
                outcome.orphaned.append(instance.id)
            }
            return outcome
        }
        tell(outcome)
    }

    /// Compares the seats of a Reil with those that it reports.
    public func seatsReported(
        _ seats: [SeatReport], by run: String, before moment: Timestamp
    ) async throws(APIError) {
        let now = clock.timestamp()
        let outcome = try await database.write { (transaction) throws(APIError) in
            let kept = try PlayerStore.all(at: run, transaction.reader)
            let reported = Set(seats.map(\.player))
            let free = kept.filter { !reported.contains($0.id) && $0.joinedAt < moment }
            // They are told all the same: one that was on its way when the Reil spoke is undone.
            var outcome = try vacate(free, .disconnected, at: now, transaction)
            let known = Set(kept.map(\.id))
            for seat in seats where !known.contains(seat.player) {
                outcome.dismissed.append((seat.player, seat.instance, .disconnected))
            }
            return outcome
        }
        tell(outcome)
    }

    /// Frees the seats of every Reil but these.
    public func releaseSeats(except runs: [String]) async throws(APIError) {
        let now = clock.timestamp()
        let gone = try database.read { (reader) throws(APIError) in
            try PlayerStore.runs(reader).filter { !runs.contains($0) }
        }
        for run in gone {
            let outcome = try await database.write { (transaction) throws(APIError) in
                let seats = try PlayerStore.all(at: run, transaction.reader)
                return try vacate(seats, .disconnected, at: now, transaction)
            }
            tell(outcome)
        }
    }

    /// Ends instances that nobody has been in for too long.
    public func endEmpty() async throws(APIError) {
        let limit = clock.timestamp() - grace
        let empty = try database.read { (reader) throws(APIError) in
            try InstanceStore.empty(since: limit, reader)
        }
        if empty.isEmpty { return }
        let outcome = try await database.write { (transaction) throws(APIError) in
            var outcome = Outcome()
            // Somebody may have entered since they were looked at.
            for id in try InstanceStore.empty(since: limit, transaction.reader)
            where try InstanceStore.delete(id, transaction) {
                outcome.ended.append(id)
            }
            return outcome
        }
        tell(outcome)
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
