import Base
import Domain

/// What a Reil tells an Ins in text frames of the link (`avr.ins.1`). What members say travels in
/// binary frames, see ``RoomCommands``.
public enum InsInstruction: Codable, Sendable {
    /// The first frame: where all Reil of the node are dialled.
    case welcome(links: [Gateway])
    /// Run this instance under this epoch; a higher epoch replaces what runs, the same changes its
    /// owner and capacity.
    case host(Hosting)
    /// Drop this instance if it runs under this epoch or an older one.
    case close(instance: InstanceID, epoch: Int64)
    /// A player comes in; answered by ``InsStatement/entered``.
    case enter(instance: InstanceID, epoch: Int64, Player)
    /// These players are in already, as far as the Reil knows; told when a link stands anew, and
    /// answered by ``InsStatement/resumed``.
    case resume(instance: InstanceID, epoch: Int64, players: [Player])
    /// A player is not what it was, but nothing that others are told of.
    case change(instance: InstanceID, epoch: Int64, Player)
    /// A player is gone.
    case leave(instance: InstanceID, epoch: Int64, player: PlayerID, type: LeaveType)
}

/// What an Ins tells a Reil in text frames. What it tells members travels in ``RoomBatch``es.
public enum InsStatement: Codable, Sendable {
    /// The first frame.
    case hello(name: String, version: String, capacity: Int, region: String)
    /// Every 5 s: how busy it is, 0 to 1, and how many instances it runs.
    case load(load: Double, instances: Int)
    /// A player is in: `snapshot` is the answer to their `instance-join`, a JSON object. From this
    /// frame on the player is among the receivers of the room's batches.
    case entered(instance: InstanceID, epoch: Int64, player: PlayerID, snapshot: RoomSnapshot)
    /// The players of a ``InsInstruction/resume`` are in: `snapshot` is the room as it is now, as
    /// they may have missed something.
    case resumed(instance: InstanceID, epoch: Int64, snapshot: RoomSnapshot)
    /// What came of the command about an object that had that ticket: the object, or an error.
    case object(
        instance: InstanceID, epoch: Int64, player: PlayerID, ticket: Int64, object: RoomObject?,
        error: UInt16?)
    /// It does not run that instance under that epoch.
    case refused(instance: InstanceID, epoch: Int64, player: PlayerID)
}

/// The late-join snapshot, docs/client/socket.md `instance-join`.
public struct RoomSnapshot: Codable, Sendable {
    /// The instance.
    public let instance: InstanceID
    /// The one who joins; absent where the room is told anew to those who are in.
    public let player: Player?
    /// Everybody in the room, the one who joins among them.
    public let players: [Player]
    /// The objects that were set.
    public let objects: [RoomObject]
    /// The newest transform of each path.
    public let transforms: [RoomTransform]

    /// A snapshot.
    public init(
        instance: InstanceID, player: Player?, players: [Player], objects: [RoomObject],
        transforms: [RoomTransform]
    ) {
        self.instance = instance
        self.player = player
        self.players = players
        self.objects = objects
        self.transforms = transforms
    }
}

/// What a member may do about an object.
public enum ObjectAction: String, Codable, Sendable, CaseIterable {
    case acquire, release, set, delete
}

/// An object of a room.
public struct RoomObject: Codable, Sendable {
    /// Its name.
    public let object: String
    /// Who holds it, nil when it is free.
    public let holder: PlayerID?
    /// How often it has changed.
    public let version: Int
    /// What its holder said of it last.
    public let data: JSONValue?

    /// An object.
    public init(object: String, holder: PlayerID?, version: Int, data: JSONValue?) {
        self.object = object
        self.holder = holder
        self.version = version
        self.data = data
    }
}

/// Where a part of a player or an object is, as in `instance-transform`.
public struct RoomTransform: Codable, Sendable {
    /// Who moved it.
    public let player: PlayerID
    /// `p:<player>/body/head` or `o:<object>` and a part.
    public let path: String
    /// Position, metres.
    public let p: [Double]
    /// Rotation, a quaternion.
    public let r: [Double]?
    /// Scale.
    public let s: [Double]?
    /// Velocity.
    public let v: [Double]?
    /// Acceleration.
    public let a: [Double]?
    /// The sender's clock.
    public let at: Timestamp

    /// A transform.
    public init(
        player: PlayerID, path: String, p: [Double], r: [Double]?, s: [Double]?, v: [Double]?,
        a: [Double]?, at: Timestamp
    ) {
        self.player = player
        self.path = path
        self.p = p
        self.r = r
        self.s = s
        self.v = v
        self.a = a
        self.at = at
    }
}
