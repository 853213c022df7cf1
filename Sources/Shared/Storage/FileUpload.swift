import Base
import Crypto
import Glibc
import Synchronization

/// A file that is being received, from one caller, one call at a time.
///
/// It ends by `finish`, by `suspend` (its part is kept when it has a key), by `discard`, by an
/// error that throws its bytes away, or by being dropped, which is as `suspend`.
public final class FileUpload: Sendable {
    /// So much is gathered before the disk is troubled: the size of a write, and all the memory
    /// that an upload takes.
    private static let gathered = 256 * 1_024

    private struct State {
        var received: Int64
        var waiting: [UInt8] = []
        var isOver = false
    }

    private let store: FileStore
    private let file: PartialFile
    private let name: String
    private let isKept: Bool
    private let state: Lock<State>
    private let isBusy = Atomic(false)

    init(store: FileStore, file: PartialFile, name: String, isKept: Bool, received: Int64) {
        self.store = store
        self.file = file
        self.name = name
        self.isKept = isKept
        state = Lock(State(received: received))
    }

    deinit {
        let state = state.withLock { $0 }
        if state.isOver { return }
        let (store, file, name, isKept) = (store, file, name, isKept)
        store.finally {
            Self.rest(file, state.waiting, isKept: isKept)
            store.ended(name)
        }
    }

    /// Bytes received in all, those before a resumption included.
    public var received: Int64 { state.withLock { $0.received } }

    /// Takes the next bytes. When the disk is full the whole upload is thrown away.
    public func append(_ bytes: [UInt8]) async throws(FileStoreError) {
        try enter()
        defer { isBusy.store(false, ordering: .releasing) }
        let full = state.withLock { state -> [UInt8]? in
            state.received += Int64(bytes.count)
            if state.waiting.isEmpty, bytes.count >= Self.gathered { return bytes }
            state.waiting += bytes
            if state.waiting.count < Self.gathered { return nil }
            defer { state.waiting = [] }
            return state.waiting
        }
        guard let full else { return }
        let store = store
        try await orDiscard { (file) throws(FileError) in try Self.add(full, to: file, store) }
    }

    /// Ends the upload: the bytes are on the disk and have their name when this returns.
    ///
    /// When they do not hash to `expected` they are thrown away. The file cannot be deleted while
    /// the answer lives: let go of it after the act that refers to it.
    public func finish(
        expecting expected: SHA256Digest? = nil
    ) async throws(FileStoreError) -> StoredFile {
        try enter()
        defer { isBusy.store(false, ordering: .releasing) }
        let waiting = takeWaiting()
        let store = store
        let outcome = try await orDiscard {
            (file) throws(FileError) -> Result<StoredFile, FileStoreError> in
            try Self.add(waiting, to: file, store)
            let hash = file.hash()
            if let expected, expected != hash { return .failure(.wrongHash(hash)) }
            try file.sync()
            return .success(try store.adopt(file, as: hash))
        }
        if case .failure = outcome { await removeAll() }
        over()
        return try outcome.get()
    }

    /// Stops for now: with a key the part is kept, to be gone on with.
    public func suspend() async throws(FileStoreError) {
        try enter()
        defer { isBusy.store(false, ordering: .releasing) }
        let waiting = takeWaiting()
        let (store, isKept) = (store, isKept)
        try await orDiscard { (file) throws(FileError) in
            try Self.add(waiting, to: file, store)
            if !isKept { try file.remove() }
        }
        over()
    }

    private static func add(
        _ bytes: [UInt8], to file: PartialFile, _ store: FileStore
    ) throws(FileError) {
        if bytes.isEmpty { return }
        try store.requireRoom(for: bytes.count)
        try file.append(bytes)
    }

    /// Throws away all that was received.
    public func discard() async {
        do { try enter() } catch { return }
        defer { isBusy.store(false, ordering: .releasing) }
        await removeAll()
        over()
    }

    /// Refuses a second call while one runs, and any after the end.
    private func enter() throws(FileStoreError) {
        let wasBusy = isBusy.exchange(true, ordering: .acquiring)
        precondition(!wasBusy, "two calls to one upload at a time")
        if state.withLock({ $0.isOver }) {
            isBusy.store(false, ordering: .releasing)
            throw .failed(.missing)
        }
    }

    private func takeWaiting() -> [UInt8] {
        state.withLock { state in
            defer { state.waiting = [] }
            return state.waiting
        }
    }

    private func over() {
        state.withLock { $0.isOver = true }
        store.ended(name)
    }

    private func orDiscard<Answer: Sendable>(
        _ work: @escaping @Sendable (PartialFile) throws(FileError) -> Answer
    ) async throws(FileStoreError) -> Answer {
        let file = file
        do {
            return try await store.onPool { () throws(FileError) in try work(file) }
        } catch {
            // A busy disk is no reason to lose what is on it already.
            if error != .overloaded || !isKept { await removeAll() }
            over()
            throw error
        }
    }

    private func removeAll() async {
        let file = file
        // When not even this can be done, the sweep of parts, or the next start, does it.
        await withCheckedContinuation { continuation in
            store.finally {
                try? file.remove()
                continuation.resume()
            }
        }
    }

    /// The end of an upload that nobody waits for.
    private static func rest(_ file: PartialFile, _ waiting: [UInt8], isKept: Bool) {
        do throws(FileError) {
            try file.append(waiting)
            if !isKept { try file.remove() }
        } catch { try? file.remove() }
    }
}

/// A file on its way: its descriptor, its temporary name, and the hash of what is in it so far.
final class PartialFile: @unchecked Sendable {
    // SAFETY: an upload makes one call at a time and waits for it, so no two threads are ever in
    // here together, and the pool's lock orders one after the other.
    private let path: String
    private let file: OpenFile
    private var hasher: SHA256.Incremental? = SHA256.Incremental()
    /// Bytes in it so far.
    private(set) var size: Int64 = 0

    init(_ path: String) throws(FileError) {
        self.path = path
        file = try OpenFile(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, mode: 0o640)
    }

    /// Bytes that a former upload left here.
    func sizeOnDisk() throws(FileError) -> Int64 { try file.status().size }

    /// Cuts off what is beyond `offset` and reads what is before it, for the hash.
    func goOn(at offset: Int64) throws(FileError) {
        try file.truncate(to: offset)
        while size < offset {
            let bytes = try file.read(upTo: 256 * 1_024)
            if bytes.isEmpty { throw .missing }
            hasher?.update(bytes)
            size += Int64(bytes.count)
        }
    }

    func append(_ bytes: [UInt8]) throws(FileError) {
        if bytes.isEmpty { return }
        try file.write(bytes, at: size)
        hasher?.update(bytes)
        size += Int64(bytes.count)
    }

    /// The hash of the whole; nothing can be appended after it.
    func hash() -> SHA256Digest {
        guard let hasher = hasher.take() else { preconditionFailure("hashed twice") }
        return hasher.finish()
    }

    func sync() throws(FileError) { try file.sync() }
    func rename(to target: String) throws(FileError) { try Disk.rename(path, to: target) }

    /// Gives the room back at once, although the descriptor is still open. A file that has been
    /// renamed is somebody's by now, and stays as it is.
    func remove() throws(FileError) {
        guard try Disk.remove(path) else { return }
        try file.truncate(to: 0)
    }
}
