import API
import Base
import Domain
import HTTP

/// Rooms, as far as the sockets of one loop are in them: coming, being told, leaving.
extension SocketLoop {
    /// A room as far as this loop has members of it.
    final class Room {
        var members: [(player: PlayerID, session: SocketSession)] = []
    }

    /// A seat that nobody sits on any more.
    struct SeatReturn {
        let instance: InstanceSelector
        let player: PlayerID
        let caller: Caller
    }

    /// How long an Ins may take to let a player in.
    private static let joinTime = Duration.seconds(5)

    /// Brings what a room says to its members here.
    func deliver(_ slices: BatchSlices) {
        guard let room = rooms[slices.instance] else { return }
        for (player, session) in room.members {
            let sink = session.sink
            if sink.pending > services.queue / 4 || session.excess?.hasUnread == true {
                deliverSlowly(slices, player, session)
            } else {
                let parts = slices.parts(for: player)
                if !parts.isEmpty { sink.send(framed: parts) }
            }
        }
    }

    /// State waits until the client has read what it has; events may not wait for ever.
    private func deliverSlowly(
        _ slices: BatchSlices, _ player: PlayerID, _ session: SocketSession
    ) {
        let (events, states) = slices.split(for: player)
        if !events.isEmpty {
            let size = events.reduce(0) { $0 + $1.count }
            guard hasRoom(for: size, session) else { return end(session, .slow) }
            session.sink.send(framed: events)
            for event in events { session.excess?.forgetLeft(in: event, of: slices.instance) }
        }
        for state in states { excess(of: session).keep(unread: state, of: slices.instance) }
    }

    func excess(of session: SocketSession) -> Excess {
        if let excess = session.excess { return excess }
        let excess = Excess()
        session.excess = excess
        return excess
    }

    /// A seat is taken: the Ins is asked to let the player in, and its answer answers `frame`.
    ///
    /// - Throws: as `InsRoster.enter`.
    func enter(
        _ session: SocketSession, _ seat: RegistryAPI.Seat, _ frame: SocketFrame
    ) throws(APIError) {
        let instance = seat.hosting.instance
        var place = InsRoster.Seat(player: seat.player, loop: index, socket: session.number)
        try services.roster.enter(&place, instance)
        session.memberships.append(
            Membership(
                instance: instance, player: seat.player.id,
                pending: PendingJoin(frame: frame, deadline: now + Self.joinTime),
                isMuted: place.player.muted))
        joining.insert(session.number)
    }

    /// The Ins has let a player in: from here on it hears the room.
    func entered(
        _ instance: InstanceID, _ player: PlayerID, _ snapshot: [UInt8], at number: Int
    ) {
        guard let session = sessions[number],
            let place = session.memberships.firstIndex(where: { $0.player == player }),
            let frame = session.memberships[place].pending?.frame
        else { return }
        session.memberships[place].pending = nil
        remember(session)
        if !session.memberships.contains(where: { $0.pending != nil }) { joining.remove(number) }
        let answer = frame.answer { $0.append(snapshot) }
        guard hasRoom(forSnapshot: answer.count, session) else { return end(session, .slow) }
        session.sink.send(text: answer)
        let room = rooms[instance] ?? Room()
        room.members.append((player, session))
        rooms[instance] = room
    }

    /// The room's Ins was away, and is back or another: what was said meanwhile is lost, so its
    /// members are told the room as it is, all by the same bytes.
    func rehosted(_ instance: InstanceID, _ frame: [UInt8]) {
        for (_, session) in rooms[instance]?.members ?? [] {
            session.excess?.forgetUnread(instance)
            if hasRoom(forSnapshot: frame.count, session) {
                session.sink.send(framed: [frame[...]])
            } else {
                end(session, .slow)
            }
        }
    }

    /// Whether a snapshot may be sent, which may be larger than what may wait: one at a time.
    private func hasRoom(forSnapshot size: Int, _ session: SocketSession) -> Bool {
        if session.sink.pending > services.queue { return false }
        // A smaller one needs no more than there is, and nobody says when it was read.
        if size > services.queue / 4 { session.snapshotBytes = size }
        return true
    }

    /// The Ins has not, and will not.
    func notEntered(_ instance: InstanceID, _ player: PlayerID) {
        guard let session = member(instance, player),
            let pending = session.membership(in: instance)?.pending
        else { return }
        leave(session, instance, .disconnected)
        guard let frame = pending.frame else { return missedRoom(instance, session) }
        send(frame.refusal(APIError(.noInstanceServer)), to: session)
    }

    private func member(_ instance: InstanceID, _ player: PlayerID) -> SocketSession? {
        if let member = rooms[instance]?.members.first(where: { $0.player == player }) {
            return member.session
        }
        return joining.lazy.compactMap { self.sessions[$0] }.first { session in
            session.memberships.contains { $0.player == player }
        }
    }

    /// A player leaves by its own doing: the room and Eta are told. Returns when Eta knows.
    private func leave(_ session: SocketSession, _ instance: InstanceID, _ type: LeaveType) {
        guard let membership = remove(session, instance), let identity = session.identity else {
            return
        }
        services.roster.leave(instance, membership.player, type)
        let caller = identity.caller
        Task.immediate { await self.returnSeat(.id(instance), membership.player, caller) }
    }

    func leaveOne(_ session: SocketSession, _ instance: InstanceID) {
        leave(session, instance, .disconnected)
    }

    func leaveAll(_ session: SocketSession) {
        for membership in session.memberships { leave(session, membership.instance, .disconnected) }
    }

    /// Takes a player out of the tables.
    func remove(_ session: SocketSession, _ instance: InstanceID) -> Membership? {
        guard let place = session.memberships.firstIndex(where: { $0.instance == instance }) else {
            return nil
        }
        let membership = session.memberships.remove(at: place)
        session.excess?.forget(instance)
        if let room = rooms[instance] {
            room.members.removeAll { $0.player == membership.player }
            if room.members.isEmpty { rooms[instance] = nil }
        }
        if !session.memberships.contains(where: { $0.pending != nil }) {
            joining.remove(session.number)
        }
        return membership
    }

    /// Gives a seat back. Where Eta does not take it now it is owed, until Eta does or its link
    /// stands anew: then Eta is told who sits here, and frees all others.
    func returnSeat(
        _ instance: InstanceSelector, _ player: PlayerID, _ caller: Caller
    ) async {
        let seat = SeatReturn(instance: instance, player: player, caller: caller)
        if await isTaken(seat) { return }
        owed.append(seat)
        startTicking()
    }

    private func isTaken(_ seat: SeatReturn) async -> Bool {
        do throws(APIError) {
            let _: Nothing = try await services.eta.call(
                RegistryAPI.returnSeat, RegistryAPI.SeatReturn(player: seat.player),
                captures: [seat.instance.text], as: seat.caller, on: loop)
            return true
        } catch {
            return !error.code.isRetryable
        }
    }

    /// Offers Eta what it is owed, one after the other, as long as it takes them.
    func returnOwed() async {
        if isReturning { return }
        isReturning = true
        defer { isReturning = false }
        while let seat = owed.popLast() {
            let losses = etaLosses
            if await isTaken(seat) { continue }
            if losses == etaLosses { owed.append(seat) }
            return
        }
    }

    /// An instance is over.
    func closed(_ instance: InstanceID) {
        let members = rooms[instance]?.members.map(\.session) ?? []
        let late = joining.compactMap { sessions[$0] }.filter { $0.membership(in: instance) != nil }
        for session in members + late { putOut(session, instance, .closed) }
    }

    /// A player's seat is gone.
    func dismissed(_ instance: InstanceID, _ player: PlayerID, _ type: LeaveType) {
        services.roster.leave(instance, player, type)
        if let session = member(instance, player) { putOut(session, instance, type) }
    }

    /// What a player says is dropped from now on, or no more.
    func setMuted(_ player: PlayerID, in instance: InstanceID, _ isMuted: Bool) {
        guard let session = member(instance, player),
            let place = session.memberships.firstIndex(where: { $0.player == player })
        else { return }
        session.memberships[place].isMuted = isMuted
    }

    /// A player leaves since Eta says so.
    private func putOut(_ session: SocketSession, _ instance: InstanceID, _ type: LeaveType) {
        guard let membership = remove(session, instance) else { return }
        if let pending = membership.pending {
            guard let frame = pending.frame else { return missedRoom(instance, session) }
            return send(frame.refusal(APIError(.instanceNotFound)), to: session)
        }
        let left = SocketMessages.Left(
            instance: instance, player: membership.player, type: type)
        send(
            EventFrame.make(
                .instanceLeft, subgroup: instance.text, sequence: nil, data: EncodedJSON(left)),
            to: session)
    }
}
