import Glibc

/// Holds a data folder for this process alone, until it ends in whatever way.
///
/// The kernel keeps the lock, not the file: `kill -9` releases it, and a file left behind means
/// nothing.
public final class DataFolderLock: Sendable {
    private let file: OpenFile

    /// Makes the folder if there is none and takes its lock; `name` tells others who holds it.
    public init(folder: String, name: String) throws(DataFolderLockError) {
        do throws(FileError) {
            try Disk.makeFolders(folder)
            file = try OpenFile(folder + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, mode: 0o600)
        } catch { throw .unusable(folder: folder, error) }
        guard file.lock() else {
            let holder = (try? file.read(upTo: 200)) ?? []
            throw .held(
                folder: folder,
                by: String(decoding: holder.prefix { $0 != 10 }, as: UTF8.self))
        }
        do throws(FileError) {
            try file.truncate(to: 0)
            try file.write(Array("\(name), process \(getpid())\n".utf8), at: 0)
        } catch { throw .unusable(folder: folder, error) }
    }
}

/// Why a data folder cannot be used.
public enum DataFolderLockError: Error, Sendable, Equatable {
    /// Another process works in it, the one it names.
    case held(folder: String, by: String)
    /// It cannot be made or written.
    case unusable(folder: String, FileError)
}
