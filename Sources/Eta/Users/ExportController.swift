import API
import Base
import Domain
import Storage

/// All that the node holds of a user, gathered on one snapshot: `ExportAPI`.
struct ExportController: Sendable {
    let node: Node
    let database: Database

    init(_ registry: Registry) {
        node = registry.node
        database = registry.database
    }

    func export(
        _ path: ExportAPI.ExportPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> ExportAPI.Export {
        let (caller, node, now) = (try context.user(), node, context.now)
        let person = node.reference(caller.id)
        return try await database.scan { (reader) throws(APIError) in
            guard let user = try UserStore.find(caller.id, reader) else {
                throw APIError(.userNotLogged)
            }
            let profile = try UserSight.themself(
                user, try UserStore.tags(user.id, reader), node, reader)
            return ExportAPI.Export(
                profile: profile,
                sessions: try SessionStore.all(of: user.id, now: now, reader).map {
                    $0.view(isCurrent: $0.id == caller.session)
                },
                following: profile.following,
                followers: try FollowStore.followers(of: person, reader),
                worlds: try worlds(of: user.id, reader),
                services: try ServiceStore.all(of: user.id, reader).map { $0.service(node) },
                instances: try instances(of: person, reader),
                integrity: try IntegrityStore.outgoing(of: user.id, now: now, reader)
                    .map { $0.integrity(from: node.address) },
                sanctions: try SanctionStore.all(against: person, reader))
        }
    }

    private func worlds(
        of owner: UserID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [World] {
        var worlds: [World] = []
        for row in try WorldStore.all(of: owner, reader) {
            worlds.append(row.world(try AssetStore.all(of: row.id, reader), node))
        }
        return worlds
    }

    private func instances(
        of owner: UserReference, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [Instance] {
        var instances: [Instance] = []
        for id in try InstanceStore.all(of: owner, reader) {
            guard let row = try InstanceStore.find(.id(id), reader) else { continue }
            instances.append(row.instance(try PlayerStore.all(in: id, reader), node))
        }
        return instances
    }
}
