import API
import Base
import Crypto
import Domain
import HTTP
import Storage

/// Accounts opened, logins, and their ends; `AuthAPI`.
struct SessionController: Sendable {
    let settings: EtaSettings
    let node: Node
    let database: Database
    let passwords: Passwords
    let check: PasswordCheck
    let tokens: AccessTokens
    let ending: SessionEnding

    init(_ registry: Registry) {
        settings = registry.settings
        node = registry.node
        database = registry.database
        passwords = registry.passwords
        check = registry.passwordCheck
        tokens = registry.tokens
        ending = registry.ending
    }

    // MARK: Coming in

    func register(
        _ path: AuthAPI.RegisterPath, _ body: AuthAPI.Registration, _ context: RequestContext
    ) async throws(APIError) -> Login {
        if settings.registration == .closed { throw APIError(.serviceDisabled) }
        let invite = settings.registration == .invite ? body.invite ?? "" : nil
        // Known before the hash is paid for; the schema has the last word.
        let taken = try database.read { (reader) throws(APIError) -> String? in
            if let invite, try !InviteStore.counts(invite, at: context.now, reader) {
                throw Self.wrongInvite
            }
            if try UserStore.find(body.username, reader) != nil { return "username" }
            if let email = body.email, try UserStore.find(email, reader) != nil { return "email" }
            return nil
        }
        if let taken { throw APIError(.alreadyExists, field: taken, "is taken") }
        let hash = try await passwords.hash(body.password.secret)
        let (now, random) = (context.now, context.ambient.random)
        let id = UserID.make(at: now, random: random)
        let tags = settings.defaultTags
        let pair = NewPair(random, now)
        let session = newSession(of: id, pair, context)
        return try await database.write { (transaction) throws(APIError) in
            if let invite, try !InviteStore.use(invite, at: now, transaction) {
                throw Self.wrongInvite
            }
            try UserStore.insert(
                id, username: body.username, displayname: body.displayname, email: body.email,
                password: hash, tags: tags, at: now, transaction)
            return try begin(session, pair, transaction)
        }
    }

    private static let wrongInvite = APIError(
        .authInvalidInput, field: "invite", "must be a code that counts")

    func login(
        _ path: AuthAPI.LoginPath, _ body: AuthAPI.Credentials, _ context: RequestContext
    ) async throws(APIError) -> Login {
        let user = try database.read { (reader) throws(APIError) in
            try find(body.username, reader)
        }
        let verdict = try await check.verify(
            body.password, of: user, named: body.username.text, from: context.client)
        guard let user, verdict != .wrong else { throw APIError(.authInvalidLogin) }
        let isBarred = try database.read { (reader) throws(APIError) in
            try UserStore.isBarred(user.id, node, reader)
        }
        if isBarred { throw APIError(.userSuspended) }
        let rehashed =
            verdict == .rightButRehash ? try await passwords.hash(body.password.secret) : nil
        let pair = NewPair(context.ambient.random, context.now)
        let session = newSession(of: user.id, pair, context)
        return try await database.write { (transaction) throws(APIError) in
            // Another password may have been set while this one was compared.
            guard try UserStore.find(user.id, transaction.reader)?.password == user.password else {
                throw APIError(.authInvalidLogin)
            }
            if try UserStore.isBarred(user.id, node, transaction.reader) {
                throw APIError(.userSuspended)
            }
            if let rehashed { try UserStore.setPassword(rehashed, of: user.id, transaction) }
            return try begin(session, pair, transaction)
        }
    }

    func refresh(
        _ path: AuthAPI.RefreshPath, _ body: AuthAPI.Refresh, _ context: RequestContext
    ) async throws(APIError) -> Login {
        let shown = SHA256.hash(body.refresh.bytes)
        let now = context.now
        let pair = NewPair(context.ambient.random, now)
        let outcome = try await database.write { (transaction) throws(APIError) in
            try rotate(shown, to: pair, transaction)
        }
        switch outcome {
        case .login(let login): return login
        case .replaced(let login):
            await ending.pushes.settled()
            return login
        case .ended(let session):
            context.ambient.log.warning(
                "refresh token shown again after its successor was used, session ended",
                .text("session", session.text), .request(context.requestID))
            await ending.pushes.settled()
            throw APIError(.userNotLogged)
        case .refused: throw APIError(.userNotLogged)
        }
    }

    private enum Rotation: Sendable {
        case login(Login)
        case replaced(Login)
        case ended(SessionID)
        case refused
    }

    private func rotate(
        _ shown: SHA256Digest, to pair: NewPair, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Rotation {
        guard let found = try SessionStore.find(refresh: shown, transaction.reader) else {
            return .refused
        }
        var session = found.session
        let decision = SessionRules.decide(found.standing, of: session, now: pair.now)
        if decision == .rotate || decision == .replaceUnused,
            try UserStore.isBarred(session.user, node, transaction.reader)
        {
            throw APIError(.userSuspended)
        }
        switch decision {
        case .rotate:
            try SessionStore.rotate(&session, to: pair.hash, now: pair.now, transaction)
            return .login(try answer(session, pair, transaction.reader))
        case .replaceUnused:
            let replaced = Revocation.generation(
                session.id, of: session.user, UInt64(session.generation))
            try SessionStore.replace(&session, by: pair.hash, now: pair.now, transaction)
            transaction.onCommit { ending.pushes.revoke(replaced) }
            return .replaced(try answer(session, pair, transaction.reader))
        case .endSession:
            try ending.end(session.id, of: session.user, transaction)
            return .ended(session.id)
        case .refuse: return .refused
        }
    }

    // MARK: Looking, and going

    func sessions(
        _ path: Paged<AuthAPI.SessionsPath>, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Page<SessionView> {
        let (caller, page) = (try context.user(), path.page)
        let (rows, total) = try database.read { (reader) throws(APIError) in
            try SessionStore.page(
                of: caller.id, search: page.folded, after: page.start, limit: page.reach,
                now: context.now, reader)
        }
        return page.page(rows, total: total, key: \.id.bytes) { row in
            row.view(isCurrent: row.id == caller.session)
        }
    }

    func endSession(
        _ path: AuthAPI.SessionPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        let caller = try context.user()
        try await database.write { (transaction) throws(APIError) in
            guard try SessionStore.find(path.id, transaction.reader)?.user == caller.id else {
                throw APIError(.sessionNotFound)
            }
            try ending.end(path.id, of: caller.id, transaction)
        }
        await ending.pushes.settled()
        return Nothing()
    }

    func endSessions(
        _ path: AuthAPI.SessionsPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        let caller = try context.user()
        try await database.write { (transaction) throws(APIError) in
            try ending.endAll(of: caller.id, transaction)
        }
        await ending.pushes.settled()
        return Nothing()
    }

    func logout(
        _ path: AuthAPI.LogoutPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        let caller = try context.user()
        try await database.write { (transaction) throws(APIError) in
            try ending.end(caller.session, of: caller.id, transaction)
        }
        await ending.pushes.settled()
        return Nothing()
    }

    func changePassword(
        _ path: AuthAPI.PasswordPath, _ body: AuthAPI.PasswordChange, _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        let caller = try context.user()
        let user = try database.read { (reader) throws(APIError) in
            try UserStore.find(caller.id, reader)
        }
        guard let user else { throw APIError(.userNotLogged) }
        try await check.require(body.current, of: user, from: context.client)
        let hash = try await passwords.hash(body.new.secret)
        try await database.write { (transaction) throws(APIError) in
            // Of two changes at once only one knew the password that counts.
            guard try UserStore.find(user.id, transaction.reader)?.password == user.password else {
                throw APIError(.authInvalidLogin)
            }
            try UserStore.setPassword(hash, of: user.id, transaction)
            try ending.endAll(of: user.id, except: caller.session, transaction)
        }
        await ending.pushes.settled()
        return Nothing()
    }

    // MARK: Parts

    /// The account that a login names: by id, by name, or by email address.
    private func find(
        _ name: LoginName, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> UserRow? {
        if let id = name.id { return try UserStore.find(id, reader) }
        if let name = name.username { return try UserStore.find(name, reader) }
        if let email = name.email { return try UserStore.find(email, reader) }
        return nil
    }

    private func newSession(
        of user: UserID, _ pair: NewPair, _ context: RequestContext
    ) -> SessionRow {
        SessionRow(
            id: .make(at: pair.now, random: context.ambient.random), user: user,
            refresh: pair.hash,
            userAgent: SessionRules.userAgent(context.request.head.text(.userAgent)),
            addressPrefix: context.client.sessionPrefix, now: pair.now)
    }

    private func begin(
        _ session: SessionRow, _ pair: NewPair, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Login {
        guard try SessionStore.insert(session, transaction) else {
            throw APIError(.authInvalidLogin)
        }
        return try answer(session, pair, transaction.reader)
    }

    private func answer(
        _ session: SessionRow, _ pair: NewPair, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Login {
        guard let user = try UserStore.find(session.user, reader) else {
            throw APIError(.userNotLogged)
        }
        let (token, expiresAt) = tokens.make(
            user: user.id, session: session.id, generation: session.generation, now: pair.now)
        return Login(
            token: token, refresh: pair.refresh, expiresAt: expiresAt,
            refreshExpiresAt: session.expiresAt, session: session.id,
            createdAt: session.createdAt,
            user: try UserSight.themself(
                user, try UserStore.tags(user.id, reader), node, reader))
    }
}

/// A refresh token that is about to be given out.
private struct NewPair: Sendable {
    let refresh: RefreshToken
    let hash: SHA256Digest
    let now: Timestamp

    init(_ random: any RandomSource, _ now: Timestamp) {
        refresh = .make(random: random)
        hash = SHA256.hash(refresh.bytes)
        self.now = now
    }
}
