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

    /// All of it, when it is at most `limit` bytes and can be read. Inline.
    public func contents(upTo limit: Int64) -> [UInt8]? {
        guard size <= limit else { return nil }
        var contents = ByteWriter(capacity: Int(size))
        while contents.count < Int(size) {
            let offset = contents.count
            let got = unsafe contents.append(upTo: Int(size) - offset) { buffer in
                switch unsafe System.read(descriptor, at: Int64(offset), into: buffer) {
                case .bytes(let count): count
                case .wouldBlock, .failed: 0
                }
            }
            if got == 0 { return nil }
        }
        return contents.array()
    }
}
