import API
import Base
import Domain
import Storage

/// How administrators keep order on the node: `ModerationAPI`.
struct ModerationController: Sendable {
    let node: Node
    let database: Database
    let pushes: Pushes
    let ending: SessionEnding
    let clock: any ClockSource

    init(_ registry: Registry) {
        node = registry.node
        database = registry.database
        pushes = registry.pushes
        ending = registry.ending
        clock = registry.ambient.clock
    }

    func suspended(
        _ path: Paged<ModerationAPI.UsersPath>, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Page<ModerationAPI.Suspension> {
        let page = path.page
        return try await database.scan { (reader) throws(APIError) in
            let (found, total) = try SuspensionStore.page(
                search: page.folded, after: page.startText, limit: page.reach, reader)
            return page.page(found, total: total, key: { Array($0.user.text.utf8) }) { $0 }
        }
    }

    func suspend(
        _ path: ModerationAPI.UsersPath, _ body: ModerationAPI.Suspending,
        _ context: RequestContext
    ) async throws(APIError) -> ModerationAPI.Suspension {
        let (now, caller) = (context.now, context.caller)
        guard let judge = caller.reference(home: node.address) else {
            throw APIError(.userNotLogged)
        }
        if let until = body.until, until <= now {
            throw APIError(.userInvalidInput, field: "until", "must be yet to come")
        }
        let suspension = ModerationAPI.Suspension(
            user: body.user.absolute(at: node.address), reason: body.reason, by: judge,
            until: body.until, createdAt: now)
        try await suspend([suspension], by: caller, at: now)
        return suspension
    }

    /// All of them, or none; back when nobody of them acts any more, anywhere on this node.
    func suspend(
        _ suspensions: [ModerationAPI.Suspension], by caller: Caller, at now: Timestamp
    ) async throws(APIError) {
        try await database.write { (transaction) throws(APIError) in
            for suspension in suspensions {
                try requireBelow(suspension.user, transaction.reader)
                try SuspensionStore.set(suspension, transaction)
                try end(suspension.user, at: now, transaction)
                try AuditLog.note(
                    .suspend, suspension.user.text, reason: suspension.reason, by: caller, node,
                    at: now, transaction)
            }
        }
        await pushes.settled()
    }

    /// Refuses who cannot be suspended: the node's own account, and who could lift it at once.
    ///
    /// - Throws: 17 for one of this node who does not exist, 4.
    private func requireBelow(
        _ user: UserReference, _ reader: borrowing Reader<APIError>
    ) throws(APIError) {
        try NamedPeople.require(user, node, reader)
        guard user.isInternal(to: node.address) else { return }
        guard user.id != node.account, try !UserStore.tags(user.id, reader).contains(.admin) else {
            throw APIError(.userDontHavePermission, field: "user", "is an administrator")
        }
    }

    /// Ends all by which somebody acts here.
    private func end(
        _ user: UserReference, at now: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        if user.isInternal(to: node.address) {
            return try ending.endAll(of: user.id, as: .user(user.id), transaction)
        }
        let grants = try IntegrityStore.incoming(of: user, now: now, transaction.reader)
        for grant in grants { try IntegrityStore.deleteIncoming(grant.id, transaction) }
        transaction.onCommit {
            // Sockets hear why before what they rest on is gone.
            pushes.revoke(.visitor(user))
            for grant in grants { pushes.revoke(.integrity(grant.id)) }
        }
    }

    func unsuspend(
        _ path: ModerationAPI.UsersPath, _ body: ModerationAPI.Lifting, _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        let (now, caller) = (context.now, context.caller)
        let user = body.user.absolute(at: node.address)
        return try await database.write { (transaction) throws(APIError) in
            guard try SuspensionStore.delete(user, transaction) else {
                throw APIError(.userNotFound)
            }
            try AuditLog.note(
                .unsuspend, user.text, reason: body.reason, by: caller, node, at: now,
                transaction)
            return Nothing()
        }
    }

    func log(
        _ path: Paged<ModerationAPI.LogPath>, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Page<ModerationAPI.LogEntry> {
        let page = path.page
        let before = page.after.flatMap { Int64(String(decoding: $0.key, as: UTF8.self)) }
        return try await database.scan { (reader) throws(APIError) in
            let (found, total) = try AuditLog.page(
                search: page.folded, before: before, limit: page.reach, reader)
            return page.page(found, total: total, key: { Array("\($0.id)".utf8) }) { $0 }
        }
    }

    /// Forgets what has ended by itself.
    func sweep() async throws(APIError) {
        let now = clock.timestamp()
        let isDue = try database.read { (reader) throws(APIError) in
            try SuspensionStore.isAnyOver(at: now, reader)
        }
        if !isDue { return }
        try await database.write { (transaction) throws(APIError) in
            try SuspensionStore.sweep(at: now, transaction)
        }
    }
}
