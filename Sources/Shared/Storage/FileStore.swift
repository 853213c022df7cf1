import Base
import Crypto
import Glibc

/// Why the store cannot do what it is asked.
public enum FileStoreError: Error, Sendable, Equatable {
    /// No room; what was uploaded is thrown away, so that nothing half-written takes any.
    case full
    /// Another upload of the same key runs.
    case inUse
    /// The upload is to go on at a place it has not reached; it has `received` bytes.
    case gap(received: Int64)
    /// The bytes hash to this, and not to what was told. They are thrown away.
    case wrongHash(SHA256Digest)
    /// Too much waits for the disk already.
    case overloaded
    /// What the disk said.
    case failed(FileError)

    init(_ error: FileError) { self = error == .full ? .full : .failed(error) }
}

/// Blobs by their SHA-256, under `ab/cdef…` of a folder.
///
/// A file comes into being by being renamed when it is whole and on the disk, so that each name
/// is of a whole file, at any moment of a power cut. Identical bytes are one file: who refers to
/// it is counted by the caller, in the database.
///
/// ```swift
/// let upload = try await files.upload(key: "\(asset).\(hash)", at: 0)
/// while let chunk = try await body.next() { try await upload.append(chunk) }
/// let file = try await upload.finish(expecting: hash)   // pinned while `file` lives …
/// try await database.write { … INSERT INTO file … }     // … so that nobody sweeps it before this
/// ```
///
/// An upload that is dropped or suspended keeps its part when it has a key, for `keepsParts`.
public final class FileStore: Sendable {
    /// The part of an upload that was cut off.
    public struct Part: Sendable, Equatable {
        /// The key that the upload was given.
        public let key: String
        /// Bytes received.
        public let size: Int64
        /// When the last of them came.
        public let modified: Timestamp
    }

    private struct State {
        /// Uploads that run, by key; one without has a number.
        var uploads: Set<String> = []
        var made = 0
        var pins: [SHA256Digest: Int] = [:]
    }

    private let folder: String
    /// The same from the root.
    private let realFolder: String
    private let partFolder: String
    private let temporaryFolder: String
    private let keepsParts: Duration
    /// Bytes of the disk that uploads leave to everything else.
    private let floor: Int64
    private let disk: any DiskSpace
    private let ambient: Ambient
    private let pool: BlockingPool
    private let state = Lock(State())
    /// Held while a name appears or goes, on the pool alone.
    private let naming = Lock(())
    /// Half of what the pool takes: an upload that was begun is not refused in its middle.
    private let uploadLimit: Int

    /// The store in `folder`, made if there is none; what a process that died was still writing
    /// without a key is removed, where nobody else has the store open (`isOwner`). Blocks.
    ///
    /// Uploads are refused where they would leave less than `floor` bytes of the disk free, so that
    /// the database, which is on the same disk as a rule, can still be written.
    public init(
        folder: String, keepsParts: Duration = .seconds(24 * 3_600), floor: Int64 = 0,
        threads: Int = 4, queueLimit: Int = 256, isOwner: Bool = true,
        disk: any DiskSpace = SystemDisk(), ambient: Ambient
    ) throws(FileStoreError) {
        self.folder = folder
        self.floor = floor
        self.disk = disk
        self.keepsParts = keepsParts
        self.ambient = ambient
        uploadLimit = queueLimit / 2
        partFolder = folder + "/parts"
        temporaryFolder = folder + "/temporary"
        do throws(FileError) {
            try Disk.makeFolders(partFolder)
            try Disk.makeFolders(temporaryFolder)
            for name in isOwner ? try Disk.names(in: temporaryFolder) : [] {
                _ = try Disk.remove(temporaryFolder + "/" + name)
            }
        } catch { throw FileStoreError(error) }
        realFolder = Disk.realPath(folder)
        pool = BlockingPool(name: "files", threads: threads, queueLimit: queueLimit)
        ambient.metrics.depth(of: pool)
    }

    deinit { pool.stop() }

    // MARK: Uploads

    /// Begins to receive a file, or goes on at byte `offset` of what came before under this key
    /// (from 0 anew). A key is the caller's, such as asset and hash; without one, what is cut off
    /// is gone.
    public func upload(
        key: String? = nil, at offset: Int64 = 0
    ) async throws(FileStoreError) -> FileUpload {
        let name = try claim(key)
        let path = key.map(partPath) ?? temporaryFolder + name
        do {
            let file = try await onPool {
                () throws(FileError) -> Result<PartialFile, FileStoreError> in
                try self.requireRoom(for: 0)
                let file = try PartialFile(path)
                let size = try file.sizeOnDisk()
                if offset > size { return .failure(.gap(received: size)) }
                try file.goOn(at: offset)
                return .success(file)
            }.get()
            return FileUpload(
                store: self, file: file, name: name, isKept: key != nil, received: offset)
        } catch {
            ended(name)
            throw error
        }
    }

    /// How much of the upload of `key` is here; 0 when nothing is.
    public func received(_ key: String) async throws(FileStoreError) -> Int64 {
        let path = partPath(key)
        return try await onPool { () throws(FileError) in
            do throws(FileError) {
                return try OpenFile(path, O_RDONLY | O_CLOEXEC).status().size
            } catch {
                if error == .missing { return 0 }
                throw error
            }
        }
    }

    /// All parts that wait to be gone on with.
    public func parts() async throws(FileStoreError) -> [Part] {
        try await onPool { () throws(FileError) in try self.readParts() }
    }

    /// Throws away the part of `key`; false when there is none.
    public func discardPart(_ key: String) async throws(FileStoreError) -> Bool {
        let name = try claim(key)
        defer { ended(name) }
        let path = partPath(key)
        return try await onPool { () throws(FileError) in try Disk.remove(path) }
    }

    /// Removes the parts that nobody came back for in time, and says how many.
    public func sweepParts() async throws(FileStoreError) -> Int {
        let limit = ambient.clock.timestamp() - keepsParts
        var removed = 0
        for part in try await parts() where part.modified < limit {
            do {
                if try await discardPart(part.key) { removed += 1 }
            } catch  where error == .inUse {}
        }
        return removed
    }

    // MARK: Files

    /// The file of that hash, or nil. Inline: an open and a stat.
    public func open(_ hash: SHA256Digest) throws(FileStoreError) -> StoredFile? {
        do throws(FileError) {
            return try stored(hash, pin: nil)
        } catch {
            if error == .missing { return nil }
            throw FileStoreError(error)
        }
    }

    /// What reading a file shows.
    public enum Verdict: Sendable, Equatable {
        /// Its bytes are those of its name; so many.
        case sound(size: Int64)
        /// Its bytes are others.
        case damaged
        /// It is not there.
        case missing
    }

    /// Reads the file of that hash whole.
    public func verify(_ hash: SHA256Digest) async throws(FileStoreError) -> Verdict {
        let path = paths(hash).path
        return try await onPool { () throws(FileError) in
            let file: OpenFile
            do throws(FileError) { file = try OpenFile(path, O_RDONLY | O_CLOEXEC) } catch {
                if error == .missing { return .missing }
                throw error
            }
            var hasher = SHA256.Incremental()
            var size: Int64 = 0
            while true {
                let bytes = try file.read(upTo: 1 << 20)
                if bytes.isEmpty { break }
                hasher.update(bytes)
                size += Int64(bytes.count)
            }
            return hasher.finish() == hash ? .sound(size: size) : .damaged
        }
    }

    /// Where the file of that hash lies, for another process of this machine.
    public func path(of hash: SHA256Digest) -> String {
        realFolder + paths(hash).path.dropFirst(folder.count)
    }

    /// Deletes the file; false when there is none, when an upload has just brought it again and its
    /// `StoredFile` still lives, when it is needed after all, or when somebody holds all files.
    /// Whoever has it open reads on.
    ///
    /// `isNeeded` is asked while no file can come or go: an upload of the same bytes is either
    /// known to the database by then, or still to come.
    public func delete(
        _ hash: SHA256Digest, unless isNeeded: @escaping @Sendable () -> Bool = { false }
    ) async throws(FileStoreError) -> Bool {
        let (folder, path) = paths(hash)
        return try await onPool { () throws(FileError) in
            try self.naming.withLock { (_) throws(FileError) in
                guard let pass = try self.passHold() else { return false }
                defer { withExtendedLifetime(pass) {} }
                if self.state.withLock({ $0.pins[hash] != nil }) || isNeeded() { return false }
                guard try Disk.remove(path) else { return false }
                try Disk.sync(folder: folder)
                return true
            }
        }
    }

    /// The hashes of all files whose first byte is `shard`, for comparing the store with the
    /// database a 256th at a time.
    public func hashes(shard: UInt8) async throws(FileStoreError) -> [SHA256Digest] {
        let prefix = Hex.encode([shard])
        let path = folder + "/" + prefix
        return try await onPool { () throws(FileError) in
            try Disk.names(in: path).compactMap { SHA256Digest(hex: prefix + $0) }
        }
    }

    /// Bytes that uploads may still bring to the disk.
    public func freeSpace() async throws(FileStoreError) -> Int64 {
        try await onPool { () throws(FileError) in
            max(0, try self.disk.free(self.folder) - self.floor)
        }
    }

    /// Keeps every file from being deleted until it ends, for who copies them.
    public final class Hold: Sendable {
        private let file: OpenFile
        fileprivate init(_ file: OpenFile) { self.file = file }
    }

    /// Holds all files, those to come too, against every process that has this store open; what is
    /// to be deleted meanwhile is left to a later sweep. Blocks for as long as a file takes to go.
    public func hold() throws(FileStoreError) -> Hold {
        do throws(FileError) {
            let file = try OpenFile(holdPath, O_RDONLY | O_CREAT | O_CLOEXEC, mode: 0o644)
            try file.share()
            return Hold(file)
        } catch { throw FileStoreError(error) }
    }

    private var holdPath: String { folder + "/hold" }

    /// While it lives nobody can begin to hold the files.
    private struct Passage {
        /// Locked; nil where nobody has ever held them, who would have to make it first.
        let file: OpenFile?
    }

    /// Nil where somebody holds the files.
    private func passHold() throws(FileError) -> Passage? {
        do throws(FileError) {
            let file = try OpenFile(holdPath, O_RDONLY | O_CLOEXEC)
            return file.lock() ? Passage(file: file) : nil
        } catch {
            if error == .missing { return Passage(file: nil) }
            throw error
        }
    }

    // MARK: For uploads

    /// Gives the whole file its name, or drops it when there is one of the same bytes. One of another
    /// size was damaged, and is replaced.
    func adopt(_ file: PartialFile, as hash: SHA256Digest) throws(FileError) -> StoredFile {
        let (folder, path) = paths(hash)
        state.withLock { $0.pins[hash, default: 0] += 1 }
        let pin = FilePin { [weak self] in self?.unpin(hash) }
        return try naming.withLock { (_) throws(FileError) in
            do throws(FileError) {
                let known = try stored(hash, pin: pin)
                if known.size == file.size {
                    // Its name may be of an upload that failed before it was durable.
                    try Disk.sync(folder: folder)
                    try file.remove()
                    return known
                }
            } catch  where error == .missing {}
            if try Disk.makeFolder(folder) { try Disk.sync(folder: self.folder) }
            try file.rename(to: path)
            try Disk.sync(folder: folder)
            return try stored(hash, pin: pin)
        }
    }

    /// Refuses bytes that would take what the disk is to keep free.
    func requireRoom(for count: Int) throws(FileError) {
        if try disk.free(folder) - Int64(count) < floor { throw .full }
    }

    /// The upload that claimed `name` is over, or rests.
    func ended(_ name: String) { state.withLock { _ = $0.uploads.remove(name) } }

    /// Takes the key for one upload, or makes up a name that no key has.
    private func claim(_ key: String?) throws(FileStoreError) -> String {
        try state.withLock { (state) throws(FileStoreError) in
            state.made += 1
            let name = key ?? "/\(state.made)"
            if state.uploads.contains(name) { throw .inUse }
            if state.uploads.count >= uploadLimit { throw .overloaded }
            state.uploads.insert(name)
            return name
        }
    }

    /// Does `work` on the pool.
    func onPool<Answer: Sendable>(
        _ work: @escaping @Sendable () throws(FileError) -> Answer
    ) async throws(FileStoreError) -> Answer {
        let result: Result<Answer, FileError>
        do {
            result = try await pool.run {
                do throws(FileError) { return .success(try work()) } catch {
                    return .failure(error)
                }
            }
        } catch { throw .overloaded }
        do { return try result.get() } catch { throw FileStoreError(error) }
    }

    /// Does `work` on the pool, or here when the pool is full: what must not be left undone.
    func finally(_ work: @escaping @Sendable () -> Void) {
        if !pool.submit(work) { work() }
    }

    private func unpin(_ hash: SHA256Digest) {
        state.withLock { state in
            let left = (state.pins[hash] ?? 1) - 1
            state.pins[hash] = left == 0 ? nil : left
        }
    }

    private func stored(_ hash: SHA256Digest, pin: FilePin?) throws(FileError) -> StoredFile {
        let file = try OpenFile(paths(hash).path, O_RDONLY | O_CLOEXEC)
        return StoredFile(hash: hash, size: try file.status().size, file: file, pin: pin)
    }

    private func paths(_ hash: SHA256Digest) -> (folder: String, path: String) {
        let hex = hash.hex
        let folder = folder + "/" + hex.prefix(2)
        return (folder, folder + "/" + hex.dropFirst(2))
    }

    private func partPath(_ key: String) -> String {
        let name = Percent.encode(key) + ".part"
        precondition(!key.isEmpty && name.utf8.count <= 255, "a key of \(key.utf8.count) bytes")
        return partFolder + "/" + name
    }

    private func readParts() throws(FileError) -> [Part] {
        var parts: [Part] = []
        for name in try Disk.names(in: partFolder) where name.hasSuffix(".part") {
            guard let key = Percent.decode(name.dropLast(5).utf8) else { continue }
            do throws(FileError) {
                let status = try OpenFile(partFolder + "/" + name, O_RDONLY | O_CLOEXEC).status()
                parts.append(
                    Part(
                        key: key, size: status.size,
                        modified: Timestamp(milliseconds: status.modified)))
            } catch  where error == .missing {}
        }
        return parts
    }
}
