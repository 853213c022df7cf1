import API
import Base
import Domain
import HTTP

/// WebSocket frames that stand one behind the other, as an Ins makes them.
struct RoomFrameList: Sequence, IteratorProtocol {
    /// One frame.
    struct Frame {
        /// All of it.
        let bytes: ArraySlice<UInt8>
        /// What it carries.
        let payload: ArraySlice<UInt8>

        /// What a newer state of the same thing replaces: all before the first vector.
        var stateKey: [UInt8] {
            let mark = Array(#","p":["#.utf8)
            var index = payload.startIndex
            while index + mark.count <= payload.endIndex {
                if payload[index] == mark[0],
                    payload[index..<index + mark.count].elementsEqual(mark)
                {
                    return Array(payload[..<index])
                }
                index += 1
            }
            return Array(payload)
        }
    }

    private var rest: ArraySlice<UInt8>
    /// Whether what is left is no frame of the kind that an Ins may make.
    private(set) var isBroken = false

    init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

    /// The next frame: final, text, unmasked, and of a length in its shortest form.
    mutating func next() -> Frame? {
        if rest.isEmpty || isBroken { return nil }
        let start = rest.startIndex
        guard rest.count >= 2, rest[start] == 0x81 else { return broken() }
        var length = Int(rest[start + 1])
        var header = 2
        if length == 126 {
            guard rest.count >= 4 else { return broken() }
            length = Int(rest[start + 2]) << 8 | Int(rest[start + 3])
            header = 4
            if length < 126 { return broken() }
        } else if length == 127 {
            guard rest.count >= 10 else { return broken() }
            length = rest[start + 2..<start + 10].reduce(0) { $0 << 8 | Int($1) }
            header = 10
            if length <= 0xFFFF { return broken() }
        } else if length > 127 {
            return broken()
        }
        guard length <= RoomFrameList.longest, rest.count >= header + length else {
            return broken()
        }
        let end = start + header + length
        defer { rest = rest[end...] }
        return Frame(bytes: rest[start..<end], payload: rest[start + header..<end])
    }

    /// The most that a client is sent in one frame: what a member said, and what is put around it.
    static let longest = 64 << 10

    private mutating func broken() -> Frame? {
        isBroken = true
        return nil
    }
}

/// A batch of a room, cut so that each member is sent pieces of the one buffer: all but what it
/// said itself, and of what is for some alone only what is for it.
struct BatchSlices: Sendable {
    private let batch: RoomBatch
    /// Everything, where everything is for all.
    private let whole: Range<Int>
    /// The segments of each sender.
    private let own: [PlayerID: [Int]]
    private let hasAudiences: Bool
    /// Segments in all.
    let count: Int

    /// The slices of a batch that was checked.
    init(_ batch: RoomBatch) {
        self.batch = batch
        var own: [PlayerID: [Int]] = [:]
        var hasAudiences = false
        for (index, segment) in batch.segments.enumerated() {
            if let sender = segment.sender { own[sender, default: []].append(index) }
            if case .players = segment.audience { hasAudiences = true }
        }
        self.own = own
        self.hasAudiences = hasAudiences
        count = batch.segments.count
        let start = batch.segments.first?.range.lowerBound ?? 0
        whole = start..<(batch.segments.last?.range.upperBound ?? start)
    }

    /// The instance whose members hear it.
    var instance: InstanceID { batch.instance }

    /// Whether the frames are such as an Ins may have sent to the members of that room: events of
    /// this instance, nothing else.
    static func isSound(_ batch: RoomBatch) -> Bool {
        let subgroup = Array(#"","subgroup":"\#(batch.instance.text)","#.utf8)
        let opening = Array(#"{"command":"instance-"#.utf8)
        for segment in batch.segments {
            var frames = RoomFrameList(batch.bytes[segment.range])
            while let frame = frames.next() {
                let rest = frame.payload.dropFirst(opening.count)
                guard frame.payload.starts(with: opening),
                    let quote = rest.firstIndex(of: UInt8(ascii: "\"")),
                    rest[quote...].starts(with: subgroup),
                    frame.payload.last == UInt8(ascii: "}")
                else { return false }
            }
            if frames.isBroken { return false }
        }
        return true
    }

    /// What `player` is sent.
    func parts(for player: PlayerID) -> [ArraySlice<UInt8>] {
        if hasAudiences { return chosen { isFor(player, $0) } }
        if whole.isEmpty { return [] }
        guard let mine = own[player] else { return [batch.bytes[whole]] }
        var parts: [ArraySlice<UInt8>] = []
        parts.reserveCapacity(mine.count + 1)
        var from = whole.lowerBound
        for index in mine {
            let range = batch.segments[index].range
            if range.lowerBound > from { parts.append(batch.bytes[from..<range.lowerBound]) }
            from = range.upperBound
        }
        if from < whole.upperBound { parts.append(batch.bytes[from..<whole.upperBound]) }
        return parts
    }

    /// What a player who is slow is sent all the same, and the state that may wait.
    func split(for player: PlayerID) -> (
        events: [ArraySlice<UInt8>], states: [ArraySlice<UInt8>]
    ) {
        (
            chosen { !$0.isState && isFor(player, $0) },
            chosen { $0.isState && isFor(player, $0) }
        )
    }

    private func isFor(_ player: PlayerID, _ segment: RoomBatch.Segment) -> Bool {
        switch segment.audience {
        case .others: segment.sender != player
        case .players(let players): players.contains(player)
        }
    }

    /// The segments that `isWanted`, neighbours as one.
    private func chosen(_ isWanted: (RoomBatch.Segment) -> Bool) -> [ArraySlice<UInt8>] {
        var parts: [ArraySlice<UInt8>] = []
        for segment in batch.segments where isWanted(segment) && !segment.range.isEmpty {
            if let last = parts.last, last.endIndex == segment.range.lowerBound {
                parts[parts.count - 1] = batch.bytes[last.startIndex..<segment.range.upperBound]
            } else {
                parts.append(batch.bytes[segment.range])
            }
        }
        return parts
    }
}

/// Who hears of a changed object.
struct UpdateEvent: Sendable {
    /// One who may hear it.
    struct Listener {
        let caller: Caller
        let reference: UserReference
        /// The instances that it is in.
        let instances: [InstanceID]
    }

    private let change: ObjectChange
    /// What is told, encoded once.
    private let data: EncodedJSON
    /// What the one concerned is told, where that is more.
    private let ownData: EncodedJSON?
    /// Those who are in an instance with the user, or in one of the world.
    private let instances: Set<InstanceID>
    /// The event's name.
    let event: SocketEvent

    /// The event of `change`; `instances` are those through which it concerns their members.
    init(_ change: ObjectChange, instances: Set<InstanceID> = []) {
        self.change = change
        self.instances = instances
        switch change {
        case .server(let server): (event, data, ownData) = (.updateServer, EncodedJSON(server), nil)
        case .user(let user, let themself):
            (event, data, ownData) = (.updateUser, EncodedJSON(user), EncodedJSON(themself))
        case .userDeleted(let id):
            (event, data, ownData) = (.updateUser, EncodedJSON(Deleted(id: id.text)), nil)
        case .service(let service):
            (event, data, ownData) = (.updateService, EncodedJSON(service), nil)
        case .serviceDeleted(let service):
            (event, data, ownData) =
                (.updateService, EncodedJSON(Deleted(id: service.id.text)), nil)
        case .world(let world): (event, data, ownData) = (.updateWorld, EncodedJSON(world), nil)
        case .worldDeleted(let world):
            (event, data, ownData) = (.updateWorld, EncodedJSON(Deleted(id: world.id.text)), nil)
        case .instance(let instance):
            (event, data, ownData) = (.updateInstance, EncodedJSON(instance), nil)
        case .instanceDeleted(let instance):
            (event, data, ownData) =
                (.updateInstance, EncodedJSON(Deleted(id: instance.id.text)), nil)
        }
    }

    private struct Deleted: Encodable {
        let id: String
        let deleted = true

        private enum CodingKeys: String, CodingKey { case id, deleted }
    }

    /// What `listener` is told; nil where it may not know.
    func data(for listener: Listener) -> EncodedJSON? {
        switch change {
        case .server, .service, .serviceDeleted: return data
        case .user(let user, _):
            if listener.caller.isThemself(user.id) { return ownData }
            return isCompanion(listener) ? data : nil
        case .userDeleted: return isCompanion(listener) ? data : nil
        case .world(let world), .worldDeleted(let world):
            var standing = WorldStanding()
            standing.isAdministrator = listener.caller.isAdministrator
            standing.isOwner = world.owner == listener.reference
            standing.isContributor = world.contributors.contains(listener.reference)
            standing.isMember = isCompanion(listener)
            return AccessRules.maySee(world: world.tags, standing) ? data : nil
        case .instance(let instance), .instanceDeleted(let instance):
            return maySee(instance, listener) ? data : nil
        }
    }

    private func isCompanion(_ listener: Listener) -> Bool {
        listener.instances.contains { instances.contains($0) }
    }

    private func maySee(_ instance: Instance, _ listener: Listener) -> Bool {
        var standing = InstanceStanding()
        standing.isAdministrator = listener.caller.isAdministrator
        standing.isOwner = instance.owner == listener.reference
        standing.isModerator = instance.moderators.contains(listener.reference)
        standing.isMember = listener.instances.contains(instance.id)
        return AccessRules.maySee(InstanceAccess(instance.tags), standing)
    }
}
