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
    let switchboard: ServiceSwitch
    let desk: RuleDesk
    let ambient: Ambient
    /// Bytes that may wait for one socket.
    let queue: Int
    /// By which words sockets may be resumed.
    let resumes: ResumeBook
    /// For how long, once they have dropped.
    let resumeTime: Duration
    /// How long sockets outlive the link to Eta.
    let orphanGrace: Duration
}

/// All client sockets of one loop: an actor whose executor is that loop, so that what one socket
/// says reaches another without a lock, and an idle one costs an entry in a table.
actor SocketLoop {
    nonisolated let loop: any LoopExecutor
    let index: Int
    let services: SocketServices
    var sessions: [Int: SocketSession] = [:]
    private var lastNumber = 0
    var people: [Person: [SocketSession]] = [:]
    /// Those that subscribe to something that is not sent anyway.
    private var listeners: Set<Int> = []
    /// Those that have not logged in, the oldest first; some are gone or have.
    var anonymous: [Int] = []
    var visitors: Set<Int> = []
    /// Those that have dropped and may be resumed, in that order; some are gone, or were.
    var dormant: [Int] = []
    /// Those that wait for an answer of a room, and the last ticket of such a question.
    var questioning: Set<Int> = []
    var lastTicket: Int64 = 0
    /// Those that wait to be let into a room.
    var joining: Set<Int> = []
    var rooms: [InstanceID: Room] = [:]
    /// The sockets that hear each service.
    var audiences: [ServiceID: Set<Int>] = [:]
    /// Those whose client speaks too fast.
    var hasty: Set<Int> = []
    var isTicking = false
    var isReleasing = false
    /// Whether Eta is away, or was and has not said of all sockets whether they still count.
    var isUnchecked = false
    /// Whether Eta is away.
    var isEtaAway = false
    /// Counts the losses of Eta: what was begun before the last is void.
    var etaLosses = 0
    /// Seats to give back that Eta has not taken yet.
    var owed: [SeatReturn] = []
    var isReturning = false

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

    var now: Instant { services.ambient.clock.now() }
}

// Opening and closing.
extension SocketLoop {
    /// How a socket begins.
    struct Opening: Sendable {
        /// What the upgrade showed.
        let credential: (form: CredentialForm, token: [UInt8])?
        let place: SocketCounts.Place
        /// Where the client is, behind whichever proxy.
        let client: IPAddress
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
        let session = SocketSession(
            number: number, sink: sink, place: opening.place, client: opening.client, now: now)
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
        guard let session = sessions[number] else { return }
        session.snapshotBytes = 0
        guard let excess = session.excess else { return }
        // No more than leaves room for an event, and enough that the socket says when it was read.
        let frames = excess.takeUnread(upTo: services.queue / 2)
        if excess.isEmpty { session.excess = nil }
        if !frames.isEmpty { session.sink.send(framed: frames) }
    }

    fileprivate func closed(number: Int, _ code: CloseCode) {
        guard let session = sessions[number] else { return }
        if mayDoze(session, code) { doze(session) } else { forget(session) }
    }

    private func perform(_ verdict: SessionMachine.Verdict, _ session: SocketSession) {
        switch verdict {
        case .perform(let command, let frame): perform(command, frame, session)
        case .relay(let id, let frame): relay(frame, id, session)
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
        if let key = session.resumeKey { services.resumes.forget(key) }
        leaveAll(session)
        unhearAll(session)
        unlist(session)
        visitors.remove(session.number)
        listeners.remove(session.number)
        hasty.remove(session.number)
        joining.remove(session.number)
        questioning.remove(session.number)
    }
}

// Who is who.
extension SocketLoop {
    /// A socket's client is known now; where it was somebody else before, they have left all.
    func adopt(
        _ session: SocketSession, _ identity: Identity
    ) {
        let former = session.identity
        let isSame =
            former?.person == identity.person
            && former?.caller.user?.service == identity.caller.user?.service
        if !isSame {
            if session.identity != nil { leaveAll(session) }
            unhearAll(session)
            unlist(session)
        }
        session.identity = identity
        noteService(session)
        session.uncheckedSince = isEtaAway ? now : nil
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
            remember(session)
        } else {
            listeners.remove(session.number)
        }
    }

    /// A socket that would be worth resuming: from here on its events are kept for a while.
    func remember(_ session: SocketSession) {
        if session.recent == nil {
            session.recent = RecentEvents(since: session.machine.sequence)
        }
    }

    /// Something counts no more: sockets that rest on it end.
    func revoked(_ revocation: Revocation) {
        let concerned: [SocketSession]
        switch revocation {
        case .user(let id), .sessions(let id, _), .session(_, let id):
            concerned = people[.user(id)] ?? []
        case .visitor(let user): concerned = people[.visitor(user)] ?? []
        case .integrity, .node: concerned = visitors.compactMap { sessions[$0] }
        case .generation, .rights, .server, .ins: return
        }
        for session in concerned {
            if let code = session.identity?.end(by: revocation) {
                turnOut(session, code, reason: code == .denied ? "suspended" : "revoked")
            }
        }
    }

    /// Clients that are denied from now on are turned out. By what they call themselves they are
    /// refused at the door alone: nobody keeps it.
    func deny(_ rules: ClientRules) {
        for session in Array(sessions.values) where rules.denies(session.client) {
            turnOut(session, .denied, reason: "denied")
        }
    }

    /// Tells why, and closes.
    func turnOut(_ session: SocketSession, _ code: CloseCode, reason: String) {
        let number = session.machine.nextSequence()
        let word = EventFrame.make(
            .unauthenticated, sequence: number, data: EncodedJSON(["reason": reason]))
        // Who reads nothing is not told, and closed by that code all the same.
        if hasRoom(for: word.count, session) { session.sink.send(text: word) }
        end(session, code, reason: reason)
    }
}

// What sockets are told.
extension SocketLoop {
    /// Sends what is never dropped: a socket that cannot take it is too slow.
    func send(_ message: [UInt8], to session: SocketSession) {
        guard hasRoom(for: message.count, session) else { return end(session, .slow) }
        session.sink.send(text: message)
    }

    func hasRoom(for size: Int, _ session: SocketSession) -> Bool {
        session.sink.pending + size <= services.queue + session.snapshotBytes
    }

    /// Sends an event of the node's own subgroup.
    func event(
        _ event: SocketEvent, _ data: EncodedJSON, redirect: Gateway? = nil,
        to session: SocketSession
    ) {
        // Its number comes behind those of the socket for which this one goes on.
        if let resuming = session.resuming {
            guard resuming.events.count < Self.eventLimit else { return end(session, .slow) }
            return resuming.events.append((event, data))
        }
        let number = session.machine.nextSequence()
        let frame = EventFrame.make(event, sequence: number, redirect: redirect, data: data)
        if session.recent != nil { session.recent?.append(number, frame) }
        send(frame, to: session)
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
            session.identity?.caller = .user(caller.with(tags: user.tags))
        }
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

    func closed(_ code: CloseCode) {
        sockets.assumeIsolated { $0.closed(number: number, code) }
    }
}
