import API
import Base
import Domain
import Storage

/// Ends logins together with what was asked for abroad by them.
struct SessionEnding: Sendable {
    /// What others have to be told once it is durable.
    struct Ended: Sendable {
        /// How many sessions there were.
        var count: Int
        /// What the sessions' user was granted abroad by them.
        var grants: [OutgoingRow]
    }

    let pushes: Pushes

    /// Ends one session.
    func end(
        _ id: SessionID, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Ended {
        let grants = try IntegrityStore.takeOutgoing(of: id, transaction)
        let count = try SessionStore.delete(id, transaction)
        return Ended(count: count, grants: grants)
    }

    /// Ends all sessions of a user but perhaps one.
    func endAll(
        of user: UserID, except kept: SessionID? = nil,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Ended {
        let grants = try IntegrityStore.takeOutgoing(of: user, except: kept, transaction)
        let count = try SessionStore.deleteAll(of: user, except: kept, transaction)
        return Ended(count: count, grants: grants)
    }

    /// Tells every Reil; comes back once none of them honours what has ended.
    func tell(_ ended: Ended, as revocation: Revocation) async {
        for grant in ended.grants { pushes.endAbroad(grant.id, at: grant.server) }
        await pushes.revoke(revocation)
    }
}
