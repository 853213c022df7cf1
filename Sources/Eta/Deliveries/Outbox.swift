import API
import Base
import Domain
import Storage

/// What other nodes are to be told: kept with the act that it tells of, and told at least once, in
/// order, by whichever Reil is there. A node that is down costs a row and a try now and then.
struct Outbox: Sendable {
    let node: Node
    let pushes: Pushes
    let random: any RandomSource
    let clock: any ClockSource

    /// How many items wait for one node; the oldest go beyond that.
    private static let limit = 10_000
    private static let trimmed = 100
    /// How long a Reil may take before the same is tried again.
    private static let patience = Duration.seconds(30)
    /// The longest pause between two tries.
    private static let longestPause = Duration.seconds(3_600)
    /// What is older than this nobody waits for any more.
    static let age = Duration.seconds(30 * 24 * 3_600)

    init(_ registry: Registry) {
        node = registry.node
        pushes = registry.pushes
        random = registry.ambient.random
        clock = registry.ambient.clock
    }

    /// Has a node told something. Of what a person is and how they are only the newest waits.
    func append(
        _ word: DeliveryWord, for address: ServerAddress,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        if address == node.address { return }
        let now = clock.timestamp()
        try OutboxStore.open(address, stream: makeName(), at: now, transaction)
        if try OutboxStore.count(for: address, transaction.reader) >= Self.limit {
            try OutboxStore.trim(Self.trimmed, for: address, transaction)
        }
        let subject: UserReference? =
            switch word {
            case .user(let user): UserReference(user.id, at: user.server)
            case .status(let user, _): user
            case .follow, .unfollow, .userDeleted, .candidate, .report: nil
            }
        try OutboxStore.append(word, replacing: subject, for: address, at: now, transaction)
        // One that could not be told is left alone until its time has come.
        guard let queue = try OutboxStore.find(address, transaction.reader), queue.failures == 0
        else { return }
        try start(queue, at: now, transaction)
    }

    private func makeName() -> StreamName {
        StreamName(Base64.encodeURL(random.bytes(12))) ?? .sample
    }

    private func start(
        _ queue: OutboxRow, at now: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try OutboxStore.schedule(
            queue.peer, failures: queue.failures, dueAt: now + Self.patience, transaction)
        let address = queue.peer
        transaction.onCommit { pushes.deliver(to: address, knock: false) }
    }

    /// Tries those whose time has come.
    func tryDue(_ database: Database) async throws(APIError) {
        let now = clock.timestamp()
        let isDue = try database.read { (reader) throws(APIError) in
            try !OutboxStore.due(at: now, reader).isEmpty
        }
        if !isDue { return }
        try await database.write { (transaction) throws(APIError) in
            for queue in try OutboxStore.due(at: now, transaction.reader) {
                try start(queue, at: now, transaction)
            }
        }
    }

    /// Says to all whom something waits for, or of whom somebody is known here, that this node is
    /// there.
    func knock(_ database: Database) throws(APIError) {
        let peers = try database.read { (reader) throws(APIError) in
            try OutboxStore.stakes(reader)
        }
        for address in peers { pushes.deliver(to: address, knock: true) }
    }

    /// A node was told all up to `number`, or could not be told.
    func settle(
        _ address: ServerAddress, stream: StreamName, through number: Int64?,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        guard let queue = try OutboxStore.find(address, transaction.reader),
            queue.stream == stream
        else { return }
        let now = clock.timestamp()
        if let number {
            try OutboxStore.settle(address, through: number, transaction)
            try OutboxStore.schedule(
                address, failures: 0, dueAt: now + Self.patience, transaction)
        } else {
            let failures = queue.failures + 1
            let pause = min(Duration.seconds(1 << Int64(min(failures, 12))), Self.longestPause)
            try OutboxStore.schedule(
                address, failures: failures, dueAt: now + pause, transaction)
        }
    }

    /// A node has shown that it is there: what waits for it need not wait any longer.
    func heard(
        from address: ServerAddress, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        guard let queue = try OutboxStore.find(address, transaction.reader), queue.failures > 0
        else { return }
        let now = clock.timestamp()
        try OutboxStore.schedule(address, failures: 0, dueAt: now, transaction)
    }
}
