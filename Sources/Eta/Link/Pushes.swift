import API
import Base
import Domain

/// What every Reil of the node is told. A controller announces what it has written, once it is
/// durable; what takes rights away is waited for before the write is answered.
public final class Pushes: Sendable {
    /// The outside.
    let ambient: Ambient

    /// Nobody is linked yet.
    public init(ambient: Ambient) { self.ambient = ambient }

    /// An object is not what it was.
    public func announce(_ change: ObjectChange) {}

    /// Something counts no more: comes back once every Reil has taken it, or lost its lease.
    public func revoke(_ revocation: Revocation) async {}

    /// An instance is hosted by that Ins from now on: comes back once every Reil knows.
    public func host(_ hosting: Hosting) async {}

    /// An instance is over.
    public func close(_ instance: InstanceID) {}

    /// A player's seat is gone by Eta's own decision.
    public func dismiss(_ player: PlayerID, from instance: InstanceID, _ type: LeaveType) {}

    /// A token of one of our users abroad is to be revoked there.
    public func endAbroad(_ integrity: IntegrityID, at server: ServerAddress) {}
}
