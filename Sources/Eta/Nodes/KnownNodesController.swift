import API
import Base
import Domain
import Storage

/// The other nodes as administrators see them: `NodesAPI`.
struct KnownNodesController: Sendable {
    let node: Node
    let database: Database
    let tokens: PeerTokens
    let pushes: Pushes

    init(_ registry: Registry, tokens: PeerTokens) {
        node = registry.node
        database = registry.database
        self.tokens = tokens
        pushes = registry.pushes
    }

    func list(
        _ path: Paged<NodesAPI.NodesPath>, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Page<NodesAPI.KnownNode> {
        let page = path.page
        return try await database.scan { (reader) throws(APIError) in
            let (found, total) = try PeerStore.page(
                search: page.folded, after: page.startText, limit: page.reach, reader)
            return page.page(found, total: total, key: { Array($0.address.text.utf8) }) { $0 }
        }
    }

    func fetch(
        _ path: NodesAPI.NodePath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> NodesAPI.KnownNode {
        let found = try database.read { (reader) throws(APIError) in
            try PeerStore.known(path.address, reader)
        }
        guard let found else { throw APIError(.serverNotFound) }
        return found
    }

    /// What it signed may be replayed no more than before: its nonces stay.
    func forget(
        _ path: NodesAPI.NodePath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        let address = path.address
        try await database.write { (transaction) throws(APIError) in
            guard try PeerStore.forget(address, transaction) else {
                throw APIError(.serverNotFound)
            }
            try ChallengeStore.revoke(of: address, transaction)
            try AuditLog.note(
                .forgetNode, address.text, by: context.caller, node, at: context.now, transaction)
            transaction.onCommit {
                tokens.forget(address)
                pushes.forget(address)
                pushes.revoke(.server(address))
            }
        }
        await pushes.settled()
        return Nothing()
    }
}
