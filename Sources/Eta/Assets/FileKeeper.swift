import Base
import Crypto
import Domain
import Storage

/// Deletes files that no asset needs: at once where an act has left them behind, else by going
/// through all of them.
public struct FileKeeper: Sendable {
    let database: Database
    let files: FileStore
    let log: Log

    /// Keeps the files of that registry.
    public init(_ registry: Registry) {
        database = registry.database
        files = registry.files
        log = registry.ambient.log
    }

    /// Deletes those of `hashes` that the database has forgotten. What fails is left to ``sweep()``.
    func release(_ hashes: [SHA256Digest]) async {
        for hash in hashes {
            do throws(FileStoreError) {
                _ = try await files.delete(hash) { isKnown(hash) }
            } catch {
                log.warning("file not deleted", .text("hash", hash.hex), .reason("\(error)"))
            }
        }
    }

    /// Deletes every file that nothing needs, what a crash left among the files, and the parts of
    /// uploads that nobody came back for.
    public func sweep() async throws(APIError) {
        // There are none, unless an earlier program was killed between two acts.
        let unneeded = try database.read { (reader) throws(APIError) in
            try FileTable.unneeded(limit: 1_000, reader)
        }
        if !unneeded.isEmpty {
            try await database.write { (transaction) throws(APIError) in
                for hash in unneeded { try FileTable.forget(hash, transaction) }
            }
        }
        do throws(FileStoreError) {
            _ = try await files.sweepParts()
            for part in try await files.parts() where isNobodys(part) {
                do { _ = try await files.discardPart(part.key) } catch  where error == .inUse {}
            }
            for shard in UInt8.min...UInt8.max {
                for hash in try await files.hashes(shard: shard) where !isKnown(hash) {
                    _ = try await files.delete(hash) { isKnown(hash) }
                }
            }
        } catch { throw APIError(error) }
    }

    /// Whether the asset that it was to be a file of is gone.
    private func isNobodys(_ part: FileStore.Part) -> Bool {
        guard let asset = UploadOrder.asset(ofKey: part.key) else { return true }
        let owner = try? database.read { (reader) throws(APIError) in
            try AssetStore.owner(of: asset, reader) != nil
        }
        return owner == false
    }

    /// A database that does not answer deletes nothing.
    private func isKnown(_ hash: SHA256Digest) -> Bool {
        let answer = try? database.read { (reader) throws(APIError) in
            try FileTable.contains(hash, reader)
        }
        return answer ?? true
    }
}

extension APIError {
    /// What a store of files that cannot do its work is answered with.
    init(_ error: FileStoreError) {
        self =
            switch error {
            case .full: APIError(.insufficientStorage)
            case .inUse: APIError(.assetUploadRefused, field: "file", "is being uploaded already")
            case .gap(let received):
                APIError(
                    .assetUploadRefused, field: "Content-Range",
                    "must begin at \(received) or before, which is what has arrived")
            case .wrongHash(let hash):
                APIError(.assetInvalidFile, field: "file", "has the SHA-256 \(hash.hex)")
            case .overloaded: .overloaded(context: "files")
            case .failed(let problem): .internalError("files: \(problem)")
            }
    }
}
