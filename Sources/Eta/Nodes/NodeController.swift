import API
import Base
import Domain
import Storage

/// What is remembered of other nodes, for Reil; `RegistryAPI`.
struct NodeController: Sendable {
    let database: Database
    let tokens: PeerTokens

    /// More keys than a node has at a time, the old and the new.
    private static let keyLimit = 16
    /// More than a nonce of 128 bits needs in whatever spelling.
    private static let nonceLimit = 128
    /// How long a nonce is remembered at the most: a signature counts for 60 s, and clocks may be
    /// off by as much.
    private static let nonceWindow: Duration = .seconds(300)

    init(_ registry: Registry, tokens: PeerTokens) {
        database = registry.database
        self.tokens = tokens
    }

    func fetch(
        _ path: RegistryAPI.NodePath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> RegistryAPI.NodeRecord {
        let found = try database.read { (reader) throws(APIError) in
            try PeerStore.find(path.address, reader)
        }
        guard let found else { throw APIError(.serverNotFound) }
        let held = tokens.find(path.address, now: context.now)
        return RegistryAPI.NodeRecord(
            address: path.address, secure: found.peer.secure, keys: found.keys,
            gateway: found.peer.gateway, token: held?.token, tokenExpiresAt: held?.expiresAt)
    }

    func save(
        _ path: RegistryAPI.NodePath, _ body: RegistryAPI.NodeRecord, _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        guard body.address == path.address else {
            throw APIError(.serverInvalidInput, field: "address", "is not that of the path")
        }
        guard body.keys.count <= Self.keyLimit else {
            throw APIError(.serverInvalidInput, field: "keys", "are more than \(Self.keyLimit)")
        }
        let now = context.now
        try await database.write { (transaction) throws(APIError) in
            try PeerStore.save(body, now: now, transaction)
        }
        if let token = body.token, let expiresAt = body.tokenExpiresAt {
            tokens.keep(token, until: expiresAt, for: body.address, now: now)
        }
        return Nothing()
    }

    func noteSighting(
        _ path: RegistryAPI.SightingsPath, _ body: RegistryAPI.Sighting, _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        let now = context.now
        try await database.write { (transaction) throws(APIError) in
            try PeerStore.note(path.address, failure: body.failure, now: now, transaction)
        }
        return Nothing()
    }

    func useNonce(
        _ path: RegistryAPI.NoncesPath, _ body: RegistryAPI.NonceUse, _ context: RequestContext
    ) async throws(APIError) -> RegistryAPI.NonceVerdict {
        let now = context.now
        guard (1...Self.nonceLimit).contains(body.nonce.utf8.count),
            body.expiresAt > now, body.expiresAt <= now + Self.nonceWindow
        else { return RegistryAPI.NonceVerdict(fresh: false) }
        return try await database.write { (transaction) throws(APIError) in
            RegistryAPI.NonceVerdict(
                fresh: try PeerStore.use(
                    body.nonce, of: body.server, until: body.expiresAt, transaction))
        }
    }
}
