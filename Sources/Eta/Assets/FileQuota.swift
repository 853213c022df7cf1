import Base
import Domain
import Storage

/// How many bytes of files there may be, for one user and for all.
///
/// Identical bytes lie on the disk once, and everybody who needs them pays for them whole: else an
/// account would be beyond its quota because another one let go of a file, and could find out by
/// its own figures what others have. A world's files are its owner's, whoever has sent them. The node
/// pays for them once; a file that takes another's place needs room beside it until it is there.
struct FileQuota: Sendable {
    let database: Database
    let files: FileStore
    let settings: FileSettings

    init(_ registry: Registry) {
        database = registry.database
        files = registry.files
        settings = registry.settings.files
    }

    /// How it was before an act that may make it more.
    struct Before: Sendable {
        fileprivate let owner: UserID
        fileprivate let used: Int64
        fileprivate let total: Int64
    }

    /// What the owner needs, and the node keeps, before the act.
    func before(
        _ owner: UserID, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> Before {
        Before(
            owner: owner,
            used: settings.userQuota == nil
                ? 0 : try FileTable.bytes(of: owner, transaction.reader),
            total: try FileTable.total(transaction.reader))
    }

    /// Refuses (68) the act that makes it more than a quota; what makes it less is never refused,
    /// even where it is still too much.
    func require(
        after before: Before, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        if let quota = settings.userQuota {
            let used = try FileTable.bytes(of: before.owner, transaction.reader)
            if used > quota, used > before.used { throw Self.beyond(user: quota) }
        }
        if let quota = settings.nodeQuota {
            let total = try FileTable.total(transaction.reader)
            if total > quota, total > before.total { throw Self.beyond(node: quota) }
        }
    }

    /// How large the file of an asset may be that is about to be sent, and who refuses more: what is
    /// left of both quotas, without what the asset has now and what other uploads have left behind.
    /// Several at once may find the same room; the act behind each is what counts.
    func room(
        for asset: AssetID, of owner: UserID, key: String?
    ) async throws(APIError) -> Room {
        if settings.userQuota == nil, settings.nodeQuota == nil {
            return Room(bytes: .max, refusal: APIError(.insufficientStorage))
        }
        let parts: [FileStore.Part]
        do throws(FileStoreError) { parts = try await files.parts() } catch {
            throw APIError(error)
        }
        let others = parts.filter { $0.key != key }
        return try await database.scan { (reader) throws(APIError) in
            var room = Room(bytes: .max, refusal: APIError(.insufficientStorage))
            if let quota = settings.nodeQuota {
                let rest = try quota - FileTable.total(reader) - others.reduce(0) { $0 + $1.size }
                room = Room(bytes: rest, refusal: Self.beyond(node: quota))
            }
            if let quota = settings.userQuota {
                var used = try FileTable.bytes(of: owner, without: asset, reader)
                for part in others {
                    guard let whose = UploadOrder.asset(ofKey: part.key),
                        try AssetStore.owner(of: whose, reader) == owner
                    else { continue }
                    used += part.size
                }
                if quota - used < room.bytes {
                    room = Room(bytes: quota - used, refusal: Self.beyond(user: quota))
                }
            }
            return room
        }
    }

    /// How much may come.
    struct Room: Sendable {
        /// Negative where there is too much already.
        let bytes: Int64
        /// What is said to more.
        let refusal: APIError
    }

    private static func beyond(user quota: Int64) -> APIError {
        APIError(
            .insufficientStorage, field: "file",
            "does not fit into the \(quota) bytes that one user's files may have")
    }

    private static func beyond(node quota: Int64) -> APIError {
        APIError(
            .insufficientStorage, field: "file",
            "does not fit into the \(quota) bytes that the node keeps")
    }
}
