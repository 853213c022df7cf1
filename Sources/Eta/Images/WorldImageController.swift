import API
import Base
import Crypto
import Domain
import HTTP
import Storage

/// The thumbnails of worlds.
struct WorldImageController: Sendable {
    let node: Node
    let database: Database
    let desk: ImageDesk
    let pushes: Pushes
    let keeper: FileKeeper
    let quota: FileQuota

    init(_ registry: Registry) {
        node = registry.node
        database = registry.database
        desk = ImageDesk(files: registry.files)
        pushes = registry.pushes
        keeper = FileKeeper(registry)
        quota = FileQuota(registry)
    }

    func fetch(
        _ path: ImageAPI.WorldThumbnailPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Response {
        let id = try path.world.own(path.server, node)
        let world = try database.read { (reader) throws(APIError) in
            try WorldGate.visible(id, to: context.caller, node, reader).world
        }
        return try desk.answer(
            context, with: world.thumbnail, named: path.hash,
            isOpen: !world.tags.contains(.private))
    }

    func set(
        _ path: ImageAPI.WorldThumbnailPath, _ body: RawBody, _ context: RequestContext
    ) async throws(APIError) -> World {
        let id = try path.world.own(path.server, node)
        _ = try database.read { (reader) throws(APIError) in
            try WorldGate.editable(id, by: context.caller, node, reader)
        }
        let image = try await desk.receive(context.request, or: .worldInvalidInput)
        return try await desk.keep(image, keeper) { (file) async throws(APIError) in
            try await change(id, to: file, context)
        }
    }

    func delete(
        _ path: ImageAPI.WorldThumbnailPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> World {
        try await change(try path.world.own(path.server, node), to: nil, context)
    }

    private func change(
        _ id: WorldID, to file: StoredFile?, _ context: RequestContext
    ) async throws(APIError) -> World {
        let (digest, size) = (file?.hash, file.flatMap { FileSize($0.size) })
        let (view, former) = try await database.write { (transaction) throws(APIError) in
            var (row, _) = try WorldGate.editable(
                id, by: context.caller, node, transaction.reader)
            let former = row.thumbnail
            try context.requireMatch(tag: former.map { ImageDesk.tag($0).text })
            let before = try quota.before(row.owner, transaction)
            if let digest, let size {
                try FileTable.insert(digest, size: size, at: context.now, transaction)
            }
            row.thumbnail = digest
            row.updatedAt = context.now
            try WorldStore.update(row, transaction)
            if former != digest { try FileTable.forget(former, transaction) }
            try quota.require(after: before, transaction)
            let world = row.world(try AssetStore.all(of: id, transaction.reader), node)
            transaction.onCommit { pushes.announce(.world(world)) }
            return (world, former == digest ? nil : former)
        }
        await pushes.settled()
        if let former { await keeper.release([former]) }
        return view
    }
}
