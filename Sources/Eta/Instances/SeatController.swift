import API
import Base
import Domain
import HTTP
import Storage

/// Seats in instances: each is taken, and given back, in one act, so that a capacity is exact
/// however many Reil there are.
struct SeatController: Sendable {
    let node: Node
    let database: Database
    let pushes: Pushes
    let roster: InsRoster
    let keeper: InstanceKeeper
    let placer: InstancePlacer
    let line: WaitingLine

    /// How many players one user may have in one instance, docs/client/socket.md, "In an instance".
    private static let playersOfUser = 4

    init(_ registry: Registry) {
        node = registry.node
        database = registry.database
        pushes = registry.pushes
        roster = registry.roster
        keeper = InstanceKeeper(registry)
        placer = InstancePlacer(roster: registry.roster)
        line = WaitingLine(registry)
    }

    /// What came of wanting a seat.
    private enum Outcome {
        case seated(RegistryAPI.Seat, isPlaced: Bool)
        case waits(QueuePlace)
    }

    func take(
        _ path: RegistryAPI.SeatsPath, _ body: RegistryAPI.SeatRequest, _ context: RequestContext
    ) async throws(APIError) -> RegistryAPI.Seat {
        let caller = context.caller
        guard let person = caller.reference(home: node.address) else {
            throw APIError(caller == .nobody ? .userNotLogged : .wrongCredential)
        }
        guard let run = context.request.head.text(.avrReilRun), !run.isEmpty else {
            throw APIError(.malformedRequest, context: "a seat for no run of a Reil")
        }
        let kind = try kind(asked: body.as, caller)
        let now = context.now
        let outcome = try await database.write { (transaction) throws(APIError) -> Outcome in
            var (row, standing) = try InstanceGate.visible(
                path.instance, to: caller, node, transaction.reader)
            if let refusal = AccessRules.refusal(InstanceAccess(row.tags), standing) {
                throw APIError(refusal)
            }
            let own = try PlayerStore.count(of: person, in: row.id, transaction.reader)
            guard own < Self.playersOfUser else {
                throw APIError(
                    .userNotAllowed, field: "instance", "holds \(own) of your players already")
            }
            // That they wait is to be kept, so it is no failure of this act.
            if let place = try line.admit(person, to: row, at: now, transaction) {
                return .waits(place)
            }
            let isPlaced = try place(&row, transaction)
            var player = PlayerRow(
                id: body.player, instance: row.id, user: person,
                displayname: try displayname(of: caller, now, transaction.reader), kind: kind,
                reil: run, now: now)
            try PlayerStore.insert(&player, transaction)
            if row.connected == 0 { try InstanceStore.setEmpty(row.id, since: nil, transaction) }
            guard let full = try InstanceStore.find(.id(row.id), transaction.reader),
                let hosting = full.hosting
            else { throw APIError(.noInstanceServer) }
            let instance = full.instance(nil, node)
            transaction.onCommit {
                if isPlaced { pushes.host(hosting) }
                pushes.announce(.instance(instance))
            }
            let seated = try PlayerStore.find(player.id, transaction.reader) ?? player
            return .seated(
                RegistryAPI.Seat(player: full.player(seated), hosting: hosting),
                isPlaced: isPlaced)
        }
        switch outcome {
        case .waits(let place): throw .instanceIsFull(place)
        case .seated(let seat, let isPlaced):
            if isPlaced { await pushes.settled() }
            return seat
        }
    }

    func giveBack(
        _ path: RegistryAPI.SeatsPath, _ body: RegistryAPI.SeatReturn, _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        let caller = context.caller
        try await database.write { (transaction) throws(APIError) in
            // What is gone already was given back by an answer that was lost, or taken away.
            guard let player = try PlayerStore.find(body.player, transaction.reader) else {
                return
            }
            guard caller == .gateway || caller.isPerson(player.user, home: node.address) else {
                throw APIError(.playerNotFound)
            }
            try keeper.vacate([player], nil, at: context.now, transaction)
        }
        return Nothing()
    }

    /// What the player is by itself.
    private func kind(asked: String?, _ caller: Caller) throws(APIError) -> PlayerRole {
        switch asked {
        case "bot":
            guard caller.has(.bot) else { throw APIError(.userDontHavePermission) }
            return .bot
        case nil: return caller.isAdministrator ? .admin : .normal
        case .some: throw APIError(.instanceInvalidInput, field: "as", "must be bot")
        }
    }

    /// An instance that lives on without players may have outlived its Ins: whoever wants to enter
    /// has it placed anew, under a higher epoch. Whether that was so.
    private func place(
        _ row: inout InstanceRow, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Bool {
        guard row.tags.contains(.permanent), row.connected == 0,
            row.ins.map({ roster.linked($0) == nil }) ?? true
        else { return false }
        row.ins = try placer.choose(named: nil, transaction.reader)
        row.epoch += 1
        try InstanceStore.place(row, transaction)
        return true
    }

    /// What others see as the caller's name.
    private func displayname(
        of caller: Caller, _ now: Timestamp, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> DisplayName {
        if let user = caller.user {
            guard let row = try UserStore.find(user.id, reader) else {
                throw APIError(.userNotLogged)
            }
            return row.displayname
        }
        guard let visitor = caller.visitor,
            let grant = try IntegrityStore.incoming(visitor.integrity, now: now, reader)
        else { throw APIError(.userNotLogged) }
        return grant.profile.displayname
    }
}
