import Base
import Crypto
import Domain
import Storage

/// An asset as it is kept.
struct AssetRow: RowDecodable, Sendable {
    static let columns: SQL = """
        id, world_id, version, engine, platform, url, hash, size, file_hash, created_at, updated_at
        """

    var id: AssetID
    var world: WorldID
    var version: AssetLabel
    var engine: AssetLabel
    var platform: AssetLabel
    /// Where its file lies, for one that lies elsewhere.
    var url: SecureURL?
    /// Of the file, wherever it lies.
    var hash: ContentHash?
    var size: FileSize?
    /// The file in the node's own store.
    var file: SHA256Digest?
    var createdAt: Timestamp
    var updatedAt: Timestamp

    /// An asset that is made now, without a file.
    init(
        id: AssetID, world: WorldID, version: AssetLabel, engine: AssetLabel,
        platform: AssetLabel, now: Timestamp
    ) {
        self.id = id
        self.world = world
        self.version = version
        self.engine = engine
        self.platform = platform
        createdAt = now
        updatedAt = now
    }

    init(row: borrowing Row) throws(DatabaseError) {
        id = try row.value(0, "id")
        world = try row.value(1, "world_id")
        version = try row.value(2, "version")
        engine = try row.value(3, "engine")
        platform = try row.value(4, "platform")
        url = try row.value(5, "url")
        hash = try row.value(6, "hash")
        size = try row.value(7, "size")
        file = try row.value(8, "file_hash")
        createdAt = try row.value(9, "created_at")
        updatedAt = try row.value(10, "updated_at")
    }

    /// Whether it has no file yet, here or elsewhere.
    var isEmpty: Bool { hash == nil }

    /// As everybody sees it. The URL of a file here names its bytes, so that who has it once need
    /// never ask again.
    func asset(_ node: Node) -> Asset {
        var url = url?.url
        if file != nil, let hash {
            url = node.gateway.url("/api/worlds/\(world)/assets/\(id)/file?hash=\(hash)")
        }
        return Asset(
            id: id, version: version, engine: engine, platform: platform, url: url, hash: hash,
            size: size, empty: isEmpty, createdAt: createdAt, updatedAt: updatedAt)
    }
}

/// Assets, and which files they need.
enum AssetStore {
    /// Which assets of a world a list is of.
    struct Filter: Sendable {
        let world: WorldID
        let engine: AssetLabel?
        let platform: AssetLabel?
        let version: AssetLabel?
        /// Also those without a file.
        let withEmpty: Bool
        /// In lower case; nil for all.
        let search: String?
    }

    private static let byID = Query<AssetID, WorldID, AssetRow>(
        "SELECT \(AssetRow.columns) FROM asset WHERE id = ?1 AND world_id = ?2")
    private static let ofWorld = Query<WorldID, AssetRow>(
        "SELECT \(AssetRow.columns) FROM asset WHERE world_id = ?1 AND hash IS NOT NULL ORDER BY id"
    )
    private static let ofWorlds = Query<IDList<WorldKind>, AssetRow>(
        """
        SELECT \(AssetRow.columns) FROM asset
        WHERE world_id IN (\(SQL.idList)) AND hash IS NOT NULL
        ORDER BY id
        """)
    private static let filter: SQL = """
        world_id = ?1
        AND (?2 IS NULL OR engine = ?2)
        AND (?3 IS NULL OR platform = ?3)
        AND (?4 IS NULL OR version = ?4)
        AND (?5 OR hash IS NOT NULL)
        AND (?6 IS NULL OR instr(lower(version || ' ' || engine || ' ' || platform), ?6) > 0)
        """
    private static let page = Query<
        WorldID, AssetLabel?, AssetLabel?, AssetLabel?, Bool, String?, [UInt8], Int, AssetRow
    >(
        """
        SELECT \(AssetRow.columns) FROM asset
        WHERE \(filter) AND id > ?7
        ORDER BY id
        LIMIT ?8
        """)
    private static let count = Query<
        WorldID, AssetLabel?, AssetLabel?, AssetLabel?, Bool, String?, Int
    >("SELECT count(*) FROM asset WHERE \(filter)")
    private static let countAll = Query<WorldID, Int>(
        "SELECT count(*) FROM asset WHERE world_id = ?1")
    private static let newestVersion = Query<WorldID, AssetLabel>(
        """
        SELECT version FROM asset
        WHERE world_id = ?1 AND hash IS NOT NULL
        ORDER BY id DESC
        LIMIT 1
        """)
    private static let hasVersion = Query<WorldID, AssetLabel, Bool>(
        """
        SELECT EXISTS (
            SELECT 1 FROM asset WHERE world_id = ?1 AND version = ?2 AND hash IS NOT NULL)
        """)
    private static let owner = Query<AssetID, UserID>(
        "SELECT owner_id FROM world JOIN asset ON world_id = world.id WHERE asset.id = ?1")
    private static let insert = Command<
        AssetID, WorldID, AssetLabel, AssetLabel, AssetLabel, SecureURL?, ContentHash?, FileSize?,
        Timestamp
    >(
        """
        INSERT INTO asset (
            id, world_id, version, engine, platform, url, hash, size, created_at, updated_at
        ) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)
        """)
    private static let update = Command<
        AssetID, AssetLabel, AssetLabel, AssetLabel, SecureURL?, ContentHash?, FileSize?,
        SHA256Digest?, Timestamp
    >(
        """
        UPDATE asset SET
            version = ?2, engine = ?3, platform = ?4, url = ?5, hash = ?6, size = ?7,
            file_hash = ?8, updated_at = ?9
        WHERE id = ?1
        """)
    private static let delete = Command<AssetID>("DELETE FROM asset WHERE id = ?1")

    /// The asset with that id in that world.
    static func find(
        _ id: AssetID, in world: WorldID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> AssetRow? {
        try reader.first(byID, id, world)
    }

    /// Whose world it is an asset of; nil when there is none.
    static func owner(
        of id: AssetID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> UserID? {
        try reader.first(owner, id)
    }

    /// The assets of a world that have a file.
    static func all(
        of world: WorldID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [AssetRow] {
        try reader.all(ofWorld, world)
    }

    /// The assets of several worlds that have a file.
    static func all(
        of worlds: [WorldID], _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [WorldID: [AssetRow]] {
        Dictionary(grouping: try reader.all(ofWorlds, IDList(worlds)), by: \.world)
    }

    /// At most `limit` assets behind `after`, and how many there are in all.
    static func page(
        _ filter: Filter, after: [UInt8], limit: Int, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (assets: [AssetRow], total: Int) {
        let assets = try reader.all(
            page, filter.world, filter.engine, filter.platform, filter.version, filter.withEmpty,
            filter.search, after, limit)
        let total = try reader.first(
            count, filter.world, filter.engine, filter.platform, filter.version, filter.withEmpty,
            filter.search)
        return (assets, total ?? 0)
    }

    /// How many assets a world has, with a file or without.
    static func count(
        of world: WorldID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Int {
        try reader.first(countAll, world) ?? 0
    }

    /// The version of a world that was made last, of those that have a file.
    static func newestVersion(
        of world: WorldID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> AssetLabel? {
        try reader.first(newestVersion, world)
    }

    /// Whether the world has an asset of that version that there is something of.
    static func hasVersion(
        _ version: AssetLabel, of world: WorldID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Bool {
        try reader.first(hasVersion, world, version) ?? false
    }

    /// Makes an asset; 45 when its id or its labels are taken, 25 when its world is gone.
    static func insert(
        _ asset: AssetRow, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        let violation = try transaction.attempt(
            insert, asset.id, asset.world, asset.version, asset.engine, asset.platform, asset.url,
            asset.hash, asset.size, asset.createdAt)
        if let violation { throw taken(violation) }
    }

    /// Keeps an asset as it is now; 45 when its labels are taken.
    static func update(
        _ asset: AssetRow, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        let violation = try transaction.attempt(
            update, asset.id, asset.version, asset.engine, asset.platform, asset.url, asset.hash,
            asset.size, asset.file, asset.updatedAt)
        if let violation { throw taken(violation) }
    }

    /// Deletes an asset.
    static func delete(
        _ id: AssetID, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(delete, id)
    }

    private static func taken(_ violation: ConstraintViolation) -> APIError {
        guard violation.kind == .unique else {
            return violation.kind == .foreignKey
                ? APIError(.worldNotFound) : .internalError("asset: \(violation)")
        }
        let labels = ["version", "engine", "platform"]
        let fields = violation.isUnique("asset.id") ? ["id"] : labels
        return APIError(
            .assetAlreadyExists,
            details: fields.map { FieldProblem(field: $0, message: "is taken") })
    }
}
