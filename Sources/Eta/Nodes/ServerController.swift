import API
import Base
import Domain
import HTTP
import Storage

/// What administrators say of the node: `POST /api/server`.
struct ServerController: Sendable {
    let node: Node
    let database: Database
    let record: ServerRecord
    let pushes: Pushes

    init(_ registry: Registry) {
        node = registry.node
        database = registry.database
        record = registry.record
        pushes = registry.pushes
    }

    func update(
        _ path: ServerAPI.ServerPath, _ body: ServerAPI.Update, _ context: RequestContext
    ) async throws(APIError) -> Server {
        // As the Reil showed it that was asked: with its own gateway.
        let gateway = context.request.head.text(.avrReilRun).flatMap { pushes.gateway(of: $0) }
        let server = try await database.write { (transaction) throws(APIError) in
            let before = try NodeStore.profile(transaction.reader)
            var profile = before
            try context.requireMatch(Self.tagged(record.server(before), gateway))
            if let title = body.title { profile.title = title }
            profile.description = body.description.applied(to: profile.description) ?? .empty
            profile.icon = body.icon.applied(to: profile.icon)
            if profile != before {
                profile.updatedAt = context.now
                try NodeStore.save(profile, transaction)
                try AuditLog.note(
                    .updateServer, node.address.text, by: context.caller, node, at: context.now,
                    transaction)
            }
            let changed = profile
            transaction.onCommit {
                record.profile = changed
                pushes.announce(.server(record.server))
            }
            return record.server(profile)
        }
        await pushes.settled()
        return Self.reached(server, by: gateway)
    }

    private static func reached(_ server: Server, by gateway: Gateway?) -> Server {
        var server = server
        if let gateway { server.gateway = gateway }
        return server
    }

    /// What the tag of the node's own object is made of.
    private static func tagged(_ server: Server, _ gateway: Gateway?) -> Server {
        reached(server, by: gateway).still
    }
}
