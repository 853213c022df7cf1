import API
import Base
import Domain
import Storage

/// Bans and mutes as lists, and what moderators do by their sockets: `SanctionAPI`.
struct SanctionController: Sendable {
    let node: Node
    let database: Database
    let pushes: Pushes
    let judge: InstanceJudge

    init(_ registry: Registry) {
        node = registry.node
        database = registry.database
        pushes = registry.pushes
        judge = InstanceJudge(registry)
    }

    func list(
        _ path: SanctionAPI.SanctionsPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Page<Sanction> {
        let (page, node, caller) = (path.page, node, context.caller)
        return try database.read { (reader) throws(APIError) in
            let (row, standing) = try InstanceGate.visible(path.instance, to: caller, node, reader)
            guard standing.isStaff else { throw APIError(.userDontHavePermission) }
            let found = try SanctionStore.page(
                in: row.id, after: page.startText, limit: page.reach, reader)
            return page.page(
                found, total: try SanctionStore.count(in: row.id, reader),
                key: { Array("\($0.user.text) \($0.type.rawValue)".utf8) }
            ) { $0 }
        }
    }

    func impose(
        _ path: SanctionAPI.ModerationPath, _ body: SanctionAPI.Order, _ context: RequestContext
    ) async throws(APIError) -> Sanction {
        let (now, user) = (context.now, body.user.absolute(at: node.address))
        guard let judging = context.caller.reference(home: node.address) else {
            throw APIError(.userNotLogged)
        }
        let order = InstanceJudge.Order(
            type: body.type == .ban ? .ban : .mute, user: user, reason: body.reason,
            until: body.until, by: judging)
        try await database.write { (transaction) throws(APIError) in
            let row = try judged(path.instance, user, context, transaction.reader)
            try NamedPeople.require(user, node, transaction.reader)
            try judge.carryOut(order, in: row, at: now, transaction)
        }
        await pushes.settled()
        return Sanction(
            user: user, type: body.type, reason: body.reason, by: judging, until: body.until,
            createdAt: now)
    }

    func lift(
        _ path: SanctionAPI.ModerationPath, _ body: SanctionAPI.Lifting, _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        let (now, user) = (context.now, body.user.absolute(at: node.address))
        guard let judging = context.caller.reference(home: node.address) else {
            throw APIError(.userNotLogged)
        }
        let types = body.type.map { [$0] } ?? SanctionType.allCases
        try await database.write { (transaction) throws(APIError) in
            let row = try judged(path.instance, user, context, transaction.reader)
            let held = try SanctionStore.all(against: user, in: row.id, transaction.reader)
                .filter { types.contains($0.type) }
            guard !held.isEmpty else { throw APIError(.userNotFound) }
            for sanction in held {
                let order = InstanceJudge.Order(
                    type: sanction.type == .ban ? .unban : .unmute, user: user, by: judging)
                try judge.carryOut(order, in: row, at: now, transaction)
            }
        }
        await pushes.settled()
        return Nothing()
    }

    func moderate(
        _ path: RegistryAPI.ModerationPath, _ body: RegistryAPI.ModerationOrder,
        _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        guard let judging = context.caller.reference(home: node.address) else {
            throw APIError(.userNotLogged)
        }
        guard let type = ModerationType(rawValue: body.type) else {
            throw APIError(.invalidModerationType)
        }
        let now = context.now
        try await database.write { (transaction) throws(APIError) in
            let user: UserReference
            if let named = body.player {
                let found = try PlayerStore.find(named, transaction.reader)
                guard let player = found,
                    let row = try InstanceStore.find(path.instance, transaction.reader),
                    player.instance == row.id
                else { throw APIError(.playerNotFound) }
                user = player.user
            } else if let named = body.user {
                user = named.absolute(at: node.address)
            } else {
                throw APIError(.playerNotFound)
            }
            let row = try judged(path.instance, user, context, transaction.reader)
            if body.player == nil {
                do throws(APIError) {
                    try NamedPeople.require(user, node, transaction.reader)
                } catch { throw APIError(.playerNotFound) }
            }
            let order = InstanceJudge.Order(
                type: type, user: user, reason: body.reason, until: body.until, by: judging)
            try judge.carryOut(order, in: row, at: now, transaction)
        }
        await pushes.settled()
        return Nothing()
    }

    /// The instance, if the caller may keep order in it about that user.
    private func judged(
        _ instance: InstanceSelector, _ user: UserReference, _ context: RequestContext,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> InstanceRow {
        let (row, standing) = try InstanceGate.visible(
            instance, to: context.caller, node, reader)
        try judge.requireRank(standing, over: user, in: row, reader)
        return row
    }
}
