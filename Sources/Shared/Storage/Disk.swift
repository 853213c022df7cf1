import Crypto
import Glibc

/// What the disk refuses.
public enum FileError: Error, Sendable, Equatable {
    /// No room, by size of the disk, quota, or largest file.
    case full
    /// There is no such file.
    case missing
    /// All else: what was done, and the system's number for why not.
    case failed(operation: String, number: Int32)

    init(_ operation: String, _ number: Int32) {
        switch number {
        case ENOSPC, EDQUOT, EFBIG: self = .full
        case ENOENT: self = .missing
        default: self = .failed(operation: operation, number: number)
        }
    }
}

/// How much room a disk has; the tests have one that they fill by hand.
public protocol DiskSpace: Sendable {
    /// Bytes that an ordinary user may still write to the disk of `folder`.
    func free(_ folder: String) throws(FileError) -> Int64
}

/// The machine's disks.
public struct SystemDisk: DiskSpace {
    /// All of them.
    public init() {}

    /// What the file system says.
    public func free(_ folder: String) throws(FileError) -> Int64 {
        var status = statvfs()
        if unsafe statvfs(folder, &status) != 0 { throw FileError("statvfs", errno) }
        return Int64(clamping: UInt64(status.f_bavail) * UInt64(status.f_frsize))
    }
}

/// Folders and names. All of it blocks, and belongs on a pool but at the start of a process.
public enum Disk {
    /// Makes a folder with all above it.
    public static func makeFolders(_ path: String) throws(FileError) {
        var made = path.hasPrefix("/") ? "/" : ""
        for part in path.split(separator: "/") {
            made += made.isEmpty || made == "/" ? String(part) : "/" + part
            _ = try makeFolder(made)
        }
    }

    /// Makes one folder; false when there was one.
    public static func makeFolder(_ path: String) throws(FileError) -> Bool {
        if unsafe mkdir(path, 0o750) == 0 { return true }
        if errno == EEXIST { return false }
        throw FileError("mkdir", errno)
    }

    /// Makes the file for this user's eyes alone when there is none. Of one that is there, and of
    /// those beside it, everybody's rights are taken away; a group's stay, as somebody gave them,
    /// and all stay where the file is another user's.
    static func guardFromOthers(_ path: String, with endings: [String]) throws(FileError) {
        let made = unsafe open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if made >= 0 {
            close(made)
            return
        }
        if errno != EEXIST { throw FileError("open", errno) }
        for file in [path] + endings.map({ path + $0 }) {
            var status = stat()
            guard unsafe stat(file, &status) == 0, status.st_mode & 0o007 != 0 else { continue }
            if unsafe chmod(file, status.st_mode & 0o770) != 0, errno != EPERM {
                throw FileError("chmod", errno)
            }
        }
    }

    /// The path from the root; itself where that cannot be told.
    static func realPath(_ path: String) -> String {
        guard let real = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    /// Makes durable which names are in a folder.
    public static func sync(folder: String) throws(FileError) {
        try OpenFile(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC).sync()
    }

    /// Gives a file or folder another name, in place of what has it.
    public static func rename(_ from: String, to: String) throws(FileError) {
        if unsafe Glibc.rename(from, to) != 0 { throw FileError("rename", errno) }
    }

    /// Removes a name; false when there was none.
    public static func remove(_ path: String) throws(FileError) -> Bool {
        if unsafe unlink(path) == 0 { return true }
        if errno == ENOENT { return false }
        throw FileError("unlink", errno)
    }

    /// The names in a folder; none when there is no folder.
    public static func names(in folder: String) throws(FileError) -> [String] {
        guard let stream = unsafe opendir(folder) else {
            if errno == ENOENT { return [] }
            throw FileError("opendir", errno)
        }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
                unsafe String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }

    /// What a path leads to.
    public enum Kind: Sendable, Equatable {
        /// A file, of so many bytes.
        case file(size: Int64)
        /// A folder.
        case folder
        /// A link, a socket, and all else.
        case other
    }

    /// What is at a path, without following links; nil when nothing is.
    public static func kind(of path: String) throws(FileError) -> Kind? {
        var status = stat()
        if unsafe lstat(path, &status) != 0 {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw FileError("lstat", errno)
        }
        switch status.st_mode & S_IFMT {
        case S_IFREG: return .file(size: Int64(status.st_size))
        case S_IFDIR: return .folder
        case _: return .other
        }
    }

    /// Removes a name with all that is below it; links are removed, not followed.
    public static func removeAll(_ path: String) throws(FileError) {
        guard let kind = try kind(of: path) else { return }
        guard kind == .folder else {
            _ = try remove(path)
            return
        }
        for name in try names(in: path) { try removeAll(path + "/" + name) }
        if unsafe rmdir(path) != 0 { throw FileError("rmdir", errno) }
    }

    /// Copies a file to a new one that this user alone may read, and makes it durable. The hash is of
    /// the bytes that were copied.
    public static func copy(
        _ path: String, to target: String, mode: UInt32 = 0o600
    ) throws(FileError) -> (size: Int64, hash: SHA256Digest) {
        let from = try OpenFile(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        let into = try OpenFile(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode: mode)
        var hasher = SHA256.Incremental()
        var size: Int64 = 0
        while true {
            let bytes = try from.read(upTo: 1 << 20)
            if bytes.isEmpty { break }
            hasher.update(bytes)
            try into.write(bytes, at: size)
            size += Int64(bytes.count)
        }
        try into.sync()
        return (size, hasher.finish())
    }
}

/// Owns a descriptor and closes it once.
final class OpenFile: Sendable {
    let descriptor: Int32

    init(_ path: String, _ flags: Int32, mode: mode_t = 0) throws(FileError) {
        descriptor = unsafe open(path, flags, mode)
        if descriptor < 0 { throw FileError("open", errno) }
    }

    deinit { close(descriptor) }

    /// Size in bytes, and the time of the last change in Unix milliseconds.
    func status() throws(FileError) -> (size: Int64, modified: Int64) {
        var status = stat()
        if unsafe fstat(descriptor, &status) != 0 { throw FileError("fstat", errno) }
        let modified =
            Int64(status.st_mtim.tv_sec) * 1_000 + Int64(status.st_mtim.tv_nsec) / 1_000_000
        return (Int64(status.st_size), modified)
    }

    /// Takes the exclusive lock of the open file; false when somebody has it.
    func lock() -> Bool { flock(descriptor, LOCK_EX | LOCK_NB) == 0 }

    /// Takes the lock that several may have, and waits for who has it alone.
    func share() throws(FileError) {
        while flock(descriptor, LOCK_SH) != 0 {
            if errno != EINTR { throw FileError("flock", errno) }
        }
    }

    func sync() throws(FileError) {
        if fsync(descriptor) != 0 { throw FileError("fsync", errno) }
    }

    func truncate(to size: Int64) throws(FileError) {
        if ftruncate(descriptor, off_t(size)) != 0 { throw FileError("ftruncate", errno) }
    }

    /// Writes all of `bytes`, which begin at `offset` of the file.
    func write(_ bytes: [UInt8], at offset: Int64) throws(FileError) {
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { buffer in
                unsafe pwrite(
                    descriptor, buffer.baseAddress.map { unsafe $0 + done }, bytes.count - done,
                    off_t(offset) + off_t(done))
            }
            if count < 0, errno == EINTR { continue }
            if count < 0 { throw FileError("write", errno) }
            // No progress without an error is what some file systems say when they are full.
            if count == 0 { throw .full }
            done += count
        }
    }

    /// The next bytes, at most `count`, from where the descriptor stands; none at the end.
    func read(upTo count: Int) throws(FileError) -> [UInt8] {
        while true {
            var result = 0
            let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
                unsafe result = Glibc.read(descriptor, buffer.baseAddress, count)
                filled = max(0, result)
            }
            if result >= 0 { return bytes }
            if errno != EINTR { throw FileError("read", errno) }
        }
    }
}
