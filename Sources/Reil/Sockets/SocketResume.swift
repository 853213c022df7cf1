import API
import Base
import Crypto
import Domain
import HTTP

/// Sockets that dropped and are resumed: their players never left, and what they missed is told.
extension SocketLoop {
    /// What is left of a socket that another goes on for.
    struct Sleeper: Sendable {
        struct Seat: Sendable {
            let instance: InstanceID
            let player: PlayerID
            let isMuted: Bool
        }

        let seats: [Seat]
        let subscriptions: EventSet
        /// The services that it heard.
        let heard: Set<ServiceID>
        /// The number of its last event.
        let sequence: Int64
        /// Events that it missed; nil where they are not at hand.
        let missed: [[UInt8]]?
    }

    /// A resume that waits for the rooms to tell how they are.
    final class Resuming {
        let frame: SocketFrame
        /// Until the end nothing goes out by it.
        let sink: HoldingSink
        var missed: [[UInt8]]? = []
        /// Instances whose rooms have not told yet.
        var waiting: Set<InstanceID> = []
        /// What the rooms told.
        var rooms: [RoomAgain] = []
        /// Events of the node's own subgroup that came meanwhile: their numbers are not known yet.
        var events: [(event: SocketEvent, data: EncodedJSON)] = []

        init(_ frame: SocketFrame, sink: any WebSocketSink) {
            self.frame = frame
            self.sink = HoldingSink(sink)
        }
    }

    /// A room as who comes back finds it.
    struct RoomAgain: Sendable {
        let instance: InstanceID
        let player: PlayerID
        /// A JSON object.
        let snapshot: [UInt8]
        /// Whole frames; nil where what was missed is not at hand.
        let missed: [[UInt8]]?
    }

    /// How many dropped sockets of one person a loop keeps: they count among the person's sockets.
    private static let dormantLimit = 4
    /// Bytes that are replayed; who missed more is told how things are now.
    private static let replayLimit = 1 << 20
    /// Events that wait for one who comes back; a resume takes seconds at the most.
    static let eventLimit = 1_000

    // MARK: Dropping

    /// Whether a socket that ends so may be resumed: one that says goodbye has left.
    func mayDoze(_ session: SocketSession, _ code: CloseCode) -> Bool {
        // One that speaks for a service is missed at once: another takes its place.
        guard code == .abnormal, let identity = session.identity, session.resumeKey != nil,
            identity.caller.user?.service == nil
        else { return false }
        let isWorthIt = !session.memberships.isEmpty || session.machine.subscriptions.isOfInterest
        return isWorthIt && services.resumeTime > .zero
    }

    /// A socket has dropped: all that is its own stays for a while.
    func doze(_ session: SocketSession) {
        for membership in session.memberships where !membership.isEntered {
            leaveOne(session, membership.instance)
        }
        session.sink = SilentSink(loop: loop, client: session.sink.client)
        session.resuming = nil
        session.excess = nil
        session.snapshotBytes = 0
        session.dormantUntil = now + services.resumeTime
        dormant.append(session.number)
        hasty.remove(session.number)
        joining.remove(session.number)
        if let person = session.identity?.person {
            let others = (people[person] ?? []).filter { $0.dormantUntil != nil }
            for other in others.dropLast(Self.dormantLimit) { end(other, .abnormal) }
        }
        startTicking()
    }

    /// Players of sockets that nobody has resumed leave.
    func endDormant(_ now: Instant) {
        while let number = dormant.first {
            if let session = sessions[number], let end = session.dormantUntil {
                if end > now { return }
                self.end(session, .abnormal)
            }
            dormant.removeFirst()
        }
    }

    // MARK: Coming back

    /// Goes on for the socket that `word` names, if it was the same login's; the answer to `frame`
    /// goes out when all its rooms have told how they are.
    func resume(
        _ session: SocketSession, by word: String, last: [String: Int64], for frame: SocketFrame
    ) async -> Bool {
        guard session.memberships.isEmpty, session.resuming == nil,
            let identity = session.identity,
            let place = services.resumes.take(ResumeBook.key(word)),
            let sockets = services.roster.sockets(at: place.loop)
        else { return false }
        let number = session.number
        let resuming = Resuming(frame, sink: session.sink)
        session.resuming = resuming
        session.sink = resuming.sink
        let sleeper = await sockets.release(
            place.socket, for: identity.caller, last: last["avr"])
        guard let session = self.session(number), let sleeper else {
            if let session = self.session(number) { wake(session, resuming) }
            if let sleeper { await giveUp(sleeper, identity.caller) }
            return false
        }
        session.machine.goOn(from: sleeper.sequence, sleeper.subscriptions)
        noteSubscriptions(session)
        for id in sleeper.heard { _ = hear(id, session) }
        resuming.missed = sleeper.missed
        for seat in sleeper.seats {
            let since = last[seat.instance.text] ?? 0
            guard
                services.roster.move(
                    seat.player, in: seat.instance,
                    to: ResumeBook.Place(loop: index, socket: number),
                    since: since)
            else { continue }
            resuming.waiting.insert(seat.instance)
            session.memberships.append(
                Membership(
                    instance: seat.instance, player: seat.player,
                    pending: PendingJoin(frame: nil, deadline: now + Self.roomTime),
                    isMuted: seat.isMuted))
            joining.insert(number)
        }
        endIfWhole(session)
        return true
    }

    /// How long a room may take to tell who comes back how it is.
    private static let roomTime = Duration.seconds(5)

    private func giveUp(_ sleeper: Sleeper, _ caller: Caller) async {
        for seat in sleeper.seats {
            services.roster.leave(seat.instance, seat.player, .disconnected)
            await returnSeat(.id(seat.instance), seat.player, caller)
        }
    }

    /// Another socket goes on for this one, which is over.
    func release(_ number: Int, for caller: Caller, last: Int64?) -> Sleeper? {
        guard let session = sessions[number], let own = session.identity?.caller,
            Person(own) == Person(caller), own.user?.session == caller.user?.session,
            session.resuming == nil
        else { return nil }
        session.resumeKey = nil
        for membership in session.memberships where !membership.isEntered {
            leaveOne(session, membership.instance)
        }
        let seats = session.memberships.map { membership in
            Sleeper.Seat(
                instance: membership.instance, player: membership.player,
                isMuted: membership.isMuted)
        }
        for seat in seats { _ = remove(session, seat.instance) }
        let sleeper = Sleeper(
            seats: seats, subscriptions: session.machine.subscriptions, heard: session.heard,
            sequence: session.machine.sequence,
            missed: session.recent.map { $0.missed(since: last) } ?? [])
        end(session, .resumedElsewhere, reason: "resumed by another socket")
        return sleeper
    }

    /// A room tells how it is to who comes back.
    func cameBack(_ room: RoomAgain, at number: Int) {
        guard let session = sessions[number], let resuming = session.resuming,
            let place = session.memberships.firstIndex(where: { $0.player == room.player }),
            session.memberships[place].pending != nil
        else { return }
        session.memberships[place].pending = nil
        resuming.waiting.remove(room.instance)
        resuming.rooms.append(room)
        let own = rooms[room.instance] ?? Room()
        own.members.append((room.player, session))
        rooms[room.instance] = own
        if !session.memberships.contains(where: { $0.pending != nil }) { joining.remove(number) }
        endIfWhole(session)
    }

    /// A room will not tell.
    func missedRoom(_ instance: InstanceID, _ session: SocketSession) {
        session.resuming?.waiting.remove(instance)
        endIfWhole(session)
    }

    private func endIfWhole(_ session: SocketSession) {
        guard let resuming = session.resuming, resuming.waiting.isEmpty,
            let identity = session.identity
        else { return }
        let missed = resuming.missed ?? []
        let frames = resuming.rooms.compactMap(\.missed)
        let size = missed.reduce(0) { $0 + $1.count } + frames.joined().reduce(0) { $0 + $1.count }
        let isReplayed =
            resuming.missed != nil && frames.count == resuming.rooms.count
            && size <= Self.replayLimit
        let word = makeResumeWord(session)
        let answer = ResumedAnswer(
            user: identity.reference, internal: identity.caller.user != nil,
            resume: word, resumed: true, replayed: isReplayed,
            instances: resuming.rooms.map(\.instance),
            snapshots: isReplayed ? nil : resuming.rooms.map { EncodedJSON(bytes: $0.snapshot) })
        session.machine.authenticated(asSomebodyElse: false)
        tell(
            session, resuming.frame.answer(answer), isReplayed ? missed : [],
            isReplayed ? resuming.rooms.map { ($0.missed ?? []) + Self.motion(in: $0) } : [])
        wake(session, resuming) { tellLogin(identity, word, to: session) }
        performWaiting(session)
    }

    /// The answer and what was missed, all at once: as a snapshot it may be more than what may wait
    /// for a socket otherwise.
    private func tell(
        _ session: SocketSession, _ answer: [UInt8], _ missed: [[UInt8]], _ rooms: [[[UInt8]]]
    ) {
        let size =
            answer.count + missed.reduce(0) { $0 + $1.count }
            + rooms.joined().reduce(0) { $0 + $1.count }
        // Of less nobody says when it was read, and it needs no more than there is.
        if size > services.queue / 4 { session.snapshotBytes = size }
        guard let sink = session.resuming?.sink.sink else { return }
        sink.send(text: answer)
        for frame in missed { sink.send(text: frame) }
        for frames in rooms where !frames.isEmpty { sink.send(framed: frames.map { $0[...] }) }
    }

    /// Whoever waited for nothing, or for all that it waited for, goes on: what came meanwhile is
    /// told, after what `first` tells.
    private func wake(
        _ session: SocketSession, _ resuming: Resuming, _ first: () -> Void = {}
    ) {
        session.resuming = nil
        session.sink = resuming.sink.sink
        resuming.sink.release()
        first()
        for held in resuming.events { event(held.event, held.data, to: session) }
    }

    /// The newest transforms of a room, as events.
    private static func motion(in room: RoomAgain) -> [[UInt8]] {
        guard let snapshot = try? JSONParser.parse(room.snapshot),
            let transforms = snapshot["transforms"]?.arrayValue
        else { return [] }
        return transforms.compactMap { transform in
            guard var data = transform.objectValue else { return nil }
            data["instance"] = .string(room.instance.text)
            let frame = EventFrame.make(
                .instanceTransform, subgroup: room.instance.text, sequence: nil,
                data: EncodedJSON(JSONValue.object(data)))
            return FrameSerializer.frame(.text, frame)
        }
    }

    /// A new word by which the socket may be resumed; the one before resumes nothing any more.
    func makeResumeWord(_ session: SocketSession) -> String {
        if let old = session.resumeKey { services.resumes.forget(old) }
        let word = Base64.encodeURL(services.ambient.random.bytes(32))
        let key = ResumeBook.key(word)
        session.resumeKey = key
        services.resumes.set(key, ResumeBook.Place(loop: index, socket: session.number))
        return word
    }
}

/// The answer to an `authenticate` that resumes.
private struct ResumedAnswer: Encodable {
    let user: UserReference
    let `internal`: Bool
    let resume: String
    let resumed: Bool
    let replayed: Bool
    /// Where the socket's players still are.
    let instances: [InstanceID]
    /// How the rooms are, where what was missed is not replayed.
    let snapshots: [EncodedJSON]?
}
