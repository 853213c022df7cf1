import API
import Base
import Domain
import HTTP

/// Which Ins are linked here, which instances they run as Eta placed them, and whose players have
/// their sockets at this Reil. Shared by all loops; what is done under its lock is short.
final class InsRoster: Sendable {
    /// A player whose socket ends here.
    struct Seat: Sendable {
        var player: Player
        /// Which loop, and which of its sockets.
        let loop: Int
        let socket: Int
        /// Whether its Ins has let it in.
        var isEntered = false
        /// Behind which event of the room it was let in, and which beginning of the room that is of.
        var enteredBehind: Int64 = 0
        var beginning = 0
        /// The last event that a socket has seen which comes back.
        var cameBackBehind: Int64?
    }

    /// Where what is said in an instance goes.
    struct Route {
        let link: InsLinkSession
        let epoch: Int64
    }

    private struct Room {
        var hosting: Hosting
        var history: RoomHistory
        var seats: [PlayerID: Seat] = [:]
        /// How many of the seats are on each loop.
        var loops: [Int: Int] = [:]
    }

    private struct State {
        var asked = AskedSeats()
        var links: [String: InsLinkSession] = [:]
        var rooms: [InstanceID: Room] = [:]
        var gateways: [Gateway] = []
        var dialled: [Gateway] = []
        var sockets: [SocketLoop] = []
        /// Bytes of what all rooms remember.
        var historyBytes = 0

        /// Keeps what a room says. Beyond what all may remember it forgets what it had said: who comes
        /// back to it is told how it is now.
        mutating func remember(_ batch: RoomBatch, now: Instant) {
            let before = rooms[batch.instance]?.history.bytes ?? 0
            rooms[batch.instance]?.history.append(batch, now: now)
            historyBytes += (rooms[batch.instance]?.history.bytes ?? 0) - before
            guard historyBytes > InsRoster.historyLimit else { return }
            historyBytes -= rooms[batch.instance]?.history.bytes ?? 0
            rooms[batch.instance]?.history.forget()
        }

        mutating func restartHistory(of instance: InstanceID) {
            historyBytes -= rooms[instance]?.history.bytes ?? 0
            rooms[instance]?.history.restart()
        }
    }

    /// Bytes that all rooms together remember of what was said.
    private static let historyLimit = 64 << 20

    private let eta: EtaLink
    private let ambient: Ambient
    private let deliveries: Counter
    /// For how long rooms remember what was said.
    private let resumeTime: Duration
    private let state = Lock(State())

    init(eta: EtaLink, resumeTime: Duration, ambient: Ambient) {
        self.eta = eta
        self.resumeTime = resumeTime
        self.ambient = ambient
        deliveries = ambient.metrics.counter(
            "reileta_room_batches_total", help: "Batches of rooms that were delivered")
        let state = state
        ambient.metrics.reading("reileta_ins_links", help: "Ins that are linked here") {
            Double(state.withLock { $0.links.count })
        }
        ambient.metrics.reading(
            "reileta_players", help: "Players whose sockets end at this Reil"
        ) {
            Double(state.withLock { $0.rooms.values.reduce(0) { $0 + $1.seats.count } })
        }
    }

    /// Names those who keep the sockets, in the order of their indices; before anything is linked.
    func attach(_ sockets: [SocketLoop]) { state.withLock { $0.sockets = sockets } }

    /// How many Ins are linked here.
    var linkCount: Int { state.withLock { $0.links.count } }

    /// Another gateway of the node, where there is one.
    func otherGateway(than own: Gateway?) -> Gateway? {
        state.withLock { $0.gateways.first { $0 != own } }
    }
}

// What the links say.
extension InsRoster {
    /// A link was opened: the first thing it hears is where else to dial.
    func opened(_ link: InsLinkSession) {
        link.send(.welcome(links: state.withLock { $0.dialled }))
    }

    /// An Ins said who it is: it is told what it runs, and who is in it.
    func linked(_ link: InsLinkSession) {
        let (older, rooms) = state.withLock { state in
            let older = state.links.updateValue(link, forKey: link.credential)
            return (older, state.rooms.values.filter { $0.hosting.ins == link.credential })
        }
        older?.close(.resumedElsewhere, reason: "linked anew")
        for room in rooms { Self.setUp(room, on: link) }
        ambient.log.notice("ins linked", .text("ins", link.credential))
        tell(of: link)
    }

    /// Tells Eta how an Ins fares.
    func tell(of link: InsLinkSession) {
        if let report = link.report { eta.report(.insLinked(report)) }
    }

    /// A link is over.
    func lost(_ link: InsLinkSession) {
        let (isCurrent, rooms, sockets) = state.withLock {
            state -> (Bool, [Room], [SocketLoop]) in
            guard state.links[link.credential] === link else { return (false, [], []) }
            state.links[link.credential] = nil
            return (
                true, state.rooms.values.filter { $0.hosting.ins == link.credential },
                state.sockets
            )
        }
        guard isCurrent else { return }
        ambient.log.warning("ins lost", .text("ins", link.credential))
        eta.report(.insLost(credential: link.credential))
        for room in rooms {
            for player in room.seats.values where !player.isEntered {
                let instance = room.hosting.instance
                sockets[player.loop].onLoop { $0.notEntered(instance, player.player.id) }
            }
        }
    }

    /// A snapshot of a room: for a player who is in now, before it hears anything else of the room,
    /// or for all who are in.
    func told(_ told: InsLinkSession.ToldSnapshot, from link: InsLinkSession) {
        let instance = told.instance
        guard let player = told.player else {
            let loops = state.withLock { state -> [SocketLoop]? in
                guard let room = Self.room(instance, told.epoch, of: link, state) else {
                    return nil
                }
                // Its numbers may start anew.
                state.restartHistory(of: instance)
                return room.loops.keys.map { state.sockets[$0] }
            }
            guard let loops, !loops.isEmpty else { return }
            let frame = EventFrame.rehosted(instance, snapshot: told.snapshot)
            for loop in loops { loop.onLoop { $0.rehosted(instance, frame) } }
            return
        }
        let found = state.withLock { state -> (Seat, SocketLoop, [[UInt8]]?)? in
            guard let room = Self.room(instance, told.epoch, of: link, state),
                var seat = room.seats[player]
            else { return nil }
            let seen = seat
            if let since = seat.cameBackBehind.take() {
                let isSame = seat.beginning == room.history.beginnings
                let missed =
                    isSame
                    ? room.history.missed(since: max(since, seat.enteredBehind), by: player) : nil
                seat.isEntered = true
                seat.beginning = room.history.beginnings
                if !isSame { seat.enteredBehind = room.history.newest }
                state.rooms[instance]?.seats[player] = seat
                return (seen, state.sockets[seat.loop], missed)
            }
            seat.isEntered = true
            seat.enteredBehind = room.history.newest
            seat.beginning = room.history.beginnings
            state.rooms[instance]?.seats[player] = seat
            return (seen, state.sockets[seat.loop], nil)
        }
        guard let (seat, sockets, missed) = found else { return }
        guard seat.cameBackBehind != nil else {
            return sockets.onLoop { $0.entered(instance, player, told.snapshot, at: seat.socket) }
        }
        let room = SocketLoop.RoomAgain(
            instance: instance, player: player, snapshot: told.snapshot, missed: missed)
        sockets.onLoop { $0.cameBack(room, at: seat.socket) }
    }

    /// An Ins answers what a member wanted of an object.
    func answered(
        _ ticket: Int64, _ answer: Result<RoomObject, APIError>, of player: PlayerID,
        in instance: InstanceID, _ epoch: Int64, by link: InsLinkSession
    ) {
        let found = state.withLock { state -> (Seat, SocketLoop)? in
            guard let room = Self.room(instance, epoch, of: link, state),
                let seat = room.seats[player]
            else { return nil }
            return (seat, state.sockets[seat.loop])
        }
        guard let (seat, sockets) = found else { return }
        sockets.onLoop { $0.answered(ticket, answer, at: seat.socket) }
    }

    /// The sockets of a loop.
    func sockets(at index: Int) -> SocketLoop? {
        state.withLock { $0.sockets.indices.contains(index) ? $0.sockets[index] : nil }
    }

    /// Those of all loops.
    var allSockets: [SocketLoop] { state.withLock { $0.sockets } }

    /// A player goes on at another socket, which has seen the room up to an event: the Ins is asked
    /// how the room is. False when the player is no more.
    func move(
        _ player: PlayerID, in instance: InstanceID, to place: ResumeBook.Place, since: Int64
    ) -> Bool {
        let (isThere, route) = state.withLock { state -> (Player?, Route?) in
            guard var seat = state.rooms[instance]?.seats[player],
                let hosting = state.rooms[instance]?.hosting
            else { return (nil, nil) }
            let left = (state.rooms[instance]?.loops[seat.loop] ?? 1) - 1
            state.rooms[instance]?.loops[seat.loop] = left > 0 ? left : nil
            state.rooms[instance]?.loops[place.loop, default: 0] += 1
            seat = Seat(
                player: seat.player, loop: place.loop, socket: place.socket,
                enteredBehind: seat.enteredBehind, beginning: seat.beginning,
                cameBackBehind: since)
            state.rooms[instance]?.seats[player] = seat
            let route = state.links[hosting.ins].map { Route(link: $0, epoch: hosting.epoch) }
            return (seat.player, route)
        }
        guard let known = isThere else { return false }
        route?.link.send(.enter(instance: instance, epoch: route?.epoch ?? 0, known))
        return true
    }

    /// A room, if that Ins runs it under that epoch.
    private static func room(
        _ instance: InstanceID, _ epoch: Int64, of link: InsLinkSession, _ state: State
    ) -> Room? {
        state.rooms[instance].flatMap { room in
            room.hosting.ins == link.credential && room.hosting.epoch == epoch ? room : nil
        }
    }

    /// The credential of an Ins counts no more.
    func revoked(_ credential: String) {
        let link = state.withLock { $0.links[credential] }
        link?.close(.unauthenticated, reason: "revoked")
    }

    /// An Ins does not run what it was told of.
    func refused(
        _ instance: InstanceID, _ epoch: Int64, _ player: PlayerID, by link: InsLinkSession
    ) {
        let found = state.withLock { state -> SocketLoop? in
            guard let room = Self.room(instance, epoch, of: link, state),
                let seat = room.seats[player], !seat.isEntered
            else { return nil }
            return state.sockets[seat.loop]
        }
        found?.onLoop { $0.notEntered(instance, player) }
    }

    /// Brings a batch to the loops that have members of its room, if that Ins runs the room.
    func deliver(_ batch: RoomBatch, from link: InsLinkSession) {
        let now = ambient.clock.now()
        let loops = state.withLock { state -> [SocketLoop]? in
            guard Self.room(batch.instance, batch.epoch, of: link, state) != nil else {
                return nil
            }
            state.remember(batch, now: now)
            return state.rooms[batch.instance]?.loops.keys.map { state.sockets[$0] }
        }
        guard let loops else {
            // It comes from before, or from nowhere.
            return link.send(.close(instance: batch.instance, epoch: batch.epoch))
        }
        deliveries.add()
        if loops.isEmpty { return }
        let slices = BatchSlices(batch)
        for loop in loops { loop.onLoop { $0.deliver(slices) } }
    }

    private static func setUp(_ room: Room, on link: InsLinkSession) {
        let (instance, epoch) = (room.hosting.instance, room.hosting.epoch)
        link.send(.host(room.hosting))
        let seats = room.seats.values.sorted { $0.player.joinedAt < $1.player.joinedAt }
        let inside = seats.filter(\.isEntered).map(\.player)
        if !inside.isEmpty {
            link.send(.resume(instance: instance, epoch: epoch, players: inside))
        }
        for seat in seats where !seat.isEntered {
            link.send(.enter(instance: instance, epoch: epoch, seat.player))
        }
    }
}

// What the sockets want.
extension InsRoster {
    /// Where what is said in `instance` goes; nil while no Ins here runs it.
    func route(to instance: InstanceID) -> Route? {
        state.withLock { state in
            guard let hosting = state.rooms[instance]?.hosting, let link = state.links[hosting.ins]
            else { return nil }
            return Route(link: link, epoch: hosting.epoch)
        }
    }

    /// A seat is asked for: from here on it is noticed when Eta takes it away. Ends with `enter` or
    /// `unask`.
    func ask(_ player: PlayerID) { state.withLock { $0.asked.ask(player) } }

    /// The seat was not taken, or is given back.
    func unask(_ player: PlayerID) { state.withLock { $0.asked.forget(player) } }

    /// Brings a player who has a seat to the Ins of its instance.
    ///
    /// - Throws: 36 when the instance is over, 70 when the seat is gone again, 66 when no Ins here
    ///   runs the instance.
    func enter(_ seat: inout Seat, _ instance: InstanceID) throws(APIError) {
        let route = try state.withLock { (state) throws(APIError) -> Route in
            switch state.asked.take(seat.player.id, in: instance) {
            case .held(let isMuted): if let isMuted { seat.player.muted = isMuted }
            case .lost: throw .overloaded(context: "the seat is gone again")
            case .ended: throw APIError(.instanceNotFound)
            }
            guard let hosting = state.rooms[instance]?.hosting, let link = state.links[hosting.ins]
            else { throw APIError(.noInstanceServer) }
            state.rooms[instance]?.seats[seat.player.id] = seat
            state.rooms[instance]?.loops[seat.loop, default: 0] += 1
            return Route(link: link, epoch: hosting.epoch)
        }
        route.link.send(.enter(instance: instance, epoch: route.epoch, seat.player))
    }

    /// A player is gone.
    func leave(_ instance: InstanceID, _ player: PlayerID, _ type: LeaveType) {
        let route = state.withLock { state -> Route? in
            guard Self.remove(player, from: instance, &state) != nil,
                let hosting = state.rooms[instance]?.hosting, let link = state.links[hosting.ins]
            else { return nil }
            return Route(link: link, epoch: hosting.epoch)
        }
        route?.link.send(
            .leave(instance: instance, epoch: route?.epoch ?? 0, player: player, type: type))
    }

    private static func remove(
        _ player: PlayerID, from instance: InstanceID, _ state: inout State
    ) -> Seat? {
        guard let seat = state.rooms[instance]?.seats.removeValue(forKey: player) else {
            return nil
        }
        let left = (state.rooms[instance]?.loops[seat.loop] ?? 1) - 1
        state.rooms[instance]?.loops[seat.loop] = left > 0 ? left : nil
        return seat
    }
}

// What Eta says.
extension InsRoster {
    /// The link to Eta stands (again): instances are as Eta says, Ins and players as we know.
    func welcomed(_ welcome: Welcome) {
        let (links, gone, fresh, seats) = state.withLock { state in
            state.gateways = welcome.gateways
            state.dialled = welcome.links
            state.asked.loseAll()
            let live = Dictionary(
                welcome.hostings.map { ($0.instance, $0) }, uniquingKeysWith: { $1 })
            let gone = state.rooms.keys.filter { live[$0] == nil }
            var fresh: [Hosting] = []
            for (instance, hosting) in live
            where state.rooms[instance]?.hosting != hosting { fresh.append(hosting) }
            let seats = state.rooms.filter { live[$0.key] != nil }.flatMap { instance, room in
                room.seats.keys.map { SeatReport(instance: instance, player: $0) }
            }
            return (Array(state.links.values), gone, fresh, seats)
        }
        for instance in gone { close(instance) }
        for hosting in fresh { host(hosting) }
        tell(of: welcome.links)
        for link in links { tell(of: link) }
        eta.report(.players(seats))
    }

    /// All Reil of the node, from now on.
    func reils(gateways: [Gateway], links: [Gateway]) {
        state.withLock { state in
            state.gateways = gateways
            state.dialled = links
        }
        tell(of: links)
    }

    private func tell(of reils: [Gateway]) {
        for link in state.withLock({ Array($0.links.values) }) { link.send(.welcome(links: reils)) }
    }

    /// An instance is run by that Ins from now on.
    func host(_ hosting: Hosting) {
        let (room, link) = state.withLock { state -> (Room?, InsLinkSession?) in
            let known = state.rooms[hosting.instance]?.hosting
            if let known, known.epoch > hosting.epoch { return (nil, nil) }
            let fresh = Room(hosting: hosting, history: RoomHistory(age: resumeTime))
            state.rooms[hosting.instance, default: fresh].hosting = hosting
            if let known, known.epoch != hosting.epoch {
                state.restartHistory(of: hosting.instance)
            }
            let link = state.links[hosting.ins]
            // The same placement with another owner or capacity: nobody has to enter again.
            if known?.epoch == hosting.epoch {
                link?.send(.host(hosting))
                return (nil, nil)
            }
            return (state.rooms[hosting.instance], link)
        }
        if let room, let link { Self.setUp(room, on: link) }
    }

    /// An instance is over: its members leave.
    func close(_ instance: InstanceID) {
        let (room, link, sockets) = state.withLock {
            state -> (Room?, InsLinkSession?, [SocketLoop]) in
            state.asked.end(instance)
            let room = state.rooms.removeValue(forKey: instance)
            state.historyBytes -= room?.history.bytes ?? 0
            return (room, room.flatMap { state.links[$0.hosting.ins] }, state.sockets)
        }
        guard let room else { return }
        link?.send(.close(instance: instance, epoch: room.hosting.epoch))
        for loop in room.loops.keys { sockets[loop].onLoop { $0.closed(instance) } }
    }

    /// A player has lost its seat.
    func dismissed(_ instance: InstanceID, _ player: PlayerID, _ type: LeaveType) {
        let sockets = state.withLock { state in
            state.asked.lose(player)
            return state.rooms[instance]?.seats[player].map { state.sockets[$0.loop] }
        }
        sockets?.onLoop { $0.dismissed(instance, player, type) }
    }

    /// What a player says is dropped from now on, or no more: its socket and its room know it.
    func setMuted(_ player: PlayerID, in instance: InstanceID, _ isMuted: Bool) {
        let found = state.withLock { state -> (Player, SocketLoop, Route?)? in
            state.asked.setMuted(player, isMuted)
            state.rooms[instance]?.seats[player]?.player.muted = isMuted
            guard let room = state.rooms[instance], let seat = room.seats[player] else {
                return nil
            }
            let route = state.links[room.hosting.ins].map { link in
                Route(link: link, epoch: room.hosting.epoch)
            }
            return (seat.player, state.sockets[seat.loop], route)
        }
        guard let (changed, sockets, route) = found else { return }
        route?.link.send(.change(instance: instance, epoch: route?.epoch ?? 0, changed))
        sockets.onLoop { $0.setMuted(player, in: instance, isMuted) }
    }

    /// The event of a change, with what the roster knows of who is concerned.
    func event(of change: ObjectChange) -> UpdateEvent {
        let home = eta.welcome?.server.address
        return state.withLock { state in
            switch change {
            case .user(let user, _):
                return UpdateEvent(
                    change, instances: Self.instances(with: user.id, home, state))
            case .userDeleted(let id):
                return UpdateEvent(change, instances: Self.instances(with: id, home, state))
            case .world(let world), .worldDeleted(let world):
                let rooms = state.rooms.values.filter { $0.hosting.world.id == world.id }
                return UpdateEvent(change, instances: Set(rooms.map(\.hosting.instance)))
            case .server, .service, .serviceDeleted, .instance, .instanceDeleted:
                return UpdateEvent(change)
            }
        }
    }

    private static func instances(
        with user: UserID, _ home: ServerAddress?, _ state: State
    ) -> Set<InstanceID> {
        let rooms = state.rooms.values.filter { room in
            room.seats.values.contains { seat in
                seat.player.user.id == user
                    && (home.map { seat.player.user.isInternal(to: $0) } ?? false)
            }
        }
        return Set(rooms.map(\.hosting.instance))
    }
}
