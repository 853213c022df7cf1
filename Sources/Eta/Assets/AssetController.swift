import API
import Base
import Crypto
import Domain
import HTTP
import Storage

/// The builds of a world: `WorldAPI` but for worlds and files.
struct AssetController: Sendable {
    let settings: EtaSettings
    let node: Node
    let database: Database
    let pushes: Pushes
    let keeper: FileKeeper

    /// A world is one object with its assets, which other nodes read as at most 1 MiB.
    private static let assetLimit = 1_000

    init(_ registry: Registry) {
        settings = registry.settings
        node = registry.node
        database = registry.database
        pushes = registry.pushes
        keeper = FileKeeper(registry)
    }

    func list(
        _ path: WorldAPI.AssetsPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Page<Asset> {
        let id = try path.world.own(path.server, node)
        let node = node
        return try database.read { (reader) throws(APIError) in
            let (_, standing) = try WorldGate.visible(id, to: context.caller, node, reader)
            let filter = AssetStore.Filter(
                world: id, engine: path.engine, platform: path.platform, version: path.version,
                withEmpty: path.empty && AccessRules.mayEdit(standing), search: path.page.folded)
            let (assets, total) = try AssetStore.page(
                filter, after: path.page.start, limit: path.page.reach, reader)
            return path.page.page(assets, total: total, key: \.id.bytes) { $0.asset(node) }
        }
    }

    func create(
        _ path: WorldAPI.AssetsPath, _ body: WorldAPI.AssetCreation, _ context: RequestContext
    ) async throws(APIError) -> Asset {
        let id = try path.world.own(path.server, node)
        var asset = AssetRow(
            id: body.id ?? .make(at: context.now, random: context.ambient.random), world: id,
            version: body.version, engine: body.engine, platform: body.platform, now: context.now)
        if let url = body.url {
            asset.url = url
            (asset.hash, asset.size) = try Self.external(body.hash, body.size)
        } else if body.hash != nil || body.size != nil {
            throw Self.needsURL
        }
        let row = asset
        try await database.write { (transaction) throws(APIError) in
            let (_, standing) = try WorldGate.editable(
                id, by: context.caller, node, transaction.reader)
            if body.id != nil, !standing.isAdministrator {
                throw APIError(
                    .userDontHavePermission, field: "id", "only administrators may set it")
            }
            try requireListed(engine: row.engine, platform: row.platform)
            guard try AssetStore.count(of: id, transaction.reader) < Self.assetLimit else {
                throw APIError(
                    .assetUploadRefused, field: "world", "has \(Self.assetLimit) assets already")
            }
            try AssetStore.insert(row, transaction)
            try WorldGate.touch(id, at: context.now, node, pushes, transaction)
        }
        await pushes.settled()
        return row.asset(node)
    }

    func fetch(
        _ path: WorldAPI.AssetPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Asset {
        let world = try path.world.own(path.server, node)
        return try database.read { (reader) throws(APIError) in
            let (_, standing) = try WorldGate.visible(world, to: context.caller, node, reader)
            let asset = try AssetStore.find(path.asset, in: world, reader)
            guard let asset, !asset.isEmpty || AccessRules.mayEdit(standing) else {
                throw APIError(.assetNotFound)
            }
            return asset.asset(node)
        }
    }

    func update(
        _ path: WorldAPI.AssetPath, _ body: WorldAPI.AssetUpdate, _ context: RequestContext
    ) async throws(APIError) -> Asset {
        let id = try path.world.own(path.server, node)
        let (asset, file) = try await database.write { (transaction) throws(APIError) in
            _ = try WorldGate.editable(id, by: context.caller, node, transaction.reader)
            guard var asset = try AssetStore.find(path.asset, in: id, transaction.reader) else {
                throw APIError(.assetNotFound)
            }
            try context.requireMatch(asset.asset(node))
            let (engine, platform, file) = (asset.engine, asset.platform, asset.file)
            if let version = body.version { asset.version = version }
            if let engine = body.engine { asset.engine = engine }
            if let platform = body.platform { asset.platform = platform }
            if asset.engine != engine || asset.platform != platform {
                try requireListed(engine: asset.engine, platform: asset.platform)
            }
            try Self.point(&asset, body)
            asset.updatedAt = context.now
            try AssetStore.update(asset, transaction)
            let former = asset.file == nil ? file : nil
            try FileTable.forget(former, transaction)
            try WorldGate.touch(id, at: context.now, node, pushes, transaction)
            return (asset.asset(node), former)
        }
        await pushes.settled()
        if let file { await keeper.release([file]) }
        return asset
    }

    func delete(
        _ path: WorldAPI.AssetPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        let id = try path.world.own(path.server, node)
        let file = try await database.write { (transaction) throws(APIError) in
            _ = try WorldGate.editable(id, by: context.caller, node, transaction.reader)
            guard let asset = try AssetStore.find(path.asset, in: id, transaction.reader) else {
                throw APIError(.assetNotFound)
            }
            try context.requireMatch(asset.asset(node))
            try AssetStore.delete(asset.id, transaction)
            try FileTable.forget(asset.file, transaction)
            try WorldGate.touch(id, at: context.now, node, pushes, transaction)
            return asset.file
        }
        await pushes.settled()
        if let file { await keeper.release([file]) }
        return Nothing()
    }

    private func requireListed(
        engine: AssetLabel, platform: AssetLabel
    ) throws(APIError) {
        var problems: [FieldProblem] = []
        if !settings.engines.contains(engine.text.lowercased()) {
            problems.append(Self.mustBeOne("engine", of: settings.engines))
        }
        if !settings.platforms.contains(platform.text.lowercased()) {
            problems.append(Self.mustBeOne("platform", of: settings.platforms))
        }
        if !problems.isEmpty { throw APIError(.assetUploadRefused, details: problems) }
    }

    private static func mustBeOne(_ field: String, of words: Set<String>) -> FieldProblem {
        FieldProblem(
            field: field, message: "must be one of \(words.sorted().joined(separator: ", "))")
    }

    /// Lets the asset point elsewhere, or nowhere; a file here is then not its own any more.
    private static func point(
        _ asset: inout AssetRow, _ body: WorldAPI.AssetUpdate
    ) throws(APIError) {
        switch body.url {
        case .set(let url):
            asset.url = url
            (asset.hash, asset.size) = try external(body.hash, body.size)
            asset.file = nil
        case .clear:
            guard body.hash == nil, body.size == nil else { throw needsURL }
            guard asset.url != nil else { return }
            (asset.url, asset.hash, asset.size) = (nil, nil, nil)
        case .absent:
            guard body.hash != nil || body.size != nil else { return }
            guard asset.url != nil else { throw needsURL }
            if let hash = body.hash { asset.hash = hash }
            if let size = body.size { asset.size = size }
        }
    }

    /// What must be said of a file that the node never sees.
    private static func external(
        _ hash: ContentHash?, _ size: FileSize?
    ) throws(APIError) -> (ContentHash, FileSize) {
        if let hash, let size { return (hash, size) }
        var problems: [FieldProblem] = []
        if hash == nil {
            problems.append(FieldProblem(field: "hash", message: "is needed with url"))
        }
        if size == nil {
            problems.append(FieldProblem(field: "size", message: "is needed with url"))
        }
        throw APIError(.assetInvalidInput, details: problems)
    }

    private static var needsURL: APIError {
        APIError(.assetInvalidInput, field: "url", "is needed with hash and size")
    }
}
