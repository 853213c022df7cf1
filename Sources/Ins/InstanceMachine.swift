import API
import Base
import Domain
import HTTP

/// The rules of one room, and what it has to say: who is in, who is master, what moved. Pure:
/// what comes out waits in a batch until somebody takes it.
struct InstanceMachine: ~Copyable {
    private(set) var hosting: Hosting
    /// In the order in which they came.
    private(set) var players: [Player] = []
    private var transforms: TransformTable
    private var objects = ObjectTable()
    private var batch = RoomBatchWriter()
    private var sequence: Int64 = 0
    private let subgroup: String

    init(_ hosting: Hosting) {
        self.hosting = hosting
        transforms = TransformTable(capacity: hosting.capacity)
        subgroup = hosting.instance.text
    }

    /// The same placement, with another owner or capacity.
    mutating func host(_ hosting: Hosting) {
        self.hosting = hosting
        transforms.setCapacity(hosting.capacity)
    }

    /// Bytes that wait to be taken, but for transforms.
    var waitingBytes: Int { batch.byteCount }

    /// Whether something waits to be taken.
    var hasOutput: Bool {
        let isEmpty = batch.isEmpty
        return !isEmpty || transforms.isDirty
    }

    /// On whose client the world's logic runs: the owner while present, else the longest present;
    /// bots only where there is nobody else.
    var master: PlayerID? {
        if let owner = players.first(where: { $0.user == hosting.owner }) { return owner.id }
        return (players.first { $0.role != .bot } ?? players.first)?.id
    }

    func holds(_ player: PlayerID) -> Bool { players.contains { $0.id == player } }

    /// A player comes in: the others are told, the snapshot is for the one who comes. What waited
    /// must have been taken before, for it is in the snapshot.
    mutating func enter(_ player: Player) -> RoomSnapshot {
        admit([player])
        return snapshot(for: player)
    }

    /// Players are there who were in a room of that instance before: the others are told of those
    /// that are new here, the snapshot is for all of them. What waited must have been taken before.
    mutating func resume(_ players: [Player]) -> RoomSnapshot {
        admit(players)
        return snapshot(for: nil)
    }

    private func snapshot(for player: Player?) -> RoomSnapshot {
        RoomSnapshot(
            instance: hosting.instance, player: player, players: players, objects: objects.all,
            transforms: transforms.all)
    }

    /// Takes players in. Those who come together have each other in their snapshot.
    private mutating func admit(_ comers: [Player]) {
        let coming = Set(comers.map(\.id))
        let others = players.map(\.id).filter { !coming.contains($0) }
        let audience = comers.count == 1 ? RoomBatch.Audience.others : .players(others)
        let instance = hosting.instance
        for player in comers {
            if let index = players.firstIndex(where: { $0.id == player.id }) {
                players[index] = player
                continue
            }
            players.append(player)
            if others.isEmpty { continue }
            say(.instanceJoined, sender: player.id, to: audience) { out in
                out.append(#"{"instance":"#)
                out.append(jsonString: instance.text)
                out.append(#","player":"#)
                JSONCoder.encode(player, into: &out)
                out.append(UInt8(ascii: "}"))
            }
        }
    }

    /// A player is not what it was; who comes later is told so.
    mutating func change(_ player: Player) {
        guard let index = players.firstIndex(where: { $0.id == player.id }) else { return }
        players[index] = player
    }

    /// A player is gone: the others are told.
    mutating func leave(_ player: PlayerID, _ type: LeaveType) {
        guard let index = players.firstIndex(where: { $0.id == player }) else { return }
        players.remove(at: index)
        transforms.forget(player)
        for freed in objects.release(allOf: player) { tell(of: freed, sender: nil) }
        let left = SocketMessages.Left(instance: hosting.instance, player: player, type: type)
        say(.instanceLeft, sender: nil, to: .others) { JSONCoder.encode(left, into: &$0) }
    }

    /// A member says something to the others, or to those named in `to`.
    ///
    /// The command's `data` is the object in `range` of `frame`; what is said in it is passed on
    /// byte for byte.
    mutating func data(_ frame: [UInt8], in range: Range<Int>, from player: PlayerID) {
        guard holds(player), let object = try? JSONScanner.object(frame, in: range),
            let content = object["data"], content.count <= SocketMessages.dataLimit
        else { return }
        var audience = RoomBatch.Audience.others
        if let list = object["to"], let to = try? JSONParser.parse(frame[list]), !to.isNull {
            let named = (to.arrayValue ?? []).compactMap { $0.stringValue.flatMap(PlayerID.init) }
            audience = .players(named.filter { $0 != player && holds($0) })
            if case .players([]) = audience { return }
        }
        let instance = hosting.instance
        say(.instanceData, sender: player, to: audience) { out in
            out.append(#"{"instance":"#)
            out.append(jsonString: instance.text)
            out.append(#","player":"#)
            out.append(jsonString: player.text)
            out.append(#","data":"#)
            out.append(frame[content])
            out.append(UInt8(ascii: "}"))
        }
    }

    /// A member moves something: the command's `data` is the object in `range` of `frame`. What may
    /// not be is dropped: there is no answer to a transform.
    mutating func transform(
        _ frame: [UInt8], in range: Range<Int>, from player: PlayerID, now: Timestamp
    ) {
        guard holds(player) else { return }
        try? transforms.take(
            frame, in: range, from: player, now: now
        ) { [objects, master] name in
            master == player || objects.holder(of: name) == player
        }
    }

    /// A member wants something of an object: the command's `data` is the object in `range` of
    /// `frame`. The others are told what comes of it.
    mutating func object(
        _ frame: [UInt8], in range: Range<Int>, from player: PlayerID
    ) -> Result<RoomObject, APIError> {
        guard holds(player), let object = try? JSONScanner.object(frame, in: range),
            let name = object["object"].flatMap({ JSONScanner.text(frame, $0) })
                .flatMap({ ObjectName($0) }),
            let action = object["action"].flatMap({ JSONScanner.text(frame, $0) })
                .flatMap({ ObjectAction(rawValue: $0) }),
            object["data"]?.count ?? 0 <= SocketMessages.objectLimit
        else { return .failure(APIError(.instanceInvalidInput)) }
        do throws(ObjectTable.Refusal) {
            let changed = try objects.perform(
                action, name.text, data: object["data"].map { frame[$0] }, by: player)
            tell(of: changed, sender: player)
            return .success(changed)
        } catch {
            switch error {
            case .notHeld: return .failure(APIError(.userDontHavePermission))
            case .tooMany: return .failure(APIError(.payloadTooLarge))
            }
        }
    }

    private mutating func tell(of object: RoomObject, sender: PlayerID?) {
        let told = ObjectEvent(instance: hosting.instance, object)
        say(.instanceObject, sender: sender, to: .others) { JSONCoder.encode(told, into: &$0) }
    }

    /// What `instance-object` says.
    private struct ObjectEvent: Encodable {
        let instance: InstanceID
        let object: String
        let holder: PlayerID?
        let data: JSONValue?
        let version: Int

        init(instance: InstanceID, _ object: RoomObject) {
            self.instance = instance
            self.object = object.object
            holder = object.holder
            data = object.data
            version = object.version
        }
    }

    /// All that waits, as one frame for every Reil that has members here.
    mutating func takeBatch() -> [UInt8] {
        let instance = hosting.instance
        let subgroup = subgroup
        var pending: [(PlayerID, [(path: String, words: [UInt8])])] = []
        transforms.drain { pending.append(($0, $1)) }
        for (player, moved) in pending {
            let opening =
                #"{"command":"instance-transform","subgroup":"\#(subgroup)","data":{"#
                + #""instance":"\#(subgroup)","player":"\#(player.text)","path":"#
            batch.append(sender: player, audience: .others, isState: true) { out in
                for (path, words) in moved {
                    Self.framed(into: &out) { out in
                        out.append(opening)
                        out.append(jsonString: path)
                        out.append(words)
                        out.append("}}")
                    }
                }
            }
        }
        return batch.take(instance: instance, epoch: hosting.epoch)
    }

    private mutating func say(
        _ event: SocketEvent, sender: PlayerID?, to audience: RoomBatch.Audience,
        _ write: (inout ByteWriter) -> Void
    ) {
        sequence += 1
        let number = sequence
        let subgroup = subgroup
        batch.append(sender: sender, audience: audience) { out in
            Self.framed(into: &out) { out in
                out.append(#"{"command":""#)
                out.append(event.rawValue)
                out.append(#"","subgroup":""#)
                out.append(subgroup)
                out.append(#"","seq":"#)
                out.append(decimal: number)
                out.append(#","data":"#)
                write(&out)
                out.append(UInt8(ascii: "}"))
            }
        }
    }

    /// A complete WebSocket frame around what `write` writes: its header comes before a length
    /// that is known only afterwards.
    private static func framed(
        into out: inout ByteWriter, _ write: (inout ByteWriter) -> Void
    ) {
        var payload = ByteWriter(capacity: 256)
        write(&payload)
        FrameSerializer.header(.text, length: payload.count, into: &out)
        payload.withSpan { out.append($0) }
    }
}
