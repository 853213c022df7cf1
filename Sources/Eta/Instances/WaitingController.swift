import API
import Base
import Domain
import Storage

/// The queue of an instance, requests to enter it and invitations to it: `WaitingAPI`.
struct WaitingController: Sendable {
    let node: Node
    let database: Database
    let pushes: Pushes
    let line: WaitingLine
    let outbox: Outbox
    /// How many may have asked, or been invited, at one instance.
    let limit: Int

    /// So often a place in the queue is asked for in writing.
    private static let noteInterval = Duration.seconds(5)
    /// So many of a queue the staff is shown.
    private static let shown = 1_000

    init(_ registry: Registry) {
        node = registry.node
        database = registry.database
        pushes = registry.pushes
        line = WaitingLine(registry)
        outbox = Outbox(registry)
        limit = registry.settings.waiting.candidateLimit
    }

    /// What `instance-candidate` says.
    private struct Notice: Encodable {
        let instance: InstanceID
        let user: UserReference
        let by: UserReference
        let action: CandidateAction
    }

    // MARK: Looking

    func queue(
        _ path: WaitingAPI.QueuePath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> InstanceQueue {
        let (node, caller) = (node, context.caller)
        let (queue, own) = try database.read { (reader) throws(APIError) in
            let (row, standing) = try InstanceGate.visible(path.instance, to: caller, node, reader)
            return try look(at: row, standing, context, reader)
        }
        try await note(own, context)
        return queue
    }

    func candidates(
        _ path: WaitingAPI.CandidatesPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> WaitingAPI.Candidates {
        let (node, caller, page) = (node, context.caller, path.page)
        let (answer, own) = try database.read {
            (reader) throws(APIError) -> (WaitingAPI.Candidates, WaitingRow?) in
            let (row, standing) = try InstanceGate.visible(path.instance, to: caller, node, reader)
            guard standing.isStaff else {
                let (queue, own) = try look(at: row, standing, context, reader)
                let known = try candidate(caller, row, reader)
                guard own != nil || known != nil else { throw APIError(.userDontHavePermission) }
                return (.queue(queue), own)
            }
            let found = try CandidateStore.page(
                in: row.id, after: page.startText, limit: page.reach, reader)
            let list = page.page(
                found, total: try CandidateStore.count(in: row.id, reader),
                key: { Array($0.user.text.utf8) }
            ) { $0.candidate }
            return (.list(list), nil)
        }
        try await note(own, context)
        return answer
    }

    private func candidate(
        _ caller: Caller, _ row: InstanceRow, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> CandidateRow? {
        guard let person = caller.reference(home: node.address) else { return nil }
        return try CandidateStore.find(person, in: row.id, reader)
    }

    private func look(
        at row: InstanceRow, _ standing: InstanceStanding, _ context: RequestContext,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (InstanceQueue, own: WaitingRow?) {
        var queue = InstanceQueue(length: try WaitingStore.length(of: row.id, reader))
        var own: WaitingRow?
        if let person = context.caller.reference(home: node.address),
            let entry = try WaitingStore.find(person, in: row.id, reader)
        {
            own = entry
            queue.position = try WaitingStore.position(of: entry, reader)
            queue.heldUntil = entry.heldUntil
        }
        if standing.isStaff {
            var position = 0
            queue.items = try WaitingStore.all(in: row.id, limit: Self.shown, reader).map { entry in
                if entry.heldUntil == nil { position += 1 }
                return entry.candidate(at: entry.heldUntil == nil ? position : 0)
            }
        }
        return (queue, own)
    }

    /// Who asks is still there. It is written down only where that is news.
    private func note(_ entry: WaitingRow?, _ context: RequestContext) async throws(APIError) {
        let now = context.now
        guard let entry, entry.askedAt + Self.noteInterval < now else { return }
        try await database.write { (transaction) throws(APIError) in
            try WaitingStore.note(entry.user, in: entry.instance, at: now, transaction)
        }
    }

    // MARK: Coming

    func apply(
        _ path: WaitingAPI.CandidatePath, _ body: WaitingAPI.About, _ context: RequestContext
    ) async throws(APIError) -> Candidate {
        guard let person = context.caller.reference(home: node.address) else {
            throw APIError(.userNotLogged)
        }
        let other = body.user?.absolute(at: node.address)
        return try await database.write { (transaction) throws(APIError) in
            let (row, standing) = try InstanceGate.visible(
                path.instance, to: context.caller, node, transaction.reader)
            if let other, other != person {
                return try letIn(other, by: person, to: row, standing, context, transaction)
            }
            let access = InstanceAccess(row.tags)
            guard let refusal = AccessRules.refusal(access, standing) else {
                let entry = try line.join(person, row, at: context.now, transaction)
                return entry.candidate(
                    at: try WaitingStore.position(of: entry, transaction.reader))
            }
            guard refusal == .userNotAllowed, !standing.isBanned,
                access == .invitePlus || access == .inviteOnly
            else { throw APIError(refusal) }
            return try ask(person, row, context, transaction)
        }
    }

    private func ask(
        _ person: UserReference, _ row: InstanceRow, _ context: RequestContext,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Candidate {
        if let known = try CandidateStore.find(person, in: row.id, transaction.reader) {
            return known.candidate
        }
        let candidate = Candidate(user: person, state: .asked, since: context.now)
        try set(candidate, in: row, transaction)
        try tell(person, .asked, by: person, row, transaction)
        return candidate
    }

    /// Invites somebody, or lets in who has asked.
    private func letIn(
        _ other: UserReference, by person: UserReference, to row: InstanceRow,
        _ standing: InstanceStanding, _ context: RequestContext,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Candidate {
        guard try mayInvite(person, to: row, standing, context, transaction.reader) else {
            throw APIError(.userDontHavePermission)
        }
        try NamedPeople.require(other, node, transaction.reader)
        if try SanctionStore.isBarred(other, from: row.id, transaction.reader) {
            throw APIError(.userNotAllowed, field: "user", "is banned")
        }
        let known = try CandidateStore.find(other, in: row.id, transaction.reader)
        let hasAsked = known?.state == .asked
        let candidate = Candidate(
            user: other, state: hasAsked ? .admitted : .invited, by: person, since: context.now)
        try set(candidate, in: row, transaction)
        try tell(other, hasAsked ? .admitted : .invited, by: person, row, transaction)
        return candidate
    }

    private func mayInvite(
        _ person: UserReference, to row: InstanceRow, _ standing: InstanceStanding,
        _ context: RequestContext, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Bool {
        if context.caller.visitor?.limited == true { return false }
        if standing.isStaff { return true }
        guard standing.isMember else { return false }
        switch InstanceAccess(row.tags) {
        case .friendsPlus, .invitePlus: return true
        case .everybody, .friendsOnly, .inviteOnly, .staffOnly:
            guard let master = row.master else { return false }
            return try PlayerStore.find(master, reader)?.user == person
        }
    }

    private func set(
        _ candidate: Candidate, in row: InstanceRow,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        guard try CandidateStore.count(in: row.id, transaction.reader) < limit else {
            throw APIError(
                .userNotAllowed, field: "instance", "has as many candidates as it may have")
        }
        try CandidateStore.set(candidate, in: row.id, transaction)
    }

    // MARK: Going

    func withdraw(
        _ path: WaitingAPI.CandidatePath, _ body: WaitingAPI.About, _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        guard let person = context.caller.reference(home: node.address) else {
            throw APIError(.userNotLogged)
        }
        let other = body.user?.absolute(at: node.address) ?? person
        let now = context.now
        return try await database.write { (transaction) throws(APIError) in
            let (row, standing) = try InstanceGate.visible(
                path.instance, to: context.caller, node, transaction.reader)
            guard other == person || standing.isStaff else {
                throw APIError(.userDontHavePermission)
            }
            let hasWaited = try line.remove(other, from: row.id, at: now, transaction)
            let wasCandidate = try CandidateStore.delete(other, from: row.id, transaction)
            if other != person, !hasWaited, !wasCandidate { throw APIError(.userNotFound) }
            if wasCandidate || other != person {
                try tell(other, other == person ? .left : .refused, by: person, row, transaction)
            }
            return Nothing()
        }
    }

    /// The candidate, here and at their home, and who may let them in.
    private func tell(
        _ user: UserReference, _ action: CandidateAction, by person: UserReference,
        _ row: InstanceRow, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        if let home = user.server, home != node.address, user != person {
            let word = DeliveryWord.candidate(
                instance: row.id, user: user, by: person, action: action)
            try outbox.append(word, for: home, transaction)
        }
        let people = Set([user, row.owner] + row.moderators)
        let instance = row.id
        let notice = Notice(instance: instance, user: user, by: person, action: action)
        transaction.onCommit {
            pushes.tell(.instanceCandidate, of: instance, to: Array(people), notice)
        }
    }
}

extension WaitingRow {
    /// As the staff and the one who waits see it.
    fileprivate func candidate(at position: Int) -> Candidate {
        Candidate(
            user: user, state: heldUntil == nil ? .queued : .held, since: askedAt,
            position: position, heldUntil: heldUntil)
    }
}
