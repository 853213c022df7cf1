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

    /// Deletes those of `hashes` that nothing needs any more. What fails is left to ``sweep()``.
    func release(_ hashes: [SHA256Digest]) async {
        for hash in hashes {
            do throws(APIError) {
                let isForgotten = try await database.write { (transaction) throws(APIError) in
                    try FileTable.deleteUnneeded(hash, transaction)
                }
                if isForgotten { try await delete(hash) }
            } catch {
                log.warning("file not deleted", .text("hash", hash.hex), .reason(error.context))
            }
        }
    }

    /// Deletes a file that arrived and that nobody came to refer to.
    func abandon(_ hash: SHA256Digest) async {
        do throws(APIError) { try await delete(hash) } catch {
            log.warning("file not deleted", .text("hash", hash.hex), .reason(error.context))
        }
    }

    /// Deletes every file that nothing needs, what a crash left among the files, and the parts of
    /// uploads that nobody came back for.
    public func sweep() async throws(APIError) {
        var before: [SHA256Digest] = []
        while true {
            let unneeded = try database.read { (reader) throws(APIError) in
                try FileTable.unneeded(limit: 100, reader)
            }
            // What could not be deleted just now is tried again at the next sweep.
            if unneeded.isEmpty || unneeded == before { break }
            await release(unneeded)
            before = unneeded
        }
        do throws(FileStoreError) {
            _ = try await files.sweepParts()
            for shard in UInt8.min...UInt8.max {
                for hash in try await files.hashes(shard: shard) where !isKnown(hash) {
                    _ = try await files.delete(hash) { isKnown(hash) }
                }
            }
        } catch { throw APIError(error) }
    }

    private func delete(_ hash: SHA256Digest) async throws(APIError) {
        do throws(FileStoreError) {
            _ = try await files.delete(hash) { isKnown(hash) }
        } catch { throw APIError(error) }
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
