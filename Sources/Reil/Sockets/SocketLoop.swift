import API
import Base
import Domain
import HTTP

/// What all sockets of a Reil have in common.
struct SocketServices: Sendable {
    let eta: EtaLink
    let authenticator: Authenticator
    let roster: InsRoster
    let counts: SocketCounts
    let ambient: Ambient
    /// Bytes that may wait for one socket.
    let queue: Int
    /// How long sockets outlive the link to Eta.
    let orphanGrace: Duration
}

/// All client sockets of one loop: an actor whose executor is that loop, so that what one socket
/// says reaches another without a lock, and an idle one costs an entry in a table.
actor SocketLoop {
    /// How often deadlines are looked at, for all sockets at once.
    private static let tick = Duration.seconds(1)
    /// How soon a transform that came too fast is looked at again.
    private static let release = Duration.milliseconds(25)
    /// How long an Ins may take to let a player in.
    private static let joinTime = Duration.seconds(5)

    /// Sockets that Eta is asked about at once, and how often it is asked again.
    private static let recheckSize = 500
    private static let recheckTries = 10

    /// A room as far as this loop has members of it.
    private final class Room {
        var members: [(player: PlayerID, session: SocketSession)] = []
    }

    nonisolated let loop: any LoopExecutor
    let index: Int
    let services: SocketServices
    private var sessions: [Int: SocketSession] = [:]
    private var lastNumber = 0
    private var people: [Person: [SocketSession]] = [:]
    /// Those that subscribe to something that is not sent anyway.
    private var listeners: Set<Int> = []
    /// Those that have not logged in, the oldest first; some are gone or have.
    private var anonymous: [Int] = []
    private var visitors: Set<Int> = []
    private var joining: Set<Int> = []
    private var rooms: [InstanceID: Room] = [:]
    /// Those whose client speaks too fast.
    private var hasty: Set<Int> = []
    private var isTicking = false
    private var isReleasing = false
    private var etaLostAt: Instant?

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe loop.asUnownedSerialExecutor()
    }

    init(_ loop: any LoopExecutor, index: Int, services: SocketServices) {
        self.loop = loop
        self.index = index
        self.services = services
    }

    /// Does something on the loop: at once where that is here.
    nonisolated func onLoop(_ body: @escaping @Sendable (isolated SocketLoop) -> Void) {
        if loop.isCurrent {
            assumeIsolated { body($0) }
        } else {
            loop.execute { self.assumeIsolated { body($0) } }
        }
    }

    func session(_ number: Int) -> SocketSession? { sessions[number] }

    private var now: Instant { services.ambient.clock.now() }
}

// Opening and closing.
extension SocketLoop {
    /// How a socket begins.
    struct Opening: Sendable {
        /// What the upgrade showed.
        let credential: (form: CredentialForm, token: [UInt8])?
        let place: SocketCounts.Place
    }

    /// Takes a socket over.
    nonisolated func open(_ sink: any WebSocketSink, _ opening: Opening) -> any MessageReceiver {
        assumeIsolated { sockets in
            SocketReceiver(sockets: sockets, number: sockets.add(sink, opening))
        }
    }

    private func add(_ sink: any WebSocketSink, _ opening: Opening) -> Int {
        lastNumber += 1
        let number = lastNumber
        let session = SocketSession(number: number, sink: sink, place: opening.place, now: now)
        sessions[number] = session
        if let (form, token) = opening.credential {
            session.hasUpgradeCredential = true
            session.machine.beginAuthentication()
            Task.immediate { await self.authenticate(number, form, token, for: nil) }
        } else {
            anonymous.append(number)
        }
        startTicking()
        return number
    }

    fileprivate func received(_ message: [UInt8], at number: Int) {
        guard let session = sessions[number] else { return }
        perform(session.machine.receive(message, now: now), session)
    }

    fileprivate func writable(_ number: Int) {
        guard let session = sessions[number], let excess = session.excess else { return }
        let frames = excess.takeUnread()
        if excess.isEmpty { session.excess = nil }
        if !frames.isEmpty { session.sink.send(framed: frames) }
    }

    fileprivate func closed(number: Int) {
        if let session = sessions[number] { forget(session) }
    }

    private func perform(_ verdict: SessionMachine.Verdict, _ session: SocketSession) {
        switch verdict {
        case .perform(let command, let frame): perform(command, frame, session)
        case .answer(let bytes): send(bytes, to: session)
        case .hold(let frame): hold(frame, session)
        case .wait: break
        case .close(let code): end(session, code)
        }
    }

    /// Does what waited for an authentication that has ended.
    func performWaiting(_ session: SocketSession) {
        while sessions[session.number] === session, let verdict = session.machine.nextWaiting() {
            perform(verdict, session)
        }
    }

    /// Closes a socket; it is gone at once, whatever its client does.
    func end(_ session: SocketSession, _ code: CloseCode, reason: String = "") {
        guard sessions[session.number] === session else { return }
        forget(session)
        session.sink.close(code, reason: reason)
    }

    private func forget(_ session: SocketSession) {
        sessions[session.number] = nil
        leaveAll(session)
        unlist(session)
        visitors.remove(session.number)
        listeners.remove(session.number)
        hasty.remove(session.number)
        joining.remove(session.number)
    }
}

// Who is who.
extension SocketLoop {
    /// A socket's client is known now; whether it was somebody else before, who has left all.
    func adopt(
        _ session: SocketSession, _ identity: Identity
    ) {
        let isSame = session.identity?.person == identity.person
        if !isSame {
            if session.identity != nil { leaveAll(session) }
            unlist(session)
        }
        session.identity = identity
        session.openingPlace = nil
        session.machine.authenticated(asSomebodyElse: !isSame)
        if !isSame {
            people[identity.person, default: []].append(session)
            listeners.remove(session.number)
        }
        if identity.expiresAt != nil {
            visitors.insert(session.number)
        } else {
            visitors.remove(session.number)
        }
    }

    private func unlist(_ session: SocketSession) {
        guard let person = session.identity?.person else { return }
        people[person]?.removeAll { $0 === session }
        if people[person]?.isEmpty == true { people[person] = nil }
    }

    /// Remembers whether a socket listens to anything.
    func noteSubscriptions(_ session: SocketSession) {
        if session.machine.subscriptions.isOfInterest {
            listeners.insert(session.number)
        } else {
            listeners.remove(session.number)
        }
    }

    /// Something counts no more: sockets that rest on it end.
    func revoked(_ revocation: Revocation) {
        let concerned: [SocketSession]
        switch revocation {
        case .user(let id), .sessions(let id, _): concerned = people[.user(id)] ?? []
        case .session, .integrity:
            concerned = sessions.values.filter { $0.identity?.end(by: revocation) != nil }
        case .generation, .rights, .server, .ins: return
        }
        for session in concerned {
            if let code = session.identity?.end(by: revocation) {
                turnOut(session, code, reason: code == .denied ? "suspended" : "revoked")
            }
        }
    }

    /// Tells why, and closes.
    private func turnOut(_ session: SocketSession, _ code: CloseCode, reason: String) {
        event(.unauthenticated, EncodedJSON(["reason": reason]), to: session)
        end(session, code, reason: reason)
    }
}

// What sockets are told.
extension SocketLoop {
    /// Sends what is never dropped: a socket that cannot take it is too slow.
    func send(_ message: [UInt8], to session: SocketSession) {
        if session.sink.pending + message.count > services.queue { return end(session, .slow) }
        session.sink.send(text: message)
    }

    /// Sends an event of the node's own subgroup.
    func event(
        _ event: SocketEvent, _ data: EncodedJSON, redirect: Gateway? = nil,
        to session: SocketSession
    ) {
        let number = session.machine.nextSequence()
        send(
            EventFrame.make(event, sequence: number, redirect: redirect, data: data), to: session)
    }

    /// Tells of a changed object those who listen and may know.
    func tell(_ update: UpdateEvent, _ change: ObjectChange) {
        if case .user(let user, _) = change { refresh(user) }
        for number in listeners {
            guard let session = sessions[number], let identity = session.identity,
                session.machine.subscriptions.covers(update.event)
            else { continue }
            let listener = UpdateEvent.Listener(
                caller: identity.caller, reference: identity.reference,
                instances: session.memberships.map(\.instance))
            if let data = update.data(for: listener) { event(update.event, data, to: session) }
        }
    }

    /// What a user may do has changed, perhaps: their sockets stay and know it.
    private func refresh(_ user: User) {
        for session in people[.user(user.id)] ?? [] {
            guard case .user(let caller)? = session.identity?.caller else { continue }
            session.identity?.caller = .user(
                UserCaller(id: caller.id, session: caller.session, tags: user.tags))
        }
    }

    /// Brings what a room says to its members here.
    func deliver(_ slices: BatchSlices) {
        guard let room = rooms[slices.instance] else { return }
        for (player, session) in room.members {
            if session.sink.pending > services.queue / 4 {
                deliverSlowly(slices, player, session)
            } else {
                let parts = slices.parts(for: player)
                if !parts.isEmpty { session.sink.send(framed: parts) }
            }
        }
    }

    /// State waits until the client has read what it has; events may not wait for ever.
    private func deliverSlowly(
        _ slices: BatchSlices, _ player: PlayerID, _ session: SocketSession
    ) {
        let (events, states) = slices.split(for: player)
        let size = events.reduce(0) { $0 + $1.count }
        if session.sink.pending + size > services.queue, size > 0 { return end(session, .slow) }
        if !events.isEmpty { session.sink.send(framed: events) }
        for state in states { excess(of: session).keep(unread: state) }
    }

    private func excess(of session: SocketSession) -> Excess {
        if let excess = session.excess { return excess }
        let excess = Excess()
        session.excess = excess
        return excess
    }
}

// Rooms.
extension SocketLoop {
    /// A seat is taken: the Ins is asked to let the player in, and its answer answers `frame`.
    ///
    /// - Throws: as `InsRoster.enter`.
    func enter(
        _ session: SocketSession, _ seat: RegistryAPI.Seat, _ frame: SocketFrame
    ) throws(APIError) {
        let instance = seat.hosting.instance
        let place = InsRoster.Seat(player: seat.player, loop: index, socket: session.number)
        try services.roster.enter(place, instance)
        session.memberships.append(
            Membership(
                instance: instance, player: seat.player.id,
                pending: PendingJoin(frame: frame, deadline: now + Self.joinTime)))
        joining.insert(session.number)
    }

    /// The Ins has let a player in: from here on it hears the room.
    func entered(_ entered: InsLinkSession.Entered, at number: Int) {
        guard let session = sessions[number],
            let place = session.memberships.firstIndex(where: { $0.player == entered.player }),
            let pending = session.memberships[place].pending
        else { return }
        session.memberships[place].pending = nil
        if !session.memberships.contains(where: { $0.pending != nil }) { joining.remove(number) }
        send(pending.frame.answer { $0.append(entered.snapshot) }, to: session)
        guard sessions[number] === session else { return }
        let room = rooms[entered.instance] ?? Room()
        room.members.append((entered.player, session))
        rooms[entered.instance] = room
    }

    /// The Ins has not, and will not.
    func notEntered(_ instance: InstanceID, _ player: PlayerID) {
        guard let session = member(instance, player),
            let pending = session.membership(in: instance)?.pending
        else { return }
        leave(session, instance, .disconnected)
        send(pending.frame.refusal(APIError(.noInstanceServer)), to: session)
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

    func leaveAll(_ session: SocketSession) {
        for membership in session.memberships { leave(session, membership.instance, .disconnected) }
    }

    /// Takes a player out of the tables.
    func remove(_ session: SocketSession, _ instance: InstanceID) -> Membership? {
        guard let place = session.memberships.firstIndex(where: { $0.instance == instance }) else {
            return nil
        }
        let membership = session.memberships.remove(at: place)
        if let room = rooms[instance] {
            room.members.removeAll { $0.player == membership.player }
            if room.members.isEmpty { rooms[instance] = nil }
        }
        if !session.memberships.contains(where: { $0.pending != nil }) {
            joining.remove(session.number)
        }
        return membership
    }

    /// Gives a seat back, as often as it takes: Eta may be away, and then asks who is there when
    /// it is back.
    func returnSeat(
        _ instance: InstanceSelector, _ player: PlayerID, _ caller: Caller
    ) async {
        for _ in 0..<10 {
            do throws(APIError) {
                let _: Nothing = try await services.eta.call(
                    RegistryAPI.returnSeat, RegistryAPI.SeatReturn(player: player),
                    captures: [instance.text], as: caller, on: loop)
                return
            } catch {
                guard error.code.isRetryable else { return }
            }
            await pause(.seconds(1))
        }
    }

    private func pause(_ delay: Duration) async {
        await withCheckedContinuation { continuation in
            _ = loop.schedule(after: delay) { continuation.resume() }
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

    /// A player leaves since Eta says so.
    private func putOut(_ session: SocketSession, _ instance: InstanceID, _ type: LeaveType) {
        guard let membership = remove(session, instance) else { return }
        if let pending = membership.pending {
            return send(pending.frame.refusal(APIError(.instanceNotFound)), to: session)
        }
        let left = SocketMessages.Left(
            instance: instance, player: membership.player, type: type)
        send(
            EventFrame.make(
                .instanceLeft, subgroup: instance.text, sequence: nil, data: EncodedJSON(left)),
            to: session)
    }
}

// Time.
extension SocketLoop {
    private func startTicking() {
        guard !isTicking else { return }
        isTicking = true
        _ = loop.schedule(after: Self.tick) { self.assumeIsolated { $0.ticked() } }
    }

    private func ticked() {
        isTicking = false
        let now = now
        closeAnonymous(now)
        let time = services.ambient.clock.timestamp()
        for number in visitors {
            if let session = sessions[number], let end = session.identity?.expiresAt, end <= time {
                turnOut(session, .unauthenticated, reason: "expired")
            }
        }
        for number in joining {
            for membership in sessions[number]?.memberships ?? [] {
                if let pending = membership.pending, pending.deadline <= now {
                    notEntered(membership.instance, membership.player)
                }
            }
        }
        if let lost = etaLostAt, now - lost > services.orphanGrace {
            for session in Array(sessions.values) where session.identity != nil {
                end(session, .tryAgain, reason: "credentials cannot be checked")
            }
        }
        if !sessions.isEmpty { startTicking() }
    }

    private func closeAnonymous(_ now: Instant) {
        var done = 0
        for number in anonymous {
            if let session = sessions[number], !session.machine.isAuthenticated {
                guard session.machine.deadline <= now else { break }
                // One that is being checked just now gets its answer first.
                if session.machine.isBusy { break }
                end(session, .unauthenticated, reason: "no login in time")
            }
            done += 1
        }
        anonymous.removeFirst(done)
        if anonymous.isEmpty { anonymous = [] }
    }

    /// Eta is away.
    func etaLost() { etaLostAt = etaLostAt ?? now }

    /// Eta is back: what ended meanwhile nobody could say.
    func etaBack() {
        etaLostAt = nil
        if sessions.values.contains(where: { $0.identity != nil }) {
            Task.immediate { await self.recheck() }
        }
    }

    /// Asks which of the logins and grants of open sockets still count.
    private func recheck() async {
        var numbers = sessions.values.filter { $0.identity != nil }.map(\.number)
        var tries = 0
        while !numbers.isEmpty, tries < Self.recheckTries {
            let some = numbers.suffix(Self.recheckSize)
            let callers = some.compactMap { sessions[$0]?.identity?.caller }
            let query = RegistryAPI.StandingQuery(
                sessions: Array(Set(callers.compactMap { $0.user?.session })),
                integrities: Array(Set(callers.compactMap { $0.visitor?.integrity })))
            do throws(APIError) {
                let standing = try await services.eta.call(
                    RegistryAPI.standing, query, on: loop)
                apply(standing, of: query, to: Array(some))
                numbers.removeLast(some.count)
                tries = 0
            } catch {
                tries += 1
                await pause(.seconds(1))
            }
        }
    }

    /// Turns out those whose login or grant was asked for and counts no more.
    private func apply(
        _ standing: RegistryAPI.Standing, of query: RegistryAPI.StandingQuery, to numbers: [Int]
    ) {
        let callers = Dictionary(
            standing.callers.map { ($0.session, $0) }, uniquingKeysWith: { $1 })
        let asked = Set(query.sessions)
        let dead = Set(query.integrities).subtracting(standing.integrities)
        for session in numbers.compactMap({ sessions[$0] }) {
            switch session.identity?.caller {
            case .user(let user) where asked.contains(user.session):
                if let now = callers[user.session] {
                    session.identity?.caller = .user(now)
                } else {
                    turnOut(session, .unauthenticated, reason: "revoked")
                }
            case .visitor(let visitor) where dead.contains(visitor.integrity):
                turnOut(session, .unauthenticated, reason: "revoked")
            case .user, .visitor, .nobody, .server, .ins, .gateway, nil: break
            }
        }
    }

    /// The process goes down: everybody is told where else to go, and closed.
    func goAway(to gateway: Gateway?, _ server: EncodedJSON?) {
        for session in Array(sessions.values) {
            if let gateway, let server {
                event(.updateServer, server, redirect: gateway, to: session)
            }
            end(session, .goingAway)
        }
    }

    /// A transform beyond the rate: the newest of its path goes when there is room.
    private func hold(_ frame: SocketFrame, _ session: SocketSession) {
        guard let path = TransformShape(frame)?.path else { return }
        excess(of: session).keep(sent: frame, path: path)
        hasty.insert(session.number)
        guard !isReleasing else { return }
        isReleasing = true
        _ = loop.schedule(after: Self.release) { self.assumeIsolated { $0.releaseHeld() } }
    }

    private func releaseHeld() {
        isReleasing = false
        let now = now
        for number in hasty {
            guard let session = sessions[number], let excess = session.excess else {
                hasty.remove(number)
                continue
            }
            let frames = excess.releaseSent { session.machine.mayRelease(now: now) }
            for frame in frames { perform(.instanceTransform, frame, session) }
            if excess.sent.isEmpty { hasty.remove(number) }
            if excess.isEmpty { session.excess = nil }
        }
        guard !hasty.isEmpty else { return }
        isReleasing = true
        _ = loop.schedule(after: Self.release) { self.assumeIsolated { $0.releaseHeld() } }
    }
}

/// A socket as its connection knows it: two words.
private struct SocketReceiver: MessageReceiver {
    let sockets: SocketLoop
    let number: Int

    func received(text: [UInt8]) { sockets.assumeIsolated { $0.received(text, at: number) } }

    /// Binary frames are of another subprotocol.
    func received(binary: [UInt8]) {
        sockets.assumeIsolated { sockets in
            if let session = sockets.session(number) { sockets.end(session, .unsupported) }
        }
    }

    func writable() { sockets.assumeIsolated { $0.writable(number) } }

    func closed(_ code: CloseCode) { sockets.assumeIsolated { $0.closed(number: number) } }
}
