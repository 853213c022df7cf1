import API
import Base
import Crypto
import Domain
import HTTP

/// Who a socket's client is, and on what that rests.
struct Identity {
    /// As Eta is told.
    var caller: Caller
    /// The same without the session.
    let person: Person
    /// The person with their home.
    let reference: UserReference
    /// When a visitor's grant ends by itself; a user's session ends by word of Eta.
    let expiresAt: Timestamp?
    /// What gives it its place among the person's sockets.
    let place: SocketCounts.Place

    /// Whether it rests on what `revocation` names, and how its socket is closed then.
    ///
    /// What is only remembered of a user's rights, of one access token, or of another node's own
    /// token closes no socket.
    func end(by revocation: Revocation) -> CloseCode? {
        switch (revocation, caller) {
        case (.session(let session, _), .user(let user)):
            return user.session == session ? .unauthenticated : nil
        case (.sessions(let id, let kept), .user(let user)):
            return user.id == id && user.session != kept ? .unauthenticated : nil
        case (.user(let id), .user(let user)): return user.id == id ? .denied : nil
        case (.visitor(let user), .visitor(let visitor)):
            return visitor.user == user ? .denied : nil
        case (.integrity(let id), .visitor(let visitor)):
            return visitor.integrity == id ? .unauthenticated : nil
        case (.node(let home), .visitor(let visitor)):
            return visitor.home == home ? .denied : nil
        case (.node, _), (.session, _), (.sessions, _), (.user, _), (.visitor, _), (.integrity, _),
            (.generation, _),
            (.rights, _), (.server, _), (.ins, _):
            return nil
        }
    }
}

/// A command that a room answers.
struct RoomQuestion {
    let frame: SocketFrame
    let deadline: Instant
}

/// A player of a socket.
struct Membership {
    let instance: InstanceID
    let player: PlayerID
    /// Whether the Ins has let it in; before, the frame of the `instance-join` waits for its answer.
    var pending: PendingJoin?
    /// Whether what it says is dropped.
    var isMuted = false
    var isEntered: Bool { pending == nil }
}

/// An `instance-join` whose seat is taken and whose Ins has not answered; or, without a frame, one
/// who comes back.
struct PendingJoin {
    let frame: SocketFrame?
    let deadline: Instant
}

/// One client's socket as its loop keeps it. It is small: tens of thousands of them do nothing.
final class SocketSession {
    let number: Int
    /// Where the client is.
    let client: IPAddress
    var sink: any WebSocketSink
    var machine: SessionMachine
    var identity: Identity?
    /// Since when nobody could say whether what it rests on still counts; nil while Eta would.
    var uncheckedSince: Instant?
    /// Whether it logged in at the upgrade, so that `authenticate` may come without a credential.
    var hasUpgradeCredential = false
    /// The place it was let in by, among those of its address or of who opened it, until it has
    /// logged in.
    var openingPlace: SocketCounts.Place?
    var memberships: [Membership] = []
    /// The services that it hears.
    var heard: Set<ServiceID> = []
    /// Instances for which Eta is being asked for a seat.
    var seatsAsked = 0
    /// Bytes of a snapshot that is on its way: until the client has read it so much more may wait,
    /// as nobody can read a room before it was told of it.
    var snapshotBytes = 0
    /// What rooms were asked and have not answered, by ticket; empty nearly always.
    var questions: [Int64: RoomQuestion] = [:]
    /// By what it may be resumed.
    var resumeKey: SHA256Digest?
    /// Until when it may be, once it has dropped.
    var dormantUntil: Instant?
    /// What it was sent last, where it would be worth resuming.
    var recent: RecentEvents?
    /// The other socket for which it goes on, until all is told.
    var resuming: SocketLoop.Resuming?
    /// What did not fit into the rate or the socket; nil nearly always.
    var excess: Excess?

    init(
        number: Int, sink: any WebSocketSink, place: SocketCounts.Place?, client: IPAddress,
        now: Instant
    ) {
        self.client = client
        self.number = number
        self.sink = sink
        openingPlace = place
        machine = SessionMachine(now: now)
    }

    func membership(in instance: InstanceID) -> Membership? {
        memberships.first { $0.instance == instance }
    }
}
