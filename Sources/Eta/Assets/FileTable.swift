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
    private static let deleteUnneeded = Command<SHA256Digest>(
        "DELETE FROM file WHERE hash = ?1 AND \(isUnneeded)")
    private static let unneeded = Query<Int, SHA256Digest>(
        "SELECT hash FROM file WHERE \(isUnneeded) LIMIT ?1")
    private static let ofWorld = Query<WorldID, SHA256Digest>(
        """
        SELECT file_hash AS hash FROM asset WHERE world_id = ?1 AND file_hash IS NOT NULL
        UNION SELECT thumbnail FROM world WHERE id = ?1 AND thumbnail IS NOT NULL
        """)
    private static let ofOwner = Query<UserID, SHA256Digest>(
        """
        SELECT file_hash AS hash FROM asset JOIN world ON world.id = world_id
        WHERE owner_id = ?1 AND file_hash IS NOT NULL
        UNION SELECT thumbnail FROM world WHERE owner_id = ?1 AND thumbnail IS NOT NULL
        UNION SELECT thumbnail FROM user WHERE id = ?1 AND thumbnail IS NOT NULL
        UNION SELECT banner FROM user WHERE id = ?1 AND banner IS NOT NULL
        """)

    /// The file is there, and about to be needed.
    static func insert(
        _ hash: SHA256Digest, size: FileSize, at now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try transaction.run(insert, hash, size, now)
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

    /// Forgets the file when nothing needs it; false when something does, or it was not known.
    static func deleteUnneeded(
        _ hash: SHA256Digest, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Bool {
        try transaction.run(deleteUnneeded, hash) > 0
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
        try reader.all(ofOwner, owner)
    }
}
