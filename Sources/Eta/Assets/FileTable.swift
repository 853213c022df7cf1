import Base
import Crypto
import Domain
import Storage

/// A file as it is kept.
struct FileRow: RowDecodable, Sendable {
    let hash: SHA256Digest
    let size: FileSize

    init(row: borrowing Row) throws(DatabaseError) {
        hash = try row.value(0, "hash")
        size = try row.value(1, "size")
    }
}

/// Which files the node keeps, and for whom.
enum FileTable {
    private static let insert = Command<SHA256Digest, FileSize, Timestamp>(
        "INSERT OR IGNORE INTO file (hash, size, created_at) VALUES (?1, ?2, ?3)")
    private static let addToTotal = Command<Int64>("UPDATE file_total SET bytes = bytes + ?1")
    private static let total = Query<Int64>("SELECT bytes FROM file_total")
    private static let sum = Query<Int64>("SELECT coalesce(sum(size), 0) FROM file")
    private static let ofShard = Query<[UInt8], FileRow>(
        "SELECT hash, size FROM file WHERE substr(hash, 1, 1) = ?1")
    private static let isKnown = Query<SHA256Digest, Bool>(
        "SELECT EXISTS (SELECT 1 FROM file WHERE hash = ?1)")
    /// Whether nothing needs a row of `file`: each of these is answered by an index.
    private static let isUnneeded: SQL = """
        NOT EXISTS (SELECT 1 FROM asset WHERE file_hash = file.hash)
        AND NOT EXISTS (SELECT 1 FROM user WHERE thumbnail = file.hash)
        AND NOT EXISTS (SELECT 1 FROM user WHERE banner = file.hash)
        AND NOT EXISTS (SELECT 1 FROM world WHERE thumbnail = file.hash)
        """
    private static let deleteUnneeded = Query<SHA256Digest, FileSize>(
        "DELETE FROM file WHERE hash = ?1 AND \(isUnneeded) RETURNING size")
    private static let unneededSize = Query<SHA256Digest, FileSize>(
        "SELECT size FROM file WHERE hash = ?1 AND \(isUnneeded)")
    private static let unneeded = Query<Int, SHA256Digest>(
        "SELECT hash FROM file WHERE \(isUnneeded) LIMIT ?1")
    private static let ofWorld = Query<WorldID, SHA256Digest>(
        """
        SELECT file_hash AS hash FROM asset WHERE world_id = ?1 AND file_hash IS NOT NULL
        UNION SELECT thumbnail FROM world WHERE id = ?1 AND thumbnail IS NOT NULL
        """)
    /// The files that the account `?1` needs, but for what its asset `?2` does.
    private static let neededByOwner: SQL = """
        SELECT file_hash AS hash FROM asset JOIN world ON world.id = world_id
        WHERE owner_id = ?1 AND file_hash IS NOT NULL AND (?2 IS NULL OR asset.id <> ?2)
        UNION SELECT thumbnail FROM world WHERE owner_id = ?1 AND thumbnail IS NOT NULL
        UNION SELECT thumbnail FROM user WHERE id = ?1 AND thumbnail IS NOT NULL
        UNION SELECT banner FROM user WHERE id = ?1 AND banner IS NOT NULL
        """
    private static let ofOwner = Query<UserID, AssetID?, SHA256Digest>(neededByOwner)
    private static let bytesOfOwner = Query<UserID, AssetID?, Int64>(
        "SELECT coalesce(sum(size), 0) FROM file WHERE hash IN (\(neededByOwner))")

    /// The file is there, and about to be needed.
    static func insert(
        _ hash: SHA256Digest, size: FileSize, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        if try transaction.run(insert, hash, size, now) > 0 {
            try transaction.run(addToTotal, size.number)
        }
    }

    /// Bytes of all files that the node keeps, each counted once.
    static func total(_ reader: borrowing Reader<APIError>) throws(APIError) -> Int64 {
        try reader.first(total) ?? 0
    }

    /// The same, added up row by row, as it can be done in a database of any age.
    static func sum(_ reader: borrowing Reader<APIError>) throws(APIError) -> Int64 {
        try reader.first(sum) ?? 0
    }

    /// Bytes of the files that an account and all its worlds need, each counted once, however many
    /// others need it; without what one asset of theirs needs alone.
    static func bytes(
        of owner: UserID, without asset: AssetID? = nil, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Int64 {
        try reader.first(bytesOfOwner, owner, asset) ?? 0
    }

    /// Bytes of the file, where nothing needs it any more.
    static func unneededBytes(
        of hash: SHA256Digest, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Int64 {
        try reader.first(unneededSize, hash)?.number ?? 0
    }

    /// The files whose hash begins with that byte.
    static func all(
        shard: UInt8, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [FileRow] {
        try reader.all(ofShard, [shard])
    }

    /// Whether the database knows of the file.
    static func contains(
        _ hash: SHA256Digest, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Bool {
        try reader.first(isKnown, hash) ?? false
    }

    /// Forgets the file when nothing needs it: in the act that lets go of it, so that no moment of
    /// the database has a file that is nobody's. Its bytes are deleted behind the act.
    static func forget(
        _ hash: SHA256Digest?, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        guard let hash, let size = try transaction.first(deleteUnneeded, hash) else { return }
        try transaction.run(addToTotal, -size.number)
    }

    /// At most `limit` files that nothing needs.
    static func unneeded(
        limit: Int, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [SHA256Digest] {
        try reader.all(unneeded, limit)
    }

    /// The files that a world and its assets need.
    static func files(
        of world: WorldID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [SHA256Digest] {
        try reader.all(ofWorld, world)
    }

    /// The files that an account and all its worlds need.
    static func files(
        of owner: UserID, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [SHA256Digest] {
        try reader.all(ofOwner, owner, nil)
    }
}
