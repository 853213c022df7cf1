import Base
import Glibc

/// Files that hold secrets: made whole or not at all, for their owner's eyes alone (0600), and
/// refused when others could have read them.
///
/// Each function is told the setting that leads to the file, for the line that says what is wrong.
public enum KeyFiles {
    /// More than any key is; what is longer was meant to be another file.
    private static let limit = 65_536

    /// The file's bytes without the line end after them, or nil when there is no such file.
    public static func read(_ path: String, setting: String) throws(ConfigError) -> Secret? {
        let file: SmallFile
        do {
            file = try SmallFile(path, limit: limit)
        } catch {
            if error.code == ENOENT { return nil }
            throw .keyFile(
                key: setting, path: path, reason: error.reason,
                remedy: "give \(SettingKind<String>.secretFile.accepted)")
        }
        guard file.mode & 0o077 == 0 else {
            throw .keyFile(
                key: setting, path: path,
                reason: "is open to others (mode \(String(file.mode, radix: 8)))",
                remedy: "chmod 600 it, and make a new one if somebody may have read it")
        }
        var bytes = file.bytes
        while let last = bytes.last, last == 10 || last == 13 { bytes.removeLast() }
        return Secret(bytes)
    }

    /// Whether every user of this machine may read the file at `path`.
    public static func isOpenToAll(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IROTH != 0
    }

    /// Writes a new file and the folders above it; false when there is one already, which is left
    /// as it is.
    public static func create(
        _ path: String, _ content: Secret, setting: String
    ) throws(ConfigError) -> Bool {
        do {
            try SmallFile.makeFolders(above: path)
            return try SmallFile.create(path, content.reveal() + [10])
        } catch {
            throw .keyFile(
                key: setting, path: path, reason: error.reason,
                remedy: "give a path that can be written")
        }
    }

    /// What the file holds; made of `make` when there is none.
    public static func readOrCreate(
        _ path: String, setting: String, make: () -> Secret
    ) throws(ConfigError) -> Secret {
        if let existing = try read(path, setting: setting) { return existing }
        let fresh = make()
        if try create(path, fresh, setting: setting) { return fresh }
        // Somebody was faster, and theirs counts.
        return try read(path, setting: setting) ?? fresh
    }

    /// The cluster key at `path`: 32 bytes, in the file as hex; nil when there is none yet.
    public static func clusterKey(
        _ path: String, setting: String = "cluster.key"
    ) throws(ConfigError) -> Secret? {
        guard let text = try read(path, setting: setting) else { return nil }
        return try decode(text, path, setting)
    }

    /// The same, made when there is none.
    public static func clusterKey(
        _ path: String, setting: String = "cluster.key", random: any RandomSource
    ) throws(ConfigError) -> Secret {
        let text = try readOrCreate(path, setting: setting) {
            Secret(Hex.encode(random.bytes(32)))
        }
        return try decode(text, path, setting)
    }

    private static func decode(
        _ text: Secret, _ path: String, _ setting: String
    ) throws(ConfigError) -> Secret {
        let hex = String(decoding: text.reveal(), as: UTF8.self)
        guard let key = Hex.decode(hex), key.count == 32 else {
            throw .keyFile(
                key: setting, path: path, reason: "holds no cluster key",
                remedy: "give the file that eta made, 64 hexadecimal digits")
        }
        return Secret(key)
    }
}

/// Why a small file could not be read or written.
struct FileProblem: Error {
    let code: Int32
    let reason: String

    init(_ code: Int32) {
        self.code = code
        switch code {
        case ENOENT: reason = "does not exist"
        case EACCES, EPERM: reason = "may not be opened by this user"
        case EISDIR: reason = "is a folder"
        case ENOTDIR: reason = "lies in what is no folder"
        case ELOOP: reason = "is a symbolic link"
        case EFBIG: reason = "is too long"
        case EROFS: reason = "lies on a disk that cannot be written"
        case ENOSPC: reason = "does not fit on its disk"
        case _: reason = "cannot be used (\(unsafe String(cString: strerror(code))))"
        }
    }
}

/// A file read in one go: configuration and keys, before anything runs.
struct SmallFile {
    let bytes: [UInt8]
    let mode: UInt32

    static func read(_ path: String, limit: Int) throws(FileProblem) -> [UInt8] {
        try SmallFile(path, limit: limit).bytes
    }

    // SAFETY: `read` and `fstat` fill what they are given, within its size, and keep no pointer.
    init(_ path: String, limit: Int) throws(FileProblem) {
        // Not blocking, so that a pipe put in a file's place does not hold up the start.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw FileProblem(errno) }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw FileProblem(errno) }
        guard status.st_mode & S_IFMT != S_IFDIR else { throw FileProblem(EISDIR) }
        mode = status.st_mode & 0o777
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while all.count <= limit {
            let count = unsafe Glibc.read(descriptor, &chunk, chunk.count)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileProblem(errno) }
            if count == 0 { break }
            all += chunk[..<count]
        }
        guard all.count <= limit else { throw FileProblem(EFBIG) }
        bytes = all
    }

    /// Writes `bytes` to a name of its own first and links it to `path` then: the file is there
    /// whole or not at all, and one that is there already stays. False when it was.
    static func create(_ path: String, _ bytes: [UInt8]) throws(FileProblem) -> Bool {
        let temporary = "\(path).\(getpid()).new"
        unsafe unlink(temporary)
        let descriptor = unsafe open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw FileProblem(errno) }
        defer {
            close(descriptor)
            unsafe unlink(temporary)
        }
        let count = unsafe write(descriptor, bytes, bytes.count)
        guard count == bytes.count else { throw FileProblem(count < 0 ? errno : ENOSPC) }
        guard fsync(descriptor) == 0 else { throw FileProblem(errno) }
        guard unsafe link(temporary, path) == 0 else {
            if errno == EEXIST { return false }
            throw FileProblem(errno)
        }
        let folder = unsafe open(parent(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
        return true
    }

    /// Makes the folders that `path` lies in, for their owner alone.
    static func makeFolders(above path: String) throws(FileProblem) {
        let folder = parent(of: path)
        if unsafe mkdir(folder, 0o700) == 0 || errno == EEXIST { return }
        guard errno == ENOENT, folder != path else { throw FileProblem(errno) }
        try makeFolders(above: folder)
        guard unsafe mkdir(folder, 0o700) == 0 || errno == EEXIST else { throw FileProblem(errno) }
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
