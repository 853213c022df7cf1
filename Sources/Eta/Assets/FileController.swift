import API
import Base
import Crypto
import Domain
import HTTP
import Runtime
import Storage

/// The bytes of assets, both ways.
struct FileController: Sendable {
    let node: Node
    let database: Database
    let files: FileStore
    let pushes: Pushes
    let keeper: FileKeeper
    let quota: FileQuota
    /// The assets whose file is on its way.
    let desk = UploadDesk()
    /// The largest file of an asset.
    let largest: Int64

    init(_ registry: Registry) {
        node = registry.node
        database = registry.database
        files = registry.files
        pushes = registry.pushes
        keeper = FileKeeper(registry)
        quota = FileQuota(registry)
        largest = Int64(registry.settings.largestFile.bytes)
    }

    /// The file, or where it lies. A Reil that can open the files itself is told which one it is
    /// (`AVR-File`, its path), and answers conditions and ranges by itself.
    func download(
        _ path: WorldAPI.FilePath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Response {
        let id = try path.world.own(path.server, node)
        let (world, asset) = try database.read { (reader) throws(APIError) in
            let (world, _) = try WorldGate.visible(id, to: context.caller, node, reader)
            guard let asset = try AssetStore.find(path.asset, in: id, reader) else {
                throw APIError(.assetNotFound)
            }
            return (world, asset)
        }
        guard let hash = asset.hash, path.hash == nil || path.hash == hash else {
            throw APIError(.fileNotUploaded)
        }
        if let url = asset.url {
            return Response(status: .found, fields: Fields((.location, url.text)))
        }
        guard let digest = asset.file, let file = try open(digest) else {
            throw .internalError("file \(hash) of asset \(asset.id) is missing")
        }
        let isPublic = !world.tags.contains(.private)
        let isOpen = isPublic && context.caller.kind == .nobody
        let lifetime = path.hash == nil ? "no-cache" : "max-age=31536000, immutable"
        let fields = Fields(
            (.contentDisposition, "attachment; filename=\"\(Self.name(of: asset))\""),
            (.cacheControl, "\(isOpen ? "public" : "private"), \(lifetime)"),
            (.vary, "Authorization"))
        let head = context.request.head
        let eTag = ETag(strong: hash.text)
        if head.field(.avrAcceptFile) != nil {
            var fields = fields
            fields.append(.eTag, eTag.text)
            fields.append(.contentType, MediaType.octetStream)
            fields.append(.avrFile, Percent.encode(files.path(of: digest)))
            if isPublic { fields.append(.avrFilePublic, "true") }
            return Response(status: .ok, fields: fields)
        }
        return try FileResponse.make(
            for: head, of: file, eTag: eTag, contentType: MediaType.octetStream, fields: fields
        ) {
            Hex.encode(context.ambient.random.bytes(16))
        }
    }

    private func open(_ digest: SHA256Digest) throws(APIError) -> StoredFile? {
        do throws(FileStoreError) { return try files.open(digest) } catch { throw APIError(error) }
    }

    /// Labels have no character that would have to be quoted.
    private static func name(of asset: AssetRow) -> String {
        "\(asset.world)-\(asset.version)-\(asset.engine)-\(asset.platform).bin"
    }

    /// Takes the file, or a part of it, or a question how much of it is here.
    func upload(
        _ path: WorldAPI.FilePath, _ body: RawBody, _ context: RequestContext
    ) async throws(APIError) -> WorldAPI.UploadState {
        let world = try path.world.own(path.server, node)
        let (asset, owner) = try database.read { (reader) throws(APIError) in
            let row = try WorldGate.editable(world, by: context.caller, node, reader).world
            guard let asset = try AssetStore.find(path.asset, in: world, reader) else {
                throw APIError(.assetNotFound)
            }
            return (asset, row.owner)
        }
        try context.requireMatch(tag: asset.hash.map { ETag(strong: $0.text).text })
        let order = try UploadOrder(
            asset: asset.id, hash: path.hash, context.request, largest: largest)
        if order.isQuestion {
            if let hash = path.hash, asset.file != nil, asset.hash == hash {
                return .complete(asset.asset(node))
            }
            return .received(try await Upload.received(order, files))
        }
        guard let place = desk.enter(asset.id) else { throw APIError(FileStoreError.inUse) }
        defer { place.leave() }
        let room = try await quota.room(for: asset.id, of: owner, key: order.key)
        guard let taken = try await take(order, room, in: world, context) else {
            return .received(order.part?.end ?? 0)
        }
        // From here on nothing pins the file.
        switch taken.outcome {
        case .success(let (asset, former)):
            await pushes.settled()
            if let former { await keeper.release([former]) }
            return .complete(asset)
        case .failure(let error):
            await keeper.release([taken.digest])
            throw error
        }
    }

    /// A file that has arrived, and what became of it.
    private struct Taken: Sendable {
        var digest: SHA256Digest
        var outcome: Result<(asset: Asset, former: SHA256Digest?), APIError>
    }

    /// Receives a file and makes it the asset's: it is pinned until it is referred to. Nil for a
    /// part.
    private func take(
        _ order: UploadOrder, _ room: FileQuota.Room, in world: WorldID, _ context: RequestContext
    ) async throws(APIError) -> Taken? {
        guard let file = try await Upload.receive(order, context.request, files, room) else {
            return nil
        }
        // It pins what it stored until nobody has it any more: that is to be after the act.
        defer { withExtendedLifetime(file) {} }
        guard let hash = ContentHash(bytes: file.hash.bytes), let size = FileSize(file.size) else {
            throw .internalError("a file of \(file.size) bytes")
        }
        let (digest, id, now) = (file.hash, order.asset, context.now)
        do throws(APIError) {
            let kept = try await database.write { (transaction) throws(APIError) in
                let owner = try WorldGate.editable(
                    world, by: context.caller, node, transaction.reader
                ).world.owner
                guard var asset = try AssetStore.find(id, in: world, transaction.reader) else {
                    throw APIError(.assetNotFound)
                }
                let former = asset.file == digest ? nil : asset.file
                let before = try quota.before(owner, transaction)
                try FileTable.insert(digest, size: size, at: now, transaction)
                (asset.url, asset.hash, asset.size) = (nil, hash, size)
                (asset.file, asset.updatedAt) = (digest, now)
                try AssetStore.update(asset, transaction)
                try FileTable.forget(former, transaction)
                try quota.require(after: before, transaction)
                try WorldGate.touch(world, at: now, node, pushes, transaction)
                return (asset: asset.asset(node), former: former)
            }
            return Taken(digest: digest, outcome: .success(kept))
        } catch {
            return Taken(digest: digest, outcome: .failure(error))
        }
    }
}
