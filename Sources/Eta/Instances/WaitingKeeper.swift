import API
import Base
import Domain
import Storage

/// What time does to queues and sanctions: held places lapse, who is not heard of is dropped, what
/// has ended is lifted, and who waits is told how the queue stands.
struct WaitingKeeper: Sendable {
    let node: Node
    let database: Database
    let pushes: Pushes
    let presence: Presence
    let notices: QueueNotices
    let line: WaitingLine
    let judge: InstanceJudge
    let clock: any ClockSource
    /// How long somebody without a socket may be silent.
    let silence: Duration

    /// How often queues are told to those in them.
    static let pace = Duration.milliseconds(500)

    init(_ registry: Registry) {
        node = registry.node
        database = registry.database
        pushes = registry.pushes
        presence = registry.presence
        notices = registry.queueNotices
        line = WaitingLine(registry)
        judge = InstanceJudge(registry)
        clock = registry.ambient.clock
        silence = registry.settings.waiting.silence
    }

    /// Does what is due.
    func look() async throws(APIError) {
        try await lapse()
        try tellQueues()
    }

    private func lapse() async throws(APIError) {
        let now = clock.timestamp()
        let limit = now - silence
        let isDue = try database.read { (reader) throws(APIError) in
            let lapsed = try WaitingStore.lapsed(at: now, reader)
            let silent = try WaitingStore.silent(since: limit, reader)
            let ended = try SanctionStore.ended(at: now, reader)
            return !lapsed.isEmpty || !silent.isEmpty || !ended.isEmpty
        }
        if !isDue { return }
        try await database.write { (transaction) throws(APIError) in
            try line.lapse(at: now, transaction)
            for entry in try WaitingStore.silent(since: limit, transaction.reader) {
                if presence.isOnline(entry.user) {
                    try WaitingStore.note(entry.user, in: entry.instance, at: now, transaction)
                } else {
                    try line.drop(entry, at: now, transaction)
                }
            }
            for ended in try SanctionStore.ended(at: now, transaction.reader) {
                try judge.lift(ended.kind, from: ended.user, in: ended.instance, transaction)
            }
        }
    }

    private func tellQueues() throws(APIError) {
        for instance in notices.take() {
            try database.read { (reader) throws(APIError) in
                guard let row = try InstanceStore.find(.id(instance), reader) else { return }
                let waiting = try WaitingStore.all(in: instance, limit: line.limit, reader)
                pushes.tellQueue(
                    of: instance, waiting.filter { $0.heldUntil == nil }.map(\.user))
                pushes.announce(.instance(row.instance(nil, node)))
            }
        }
    }
}
