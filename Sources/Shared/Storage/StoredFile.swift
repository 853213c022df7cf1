import Base
import Crypto

/// An open file of the store: owns the descriptor, which stays good when the name is deleted.
public final class StoredFile: Base.OpenFile {
    /// What the bytes hash to.
    public let hash: SHA256Digest
    /// How many bytes there are.
    public let size: Int64
    private let file: OpenFile
    private let pin: FilePin?

    init(hash: SHA256Digest, size: Int64, file: OpenFile, pin: FilePin? = nil) {
        self.hash = hash
        self.size = size
        self.file = file
        self.pin = pin
    }

    /// For `pread` and `sendfile`, as long as this object lives. Its position is nobody's.
    public var descriptor: Int32 { file.descriptor }
}

/// Keeps a file from being deleted between the end of its upload and the act that refers to it.
final class FilePin: Sendable {
    private let release: @Sendable () -> Void
    init(release: @escaping @Sendable () -> Void) { self.release = release }
    deinit { release() }
}
