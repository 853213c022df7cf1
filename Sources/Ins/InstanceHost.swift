import API
import Base
import Domain
import HTTP
import Net

/// A Reil as the host sees it: somewhere to send to. Used on the host's loop only.
protocol ReilLink: AnyObject, Sendable {
    func send(_ statement: InsStatement)
    func send(batch: [UInt8])
}

/// Runs the rooms of this Ins on one loop: takes what Reil says, ticks, and sends batches.
actor InstanceHost {
    private struct Member {
        /// The link over which the player is reached; nil while it is away.
        var link: (any ReilLink)?
        /// Since when it is away.
        var awaySince: Instant?
    }

    /// A room with what its machine does not know: where members are reached, and the tick.
    private final class Room {
        var machine: InstanceMachine
        var members: [PlayerID: Member] = [:]
        var lastFlush: Instant
        var timer: TimerToken?

        init(_ hosting: Hosting, now: Instant) {
            machine = InstanceMachine(hosting)
            lastFlush = now
        }
    }

    /// From so many members on a room speaks at its ticks alone.
    private static let fullPace = 32
    /// A room that has so much to say does not wait: a message of a link has an end, and what one
    /// says at once is held by each of its readers.
    private static let batchBytes = 1 << 20
    /// How long members of a link that broke are kept: Eta gives an Ins up sooner.
    private static let awayLimit = Duration.seconds(3)
    private nonisolated let loop: EventLoop
    private let ambient: Ambient
    private let tick: Duration
    private let capacity: Int
    private var rooms: [InstanceID: Room] = [:]
    private let players: Gauge
    private let instances: Gauge

    nonisolated var unownedExecutor: UnownedSerialExecutor {
        unsafe loop.asUnownedSerialExecutor()
    }

    init(loop: EventLoop, tick: Duration, capacity: Int, ambient: Ambient) {
        self.loop = loop
        self.tick = tick
        self.capacity = capacity
        self.ambient = ambient
        players = ambient.metrics.gauge("reileta_players", help: "Players in rooms of this Ins")
        instances = ambient.metrics.gauge("reileta_instances", help: "Rooms of this Ins")
    }

    /// How busy it is, 0 to 1, and how many rooms it runs.
    var load: (load: Double, instances: Int) {
        let count = rooms.values.reduce(0) { $0 + $1.members.count }
        return (min(1, Double(count) / Double(capacity)), rooms.count)
    }

    /// Does what a Reil says.
    func follow(_ instruction: InsInstruction, from link: any ReilLink) {
        switch instruction {
        case .welcome: break
        case .host(let hosting): host(hosting)
        case .close(let instance, let epoch):
            guard let room = rooms[instance], room.machine.hosting.epoch <= epoch else { return }
            drop(instance, room)
        case .enter(let instance, let epoch, let player):
            guard let room = rooms[instance], room.machine.hosting.epoch == epoch else {
                link.send(.refused(instance: instance, epoch: epoch, player: player.id))
                return
            }
            flush(room)
            let snapshot = room.machine.enter(player)
            room.members[player.id] = Member(link: link)
            link.send(
                .entered(
                    instance: instance, epoch: epoch, player: player.id, snapshot: snapshot))
            changed(room)
            count()
        case .resume(let instance, let epoch, let players):
            guard let room = rooms[instance], room.machine.hosting.epoch == epoch else { return }
            flush(room)
            let snapshot = room.machine.resume(players)
            for player in players { room.members[player.id] = Member(link: link) }
            link.send(.resumed(instance: instance, epoch: epoch, snapshot: snapshot))
            changed(room)
            count()
        case .change(let instance, let epoch, let player):
            guard let room = rooms[instance], room.machine.hosting.epoch == epoch else { return }
            room.machine.change(player)
        case .leave(let instance, let epoch, let player, let type):
            guard let room = rooms[instance], room.machine.hosting.epoch == epoch else { return }
            remove(player, from: room, type)
        }
    }

    /// Takes a frame of members' commands.
    func take(commands frame: [UInt8], from link: any ReilLink) {
        let now = ambient.clock.timestamp()
        let entries: [RoomCommands.Entry]
        do throws(RoomFrameError) {
            entries = try RoomCommands.read(frame)
        } catch {
            ambient.log.error("reil sent a frame that cannot be read", .number("at", error.offset))
            return
        }
        var touched: [ObjectIdentifier: Room] = [:]
        for entry in entries {
            guard let room = rooms[entry.instance], room.machine.hosting.epoch == entry.epoch,
                room.members[entry.player]?.link === link
            else { continue }
            switch entry.command {
            case .data: room.machine.data(frame, in: entry.range, from: entry.player)
            case .object: object(frame, entry, room, link)
            case .transform:
                room.machine.transform(frame, in: entry.range, from: entry.player, now: now)
            }
            if room.machine.waitingBytes > Self.batchBytes { flush(room) }
            touched[ObjectIdentifier(room)] = room
        }
        for room in touched.values { changed(room) }
    }

    /// What a member wants of an object is answered, behind a ticket that it came with.
    private func object(
        _ frame: [UInt8], _ entry: RoomCommands.Entry, _ room: Room, _ link: any ReilLink
    ) {
        guard entry.range.count > 8 else { return }
        let json = entry.range.lowerBound + 8
        let ticket = frame[entry.range.lowerBound..<json].reduce(Int64(0)) { $0 << 8 | Int64($1) }
        let result = room.machine.object(
            frame, in: json..<entry.range.upperBound, from: entry.player)
        var (object, error): (RoomObject?, UInt16?)
        switch result {
        case .success(let changed): object = changed
        case .failure(let refusal): error = refusal.code.rawValue
        }
        link.send(
            .object(
                instance: entry.instance, epoch: entry.epoch, player: entry.player,
                ticket: ticket, object: object, error: error))
    }

    /// A link is gone: its members may come back by it or another for a moment.
    func lost(_ link: any ReilLink) {
        let now = ambient.clock.now()
        var isHit = false
        for room in rooms.values {
            for (player, member) in room.members where member.link === link {
                room.members[player] = Member(link: nil, awaySince: now)
                isHit = true
            }
        }
        guard isHit else { return }
        _ = loop.schedule(after: Self.awayLimit) { [self] in assumeIsolated { $0.sweep() } }
    }

    private func host(_ hosting: Hosting) {
        if let room = rooms[hosting.instance] {
            if room.machine.hosting.epoch == hosting.epoch { room.machine.host(hosting) }
            if room.machine.hosting.epoch >= hosting.epoch { return }
            drop(hosting.instance, room)
        }
        rooms[hosting.instance] = Room(hosting, now: loop.now())
        count()
    }

    private func drop(_ instance: InstanceID, _ room: Room) {
        if let timer = room.timer { loop.cancel(timer) }
        rooms[instance] = nil
        count()
    }

    private func remove(_ player: PlayerID, from room: Room, _ type: LeaveType) {
        guard room.members.removeValue(forKey: player) != nil else { return }
        room.machine.leave(player, type)
        changed(room)
        count()
    }

    private func sweep() {
        let now = ambient.clock.now()
        for room in rooms.values {
            for (player, member) in room.members {
                if let since = member.awaySince, now - since >= Self.awayLimit {
                    remove(player, from: room, .disconnected)
                }
            }
        }
    }

    /// Something waits: it is said at once where the room has been quiet, else a little later. How
    /// much later grows with the members, up to a tick: what a room costs is how often it speaks
    /// times how many hear it, so a small one may speak more often.
    private func changed(_ room: Room) {
        guard room.timer == nil, room.machine.hasOutput else { return }
        let due = room.lastFlush + tick * min(room.members.count, Self.fullPace) / Self.fullPace
        let now = loop.now()
        if now >= due {
            flush(room)
            return
        }
        let instance = room.machine.hosting.instance
        room.timer = loop.schedule(after: due - now) { [self] in
            assumeIsolated { $0.tickEnded(instance) }
        }
    }

    private func tickEnded(_ instance: InstanceID) {
        guard let room = rooms[instance] else { return }
        room.timer = nil
        flush(room)
    }

    private func flush(_ room: Room) {
        if let timer = room.timer {
            loop.cancel(timer)
            room.timer = nil
        }
        room.lastFlush = loop.now()
        guard room.machine.hasOutput else { return }
        let frame = room.machine.takeBatch()
        var sent: [ObjectIdentifier: any ReilLink] = [:]
        for member in room.members.values {
            if let link = member.link { sent[ObjectIdentifier(link)] = link }
        }
        for link in sent.values { link.send(batch: frame) }
    }

    private func count() {
        players.set(Int64(rooms.values.reduce(0) { $0 + $1.members.count }))
        instances.set(Int64(rooms.count))
    }
}
