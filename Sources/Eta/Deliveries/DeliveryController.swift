import API
import Base
import Domain
import Storage

/// What this node and others tell each other, between Eta and its Reil: the deliveries of
/// `RegistryAPI`.
struct DeliveryController: Sendable {
    let node: Node
    let database: Database
    let pushes: Pushes
    let outbox: Outbox
    let instances: InstanceKeeper
    let news: UserNews
    let rules: RuleBook
    let reports: Int
    let invitations: InvitationRate

    init(_ registry: Registry) {
        node = registry.node
        database = registry.database
        pushes = registry.pushes
        outbox = Outbox(registry)
        instances = InstanceKeeper(registry)
        news = UserNews(registry)
        invitations = InvitationRate(clock: registry.ambient.clock)
        rules = registry.rules
        reports = registry.settings.rules.reports
    }

    func pending(
        _ path: RegistryAPI.DeliveriesPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> DeliveryAPI.Batch {
        try database.read { (reader) throws(APIError) in
            guard let queue = try OutboxStore.find(path.address, reader) else {
                return DeliveryAPI.Batch(stream: .sample, items: [])
            }
            var items = try OutboxStore.items(
                for: path.address, limit: DeliveryAPI.itemLimit, reader)
            // A batch has its bytes, too; one item always fits.
            var size = 1_024
            for (index, item) in items.enumerated() {
                size += JSONCoder.encode(item).count + 1
                if size > DeliveryAPI.byteLimit {
                    items = Array(items.prefix(max(1, index)))
                    break
                }
            }
            return DeliveryAPI.Batch(stream: queue.stream, items: items)
        }
    }

    func settle(
        _ path: RegistryAPI.DeliveriesPath, _ body: RegistryAPI.DeliveryOutcome,
        _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        try await database.write { (transaction) throws(APIError) in
            try outbox.settle(
                path.address, stream: body.stream, through: body.through, transaction)
        }
        return Nothing()
    }

    func take(
        _ path: RegistryAPI.DeliveriesPath, _ body: RegistryAPI.Deliveries,
        _ context: RequestContext
    ) async throws(APIError) -> DeliveryAPI.Receipt {
        let (peer, now) = (path.address, context.now)
        let refused = try await database.write { (transaction) throws(APIError) in
            let last = try InboxStore.last(of: peer, body.stream, transaction.reader)
            var refused: [DeliveryAPI.Refused] = []
            for item in body.items where item.id > last {
                // An act is done whole or refused before it begins, so one that is refused leaves
                // nothing behind.
                do throws(APIError) {
                    try apply(item.word, from: peer, at: now, transaction)
                } catch {
                    // What this node could not do just now is told again.
                    guard error.code != .internalError, error.code != .overloaded else {
                        throw error
                    }
                    refused.append(DeliveryAPI.Refused(id: item.id, code: error.code))
                }
            }
            if body.through > last {
                try InboxStore.set(body.through, of: peer, body.stream, transaction)
            }
            try outbox.heard(from: peer, transaction)
            return refused
        }
        return DeliveryAPI.Receipt(applied: body.items.count - refused.count, refused: refused)
    }

    private func apply(
        _ word: DeliveryWord, from peer: ServerAddress, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        switch word {
        case .follow(let user, let target):
            try requireOwn(user, of: peer)
            if rules.action(on: peer) != .allow { throw APIError(.serverDenied) }
            let target = try requireHere(target, transaction.reader)
            try follow(user, target, at: now, transaction)
        case .unfollow(let user, let target):
            try requireOwn(user, of: peer)
            let target = try requireHere(target, transaction.reader)
            if try FollowStore.delete(user, follows: target, transaction) {
                try PersonAbroadStore.forgetIfStrange(user, transaction)
            }
        case .user(let profile):
            let person = UserReference(profile.id, at: profile.server)
            try requireOwn(person, of: peer)
            if try FollowStore.isKnown(person, transaction.reader) {
                try PersonAbroadStore.set(profile, transaction)
                try news.changed(abroad: person, transaction)
            }
            try IntegrityStore.describe(profile, as: person, transaction)
        case .userDeleted(let user):
            try requireOwn(user, of: peer)
            try removeAll(of: user, at: now, transaction)
        case .status(let user, let status):
            try requireOwn(user, of: peer)
            try PersonAbroadStore.set(status, of: user, transaction)
            try news.changed(abroad: user, transaction)
        case .report(let about, let reason):
            let about = about.absolute(at: node.address)
            guard about.server == node.address else { throw APIError(.objectNotInternal) }
            _ = try ReportStore.add(
                about, reason, from: peer, limit: reports, at: now, transaction)
        case .candidate(let instance, let user, let by, let action):
            let user = try requireHere(user, transaction.reader)
            try invitations.count(from: peer, for: user)
            let told = CandidateNotice(
                instance: "\(instance)@\(peer)", user: user, by: by.absolute(at: peer),
                action: action)
            transaction.onCommit { pushes.tell(.instanceCandidate, to: [user], told) }
        }
    }

    /// What `instance-candidate` says of an instance of another node.
    private struct CandidateNotice: Encodable {
        let instance: String
        let user: UserReference
        let by: UserReference
        let action: CandidateAction
    }

    private func requireOwn(_ user: UserReference, of peer: ServerAddress) throws(APIError) {
        guard user.server == peer else { throw APIError(.objectNotInternal) }
    }

    private func requireHere(
        _ user: UserReference, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> UserReference {
        let user = user.absolute(at: node.address)
        guard user.isInternal(to: node.address), try UserStore.find(user.id, reader) != nil else {
            throw APIError(.userNotFound)
        }
        return user
    }

    private func follow(
        _ user: UserReference, _ target: UserReference, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        if try FollowStore.since(user, follows: target, transaction.reader) != nil { return }
        // Who is followed by ten thousand strangers is told of no more of them by one node.
        guard
            try FollowStore.countFollowers(of: target, from: user, transaction.reader)
                < FollowStore.limit
        else { throw APIError(.userInvalidInput) }
        try FollowStore.insert((user, nil), follows: (target, target.id), at: now, transaction)
        // Whoever follows has a stake in how they are.
        try news.introduce(target.id, to: user, transaction)
    }

    private func removeAll(
        of user: UserReference, at now: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try FollowStore.deleteAll(of: user, transaction)
        try PersonAbroadStore.delete(user, transaction)
        try instances.removeAll(of: user, at: now, transaction)
        for grant in try IntegrityStore.incoming(of: user, now: now, transaction.reader) {
            try IntegrityStore.deleteIncoming(grant.id, transaction)
            transaction.onCommit { pushes.revoke(.integrity(grant.id)) }
        }
    }
}
