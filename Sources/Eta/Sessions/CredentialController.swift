import API
import Base
import Crypto
import Domain
import Storage

/// Whose a credential is, for a Reil that sees it for the first time.
struct CredentialController: Sendable {
    private typealias Resolved = RegistryAPI.ResolvedCredential

    let node: Node
    let database: Database
    let tokens: AccessTokens
    let rules: RuleBook

    /// A credential of an Ins or of a service has no end; Reil asks again after so long.
    private static let lastingTime: Duration = .seconds(24 * 3_600)
    /// How exactly it is remembered when something was last used.
    private static let useGrain: Duration = .seconds(60)

    init(_ registry: Registry) {
        node = registry.node
        database = registry.database
        tokens = registry.tokens
        rules = registry.rules
    }

    func resolve(
        _ path: RegistryAPI.CredentialsPath, _ body: RegistryAPI.CredentialQuery,
        _ context: RequestContext
    ) async throws(APIError) -> RegistryAPI.ResolvedCredential {
        let now = context.now
        if let token = AccessToken(body.token) { return try await resolve(token, now) }
        if let token = IntegrityToken(body.token) { return try await resolve(token, now) }
        if let token = ServerToken(body.token) { return try resolve(token, now) }
        if let token = InsToken(body.token) { return try resolve(token, now) }
        if let token = ServiceToken(body.token) { return try resolve(token, now) }
        throw APIError(.userNotLogged)
    }

    /// Which logins and grants still count, for a Reil that could not hear when they ended.
    func standing(
        _ path: RegistryAPI.StandingPath, _ body: RegistryAPI.StandingQuery,
        _ context: RequestContext
    ) async throws(APIError) -> RegistryAPI.Standing {
        let now = context.now
        return try await database.scan { (reader) throws(APIError) in
            var callers: [UserCaller] = []
            for id in body.sessions {
                if let caller = try standing(id, now, reader) { callers.append(caller) }
            }
            var grants: [IntegrityID] = []
            for id in body.integrities
            where try IntegrityStore.incoming(id, now: now, reader) != nil { grants.append(id) }
            return RegistryAPI.Standing(callers: callers, integrities: grants)
        }
    }

    /// Who acts by that session, or by the credential of a service that stands for one.
    private func standing(
        _ id: SessionID, _ now: Timestamp, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> UserCaller? {
        if let service = try ServiceStore.find(session: id, reader) {
            return try caller(of: service, reader)
        }
        guard let session = try SessionStore.find(id, reader), session.expiresAt > now else {
            return nil
        }
        let tags = try UserStore.tags(session.user, reader)
        if try UserStore.isBarred(session.user, tags, node, reader) { return nil }
        return UserCaller(id: session.user, session: id, tags: tags)
    }

    /// A service as the caller that it is; nil while its owner may not act.
    private func caller(
        of service: ServiceRow, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> UserCaller? {
        let tags = try UserStore.tags(service.owner, reader)
        if try UserStore.isBarred(service.owner, tags, node, reader) { return nil }
        return UserCaller(
            id: service.owner, session: service.session, tags: tags, as: service.id)
    }

    /// The first use of a session's newest pair is seen here, since no Reil knows its token yet:
    /// from now on the refresh token before it must not be shown again.
    private func resolve(_ token: AccessToken, _ now: Timestamp) async throws(APIError) -> Resolved
    {
        guard let claims = tokens.read(token, now: now) else { throw APIError(.userNotLogged) }
        let (answer, needsWrite) = try database.read { (reader) throws(APIError) in
            try read(claims, now, reader)
        }
        guard needsWrite else { return answer }
        return try await database.write { (transaction) throws(APIError) in
            guard var session = try SessionStore.find(claims.session, transaction.reader) else {
                throw APIError(.userNotLogged)
            }
            let (answer, _) = try read(claims, now, transaction.reader)
            if claims.generation == session.generation {
                try SessionStore.confirm(&session, transaction)
            }
            try SessionStore.touch(session, now: now, transaction)
            return answer
        }
    }

    private func read(
        _ claims: AccessTokens.Claims, _ now: Timestamp, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (answer: Resolved, needsWrite: Bool) {
        guard let session = try SessionStore.find(claims.session, reader),
            session.user == claims.user, session.expiresAt > now,
            claims.generation <= session.generation,
            try !SessionStore.isReplaced(claims.generation, of: session.id, reader)
        else { throw APIError(.userNotLogged) }
        let tags = try UserStore.tags(session.user, reader)
        if try UserStore.isBarred(session.user, tags, node, reader) {
            throw APIError(.userSuspended)
        }
        let answer = Resolved(
            caller: .user(UserCaller(id: session.user, session: session.id, tags: tags)),
            expiresAt: claims.expiresAt, generation: UInt64(claims.generation))
        let isFirstUse = claims.generation == session.generation && session.previous != nil
        return (answer, isFirstUse || now - session.usedAt >= Self.useGrain)
    }

    private func resolve(
        _ token: IntegrityToken, _ now: Timestamp
    ) async throws(APIError) -> Resolved {
        let hash = SHA256.hash(token.bytes)
        let found = try database.read { (reader) throws(APIError) in
            try IntegrityStore.find(hash, now: now, reader)
        }
        guard let grant = found else { throw APIError(.userNotLogged) }
        if grant.usedAt.map({ now - $0 >= Self.useGrain }) ?? true {
            try await database.write { (transaction) throws(APIError) in
                try IntegrityStore.touch(grant.id, now: now, transaction)
            }
        }
        let action = grant.user.server.map { rules.action(on: $0) } ?? .deny
        if action == .deny { throw APIError(.serverDenied) }
        return Resolved(
            caller: .visitor(
                VisitorCaller(user: grant.user, integrity: grant.id, limited: action == .limit)),
            expiresAt: grant.expiresAt)
    }

    private func resolve(_ token: ServerToken, _ now: Timestamp) throws(APIError) -> Resolved {
        let hash = SHA256.hash(token.bytes)
        let found = try database.read { (reader) throws(APIError) in
            try ChallengeStore.find(token: hash, now: now, reader)
        }
        guard let proved = found else { throw APIError(.userNotLogged) }
        return Resolved(caller: .server(proved.server), expiresAt: proved.expiresAt)
    }

    private func resolve(_ token: ServiceToken, _ now: Timestamp) throws(APIError) -> Resolved {
        let hash = SHA256.hash(token.bytes)
        return try database.read { (reader) throws(APIError) in
            guard let service = try ServiceStore.find(token: hash, reader) else {
                throw APIError(.userNotLogged)
            }
            guard let caller = try caller(of: service, reader) else {
                throw APIError(.userSuspended)
            }
            return Resolved(caller: .user(caller), expiresAt: now + Self.lastingTime)
        }
    }

    private func resolve(_ token: InsToken, _ now: Timestamp) throws(APIError) -> Resolved {
        let hash = SHA256.hash(token.bytes)
        let found = try database.read { (reader) throws(APIError) in
            try InsStore.find(hash, reader)
        }
        guard let name = found else { throw APIError(.userNotLogged) }
        return Resolved(
            caller: .ins(InsCaller(name: name)), expiresAt: now + Self.lastingTime, ins: name.text)
    }
}
