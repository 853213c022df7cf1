import Base
import CLinux

/// A file of this machine, held open to be sent; the last reference to it closes it.
public final class ReadOnlyFile: OpenFile {
    private let owner: FileDescriptor
    /// The file's bytes when it was opened.
    public let size: Int64

    /// For `pread` and `sendfile`. Its position is nobody's.
    public var descriptor: Int32 { owner.number }

    /// Opens the file, or nil when it is not there, not to be read, or no regular file. Inline: an
    /// open and a stat.
    public init?(path: String) {
        let number = unsafe path.withCString { unsafe reileta_open_to_read($0) }
        guard number >= 0 else { return nil }
        owner = FileDescriptor(owning: number)
        size = reileta_file_size(number)
        if size < 0 { return nil }
    }
}
