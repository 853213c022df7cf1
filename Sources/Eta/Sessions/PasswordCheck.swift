import API
import Base
import Crypto
import Domain
import Storage

/// Compares passwords with those of accounts, as often as failed logins are allowed.
struct PasswordCheck: Sendable {
    let database: Database
    let passwords: Passwords
    let guarding: LoginGuard

    /// Whether `attempt` is the password of `user`; with nobody it takes as long and is wrong.
    /// `name` is what the account was called by, for counting those that there are not.
    ///
    /// - Throws: 55 when too much has failed, 70 when too many wait.
    func verify(
        _ attempt: PasswordAttempt, of user: UserRow?, named name: String, from client: IPAddress
    ) async throws(APIError) -> PasswordHash.Verification {
        var isKnown = false
        if let user {
            isKnown = try database.read { (reader) throws(APIError) in
                try SessionStore.isKnown(client.sessionPrefix, to: user.id, reader)
            }
        }
        let keys = LoginThrottle.keys(
            account: user?.id.text ?? "?" + name.lowercased(), address: client, isKnown: isKnown)
        return try await guarding.run(keys) { () async throws(APIError) in
            let verdict = try await passwords.verify(attempt.secret, against: user?.password)
            return (verdict, failed: verdict == .wrong)
        }
    }

    /// Lets only the right password of `user` through.
    ///
    /// - Throws: 23 for a wrong one or none, 55 and 70 as ``verify(_:of:named:from:)``.
    func require(
        _ attempt: PasswordAttempt?, of user: UserRow, from client: IPAddress
    ) async throws(APIError) {
        guard let attempt,
            try await verify(attempt, of: user, named: user.username.text, from: client) != .wrong
        else { throw APIError(.authInvalidLogin) }
    }
}
