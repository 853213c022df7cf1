import API
import Base
import Crypto
import Domain
import Storage

/// Grants of visitors here and of our users abroad: what of them is Eta's, `IntegrityAPI` and
/// `RegistryAPI`.
struct IntegrityController: Sendable {
    let node: Node
    let database: Database
    let pushes: Pushes

    /// How long a grant counts, federation.md §7.
    private static let lifetime: Duration = .seconds(3_600)
    /// How many a user may have at one node; the oldest goes.
    private static let perUser = 8

    init(_ registry: Registry) {
        node = registry.node
        database = registry.database
        pushes = registry.pushes
    }

    func list(
        _ path: Paged<IntegrityAPI.ListPath>, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Page<Integrity> {
        let (caller, page, now) = (context.caller, path.page, context.now)
        let (visitor, user) = (caller.visitor?.user, caller.user?.id)
        let isAdministrator = caller.isAdministrator
        guard visitor != nil || user != nil else { throw APIError(.wrongCredential) }
        return try await database.scan { (reader) throws(APIError) in
            var found: [(key: [UInt8], grant: Integrity)] = []
            var total = 0
            if visitor != nil || isAdministrator {
                let (rows, count) = try IntegrityStore.incomingPage(
                    of: visitor, search: page.folded, after: page.start, limit: page.reach,
                    now: now, reader)
                found += rows.map { ($0.id.bytes, $0.integrity(at: node.address)) }
                total += count
            }
            if visitor == nil {
                let (rows, count) = try IntegrityStore.outgoingPage(
                    of: isAdministrator ? nil : user, search: page.folded, after: page.start,
                    limit: page.reach, now: now, reader)
                found += rows.map { row in
                    (row.id.bytes + Array(row.server.text.utf8), row.integrity(from: node.address))
                }
                total += count
            }
            found.sort { $1.key.lexicographicallyPrecedes($0.key) }
            return page.page(found, total: total, key: \.key) { $0.grant }
        }
    }

    func revoke(
        _ path: IntegrityAPI.IntegrityPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        let (caller, now) = (context.caller, context.now)
        try await database.write { (transaction) throws(APIError) in
            let incoming = try IntegrityStore.incoming(path.id, now: now, transaction.reader)
            let outgoing = try IntegrityStore.outgoing(
                path.id, of: caller.isAdministrator ? nil : caller.user?.id, at: caller.server,
                transaction.reader)
            var gone = Gone()
            if let incoming, Self.mayRevoke(incoming, caller) {
                try IntegrityStore.deleteIncoming(incoming.id, transaction)
                gone.incoming = incoming.id
            }
            if caller.user != nil || caller.server != nil {
                for row in outgoing { try IntegrityStore.deleteOutgoing(row, transaction) }
                gone.outgoing = outgoing
            }
            let found = gone
            guard found.incoming != nil || !found.outgoing.isEmpty else {
                throw APIError(.integrityNotFound)
            }
            transaction.onCommit {
                // A host that revokes by itself needs not be told.
                if caller.server == nil {
                    for row in found.outgoing { pushes.endAbroad(row.id, at: row.server) }
                }
                if let id = found.incoming { pushes.revoke(.integrity(id)) }
            }
        }
        await pushes.settled()
        return Nothing()
    }

    private struct Gone: Sendable {
        var incoming: IntegrityID?
        var outgoing: [OutgoingRow] = []
    }

    private static func mayRevoke(_ grant: IncomingRow, _ caller: Caller) -> Bool {
        switch caller {
        case .visitor(let visitor): visitor.user == grant.user
        case .server(let address): grant.user.server == address
        case .user: caller.isAdministrator
        case .nobody, .ins, .gateway: false
        }
    }

    func issue(
        _ path: RegistryAPI.IncomingPath, _ body: RegistryAPI.IncomingGrant,
        _ context: RequestContext
    ) async throws(APIError) -> IntegrityGrant {
        guard let home = body.user.server, home != node.address,
            body.profile.id == body.user.id, body.profile.server == home
        else {
            throw APIError(.integrityInvalidInput, field: "user", "must be a user of another node")
        }
        let now = context.now
        let id = IntegrityID.make(at: now, random: context.ambient.random)
        let token = IntegrityToken.make(random: context.ambient.random)
        let hash = SHA256.hash(token.bytes)
        let expiresAt = now + Self.lifetime
        let isOneDisplaced = try await database.write { (transaction) throws(APIError) in
            guard try SuspensionStore.find(body.user, transaction.reader) == nil else {
                throw APIError(.userSuspended)
            }
            let before = try IntegrityStore.incoming(of: body.user, now: now, transaction.reader)
            let displaced = before.dropFirst(Self.perUser - 1).map(\.id)
            for id in displaced {
                try IntegrityStore.deleteIncoming(id, transaction)
                transaction.onCommit { pushes.revoke(.integrity(id)) }
            }
            try IntegrityStore.insertIncoming(
                id, body.user, home: home, body.profile, token: hash, now: now,
                expiresAt: expiresAt, transaction)
            return !displaced.isEmpty
        }
        if isOneDisplaced { await pushes.settled() }
        return IntegrityGrant(id: id, user: body.user, token: token, expiresAt: expiresAt)
    }

    func record(
        _ path: RegistryAPI.OutgoingPath, _ body: RegistryAPI.OutgoingGrant,
        _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        let now = context.now
        let isKept = try await database.write { (transaction) throws(APIError) in
            let session = try SessionStore.find(body.session, transaction.reader)
            guard session?.user == body.user else { return false }
            // The host has let go of the oldest of nine too.
            let before = try IntegrityStore.outgoing(of: body.user, now: now, transaction.reader)
                .filter { $0.server == body.server && $0.id != body.id }
            for row in before.dropFirst(Self.perUser - 1) {
                try IntegrityStore.deleteOutgoing(row, transaction)
            }
            try IntegrityStore.insertOutgoing(
                body.id, at: body.server, of: body.user, by: body.session, now: now,
                expiresAt: body.expiresAt, transaction)
            return true
        }
        // The session ended while its user was granted something: so does the grant.
        if !isKept { pushes.endAbroad(body.id, at: body.server) }
        return Nothing()
    }
}
