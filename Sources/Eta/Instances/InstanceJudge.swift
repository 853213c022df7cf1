import API
import Base
import Domain
import Storage

/// Keeps order in instances: what is done about players, inside an act of writing.
struct InstanceJudge: Sendable {
    let node: Node
    let pushes: Pushes
    let keeper: InstanceKeeper
    let line: WaitingLine

    /// How long who was kicked has to stay out, docs/client/socket.md.
    private static let kickTime = Duration.seconds(60)
    /// How many bans and mutes one instance keeps.
    private static let limit = 10_000

    init(_ registry: Registry) {
        node = registry.node
        pushes = registry.pushes
        keeper = InstanceKeeper(registry)
        line = WaitingLine(registry)
    }

    /// What is to be done about whom.
    struct Order {
        var type: ModerationType
        /// With their home.
        var user: UserReference
        var reason: Reason?
        /// When it ends by itself.
        var until: Timestamp?
        /// Who says so.
        var by: UserReference
    }

    /// What `instance-moderation` says.
    private struct Notice: Encodable {
        let instance: InstanceID
        let player: PlayerID?
        let user: UserReference
        let by: UserReference
        let type: ModerationType
        let reason: Reason?
        let until: Timestamp?
    }

    /// Refuses who may not keep order, or not about that user: nobody among their equals.
    ///
    /// - Throws: 4.
    func requireRank(
        _ standing: InstanceStanding, over user: UserReference, in row: InstanceRow,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) {
        let rank = ModerationRank(standing)
        guard rank.mayModerate, try self.rank(of: user, in: row, reader) < rank else {
            throw APIError(.userDontHavePermission)
        }
    }

    private func rank(
        of user: UserReference, in row: InstanceRow, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> ModerationRank {
        var standing = InstanceStanding()
        if user.isInternal(to: node.address) {
            standing.isAdministrator = try UserStore.tags(user.id, reader).contains(.admin)
        }
        standing.isOwner = row.owner == user
        standing.isModerator = row.moderators.contains(user)
        return ModerationRank(standing)
    }

    /// Does it.
    ///
    /// - Throws: 50 where it needs a player and there is none, 33 for an end that is past, or where
    ///   no more is kept.
    func carryOut(
        _ order: Order, in row: InstanceRow, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        if let until = order.until, until <= now {
            throw APIError(.instanceInvalidInput, field: "until", "must be yet to come")
        }
        let players = try PlayerStore.all(of: order.user, transaction.reader).filter {
            $0.instance == row.id
        }
        switch order.type {
        case .kick:
            guard !players.isEmpty else { throw APIError(.playerNotFound) }
            try set(.kick, order, in: row, until: now + Self.kickTime, at: now, transaction)
            tell(order, row, players.first, transaction)
            try keeper.vacate(players, .kicked, at: now, transaction)
        case .ban:
            try set(.ban, order, in: row, until: order.until, at: now, transaction)
            _ = try line.remove(order.user, from: row.id, at: now, transaction)
            _ = try CandidateStore.delete(order.user, from: row.id, transaction)
            tell(order, row, players.first, transaction)
            try keeper.vacate(players, .banned, at: now, transaction)
        case .mute:
            try set(.mute, order, in: row, until: order.until, at: now, transaction)
            tell(order, row, players.first, transaction)
            setMuted(players, in: row, true, transaction)
        case .unmute, .unban:
            let kind: SanctionStore.Kind = order.type == .unmute ? .mute : .ban
            tell(order, row, players.first, transaction)
            try lift(kind, from: order.user, in: row.id, transaction)
        case .warn:
            guard !players.isEmpty else { throw APIError(.playerNotFound) }
            tell(order, row, players.first, transaction)
        }
    }

    private func set(
        _ kind: SanctionStore.Kind, _ order: Order, in row: InstanceRow, until end: Timestamp?,
        at now: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        guard try SanctionStore.count(in: row.id, transaction.reader) < Self.limit else {
            throw APIError(
                .instanceInvalidInput, field: "user", "no more than \(Self.limit) are kept")
        }
        try SanctionStore.set(
            kind, against: order.user, in: row.id, reason: order.reason, by: order.by,
            until: end, at: now, transaction)
    }

    /// Something holds against somebody no more.
    func lift(
        _ kind: SanctionStore.Kind, from user: UserReference, in instance: InstanceID,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        guard try SanctionStore.delete(kind, against: user, in: instance, transaction),
            kind == .mute, let row = try InstanceStore.find(.id(instance), transaction.reader)
        else { return }
        let players = try PlayerStore.all(of: user, transaction.reader)
        setMuted(players.filter { $0.instance == instance }, in: row, false, transaction)
    }

    private func setMuted(
        _ players: [PlayerRow], in row: InstanceRow, _ isMuted: Bool,
        _ transaction: borrowing Transaction<APIError>
    ) {
        let ids = players.map(\.id)
        guard !ids.isEmpty else { return }
        let instance = row.id
        transaction.onCommit { pushes.setMuted(ids, in: instance, isMuted) }
    }

    /// The one concerned and who else keeps order.
    private func tell(
        _ order: Order, _ row: InstanceRow, _ player: PlayerRow?,
        _ transaction: borrowing Transaction<APIError>
    ) {
        let notice = Notice(
            instance: row.id, player: player?.id, user: order.user, by: order.by,
            type: order.type, reason: order.reason, until: order.until)
        let people = Set([order.user, row.owner] + row.moderators)
        let instance = row.id
        transaction.onCommit {
            pushes.tell(.instanceModeration, of: instance, to: Array(people), notice)
        }
    }
}
