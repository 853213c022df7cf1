import API
import Base
import Domain
import Storage

/// Ends logins together with what was asked for abroad by them, and tells every Reil on the commit.
/// Who answers that they have ended waits for `Pushes.settled` first.
struct SessionEnding: Sendable {
    let pushes: Pushes

    /// Ends one session of that user.
    func end(
        _ id: SessionID, of user: UserID, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        let grants = try IntegrityStore.takeOutgoing(of: id, transaction)
        try SessionStore.delete(id, transaction)
        tell(grants, .session(id, of: user), transaction)
    }

    /// Ends all sessions of a user but perhaps one; as `revocation` where more ends than they.
    func endAll(
        of user: UserID, except kept: SessionID? = nil, as revocation: Revocation? = nil,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        let grants = try IntegrityStore.takeOutgoing(of: user, except: kept, transaction)
        try SessionStore.deleteAll(of: user, except: kept, transaction)
        tell(grants, revocation ?? .sessions(of: user, except: kept), transaction)
    }

    /// Ends those that are past their time, a thousand at a time, and forgets what is left of others.
    func sweep(
        now: Timestamp, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        for session in try SessionStore.expired(now: now, transaction.reader) {
            try end(session.id, of: session.user, transaction)
        }
        try SessionStore.sweep(now: now, transaction)
    }

    private func tell(
        _ grants: [OutgoingRow], _ revocation: Revocation,
        _ transaction: borrowing Transaction<APIError>
    ) {
        transaction.onCommit {
            for grant in grants { pushes.endAbroad(grant.id, at: grant.server) }
            pushes.revoke(revocation)
        }
    }
}
