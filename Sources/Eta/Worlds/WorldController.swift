import API
import Base
import Crypto
import Domain
import HTTP
import Storage

/// The catalogue: `WorldAPI` but for assets.
struct WorldController: Sendable {
    let node: Node
    let database: Database
    let pushes: Pushes
    let keeper: FileKeeper

    init(_ registry: Registry) {
        node = registry.node
        database = registry.database
        pushes = registry.pushes
        keeper = FileKeeper(registry)
    }

    func list(
        _ path: WorldAPI.ListPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Page<World> {
        if let owner = path.owner, !owner.isInternal(to: node.address) {
            return Page(items: [], next: nil, total: 0)
        }
        let filter = WorldStore.Filter(
            search: path.page.folded, tag: path.tag, owner: path.owner?.id,
            viewer: context.caller.reference(home: node.address), account: context.caller.user?.id,
            isAdministrator: context.caller.isAdministrator)
        let page = path.page
        let node = node
        return try await database.scan { (reader) throws(APIError) in
            let (worlds, total) = try WorldStore.page(
                filter, after: page.start, limit: page.reach, reader)
            let assets = try AssetStore.all(of: worlds.map(\.id), reader)
            return page.page(worlds, total: total, key: \.id.bytes) { world in
                world.world(assets[world.id] ?? [], node)
            }
        }
    }

    func create(
        _ path: WorldAPI.ListPath, _ body: WorldAPI.Creation, _ context: RequestContext
    ) async throws(APIError) -> World {
        let caller = try context.user()
        let isAdministrator = context.caller.isAdministrator
        if body.id != nil, !isAdministrator {
            throw APIError(.userDontHavePermission, field: "id", "only administrators may set it")
        }
        let tags = try TagRules.world.setting(body.tags ?? [], byAdministrator: isAdministrator)
        let now = context.now
        let row = WorldRow(
            id: body.id ?? .make(at: now, random: context.ambient.random), title: body.title,
            description: body.description, capacity: body.capacity ?? .standard,
            owner: caller.id, tags: tags, now: now)
        let world = row.world([], node)
        try await database.write { (transaction) throws(APIError) in
            try WorldStore.insert(row, transaction)
            transaction.onCommit { pushes.announce(.world(world)) }
        }
        return world
    }

    func fetch(
        _ path: WorldAPI.WorldPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> World {
        let id = try path.world.own(path.server, node)
        return try database.read { (reader) throws(APIError) in
            let (world, _) = try WorldGate.visible(id, to: context.caller, node, reader)
            return world.world(try AssetStore.all(of: id, reader), node)
        }
    }

    func update(
        _ path: WorldAPI.WorldPath, _ body: WorldAPI.Update, _ context: RequestContext
    ) async throws(APIError) -> World {
        let id = try path.world.own(path.server, node)
        let world = try await database.write { (transaction) throws(APIError) in
            var (row, standing) = try WorldGate.editable(
                id, by: context.caller, node, transaction.reader)
            let assets = try AssetStore.all(of: id, transaction.reader)
            try context.requireMatch(row.world(assets, node))
            if let title = body.title { row.title = title }
            row.description = body.description.applied(to: row.description)
            if let capacity = body.capacity { row.capacity = capacity }
            if let tags = body.tags {
                row.tags = try TagRules.world.setting(
                    tags, over: row.tags, byAdministrator: standing.isAdministrator)
            }
            if let contributors = body.contributors {
                let named = try NamedPeople.kept(
                    contributors, without: node.reference(row.owner), field: "contributors",
                    limit: WorldGate.contributorLimit, or: .worldInvalidInput, node,
                    transaction.reader)
                if Set(named) != Set(row.contributors), !AccessRules.mayDispose(standing) {
                    throw APIError(
                        .userDontHavePermission, field: "contributors", "only the owner sets them")
                }
                row.contributors = named
            }
            row.updatedAt = context.now
            try WorldStore.update(row, transaction)
            let world = row.world(assets, node)
            transaction.onCommit { pushes.announce(.world(world)) }
            return world
        }
        await pushes.settled()
        return world
    }

    func delete(
        _ path: WorldAPI.WorldPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        let id = try path.world.own(path.server, node)
        let files = try await database.write { (transaction) throws(APIError) in
            let (row, standing) = try WorldGate.visible(
                id, to: context.caller, node, transaction.reader)
            guard AccessRules.mayDispose(standing) else {
                throw APIError(.userDontHavePermission)
            }
            if context.request.head.field(.ifMatch) != nil {
                let assets = try AssetStore.all(of: id, transaction.reader)
                try context.requireMatch(row.world(assets, node))
            }
            let files = try FileTable.files(of: id, transaction.reader)
            if !standing.isOwner {
                try AuditLog.note(
                    .deleteWorld, id.text, details: row.title.text, by: context.caller, node,
                    at: context.now, transaction)
            }
            try WorldStore.delete(id, transaction)
            for file in files { try FileTable.forget(file, transaction) }
            let world = row.world([], node)
            transaction.onCommit { pushes.announce(.worldDeleted(world)) }
            return files
        }
        await pushes.settled()
        await keeper.release(files)
        return Nothing()
    }
}
