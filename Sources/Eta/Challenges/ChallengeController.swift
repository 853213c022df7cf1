import API
import Base
import Crypto
import Domain
import Storage

/// Challenges of other nodes: what of them is Eta's, `ChallengeAPI` and `RegistryAPI`.
struct ChallengeController: Sendable {
    let node: Node
    let database: Database
    let pushes: Pushes

    /// How long a challenge waits for its signature, federation.md §4.
    private static let pendingLifetime: Duration = .seconds(60)
    /// How long a server token counts.
    private static let tokenLifetime: Duration = .seconds(24 * 3_600)
    /// How long the token before it still counts, for requests under way.
    private static let handover: Duration = .seconds(60)

    init(_ registry: Registry) {
        node = registry.node
        database = registry.database
        pushes = registry.pushes
    }

    func list(
        _ path: Paged<ChallengeAPI.ListPath>, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Page<Challenge> {
        let server = try scope(of: context.caller)
        let (page, now) = (path.page, context.now)
        return try await database.scan { (reader) throws(APIError) in
            let (found, total) = try ChallengeStore.page(
                of: server, search: page.folded, after: page.start, limit: page.reach, reader)
            return page.page(found, total: total, key: \.id.bytes) { $0.challenge(now: now) }
        }
    }

    func fetch(
        _ path: ChallengeAPI.ChallengePath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Challenge {
        let server = try scope(of: context.caller)
        let found = try database.read { (reader) throws(APIError) in
            try ChallengeStore.find(path.id, reader)
        }
        guard let found, server == nil || found.server == server else {
            throw APIError(.challengeNotFound)
        }
        return found.challenge(now: context.now)
    }

    func revoke(
        _ path: ChallengeAPI.ChallengePath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        let server = try scope(of: context.caller)
        try await database.write { (transaction) throws(APIError) in
            guard let found = try ChallengeStore.find(path.id, transaction.reader),
                server == nil || found.server == server
            else { throw APIError(.challengeNotFound) }
            try ChallengeStore.revoke(path.id, transaction)
            transaction.onCommit { pushes.revoke(.server(found.server)) }
        }
        await pushes.settled()
        return Nothing()
    }

    /// Whose challenges the caller may see; nil: all.
    private func scope(of caller: Caller) throws(APIError) -> ServerAddress? {
        if let server = caller.server { return server }
        guard caller.isAdministrator else { throw APIError(.userDontHavePermission) }
        return nil
    }

    func open(
        _ path: RegistryAPI.ChallengesPath, _ body: ChallengeAPI.Opening, _ context: RequestContext
    ) async throws(APIError) -> ChallengeAPI.Nonce {
        let now = context.now
        let id = ChallengeID.make(at: now, random: context.ambient.random)
        let nonce = context.ambient.random.bytes(32)
        let expiresAt = now + Self.pendingLifetime
        try await database.write { (transaction) throws(APIError) in
            try ChallengeStore.insert(
                id, body.server, nonce: nonce, now: now, expiresAt: expiresAt, transaction)
        }
        return ChallengeAPI.Nonce(
            id: id, nonce: Base64.encodeURL(nonce), server: body.server, expiresAt: expiresAt)
    }

    func spend(
        _ path: RegistryAPI.SpendPath, _ body: RegistryAPI.Spending, _ context: RequestContext
    ) async throws(APIError) -> ChallengeAPI.Nonce {
        let now = context.now
        let spent = try await database.write { (transaction) throws(APIError) in
            try ChallengeStore.spend(body.id, now: now, transaction)
        }
        guard let spent else { throw APIError(.challengeNotFound) }
        return ChallengeAPI.Nonce(
            id: spent.id, nonce: Base64.encodeURL(spent.nonce), server: spent.server,
            expiresAt: spent.expiresAt)
    }

    func issue(
        _ path: RegistryAPI.ServerTokensPath, _ body: RegistryAPI.TokenIssue,
        _ context: RequestContext
    ) async throws(APIError) -> ChallengeAPI.Proved {
        let now = context.now
        let token = ServerToken.make(random: context.ambient.random)
        let hash = SHA256.hash(token.bytes)
        let expiresAt = now + Self.tokenLifetime
        try await database.write { (transaction) throws(APIError) in
            let isProved = try ChallengeStore.prove(
                body.challenge, body.server, token: hash, expiresAt: expiresAt,
                handover: now + Self.handover, transaction)
            // Undone with what it did to the token before.
            guard isProved else { throw APIError(.challengeNotFound) }
            // The token before it has a nearer end now, which no Reil knows of.
            transaction.onCommit { pushes.revoke(.server(body.server)) }
        }
        await pushes.settled()
        return ChallengeAPI.Proved(
            id: body.challenge, server: body.server, token: token, expiresAt: expiresAt)
    }
}
