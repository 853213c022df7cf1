import CLinux

/// Owns a descriptor and closes it exactly once.
public struct FileDescriptor: ~Copyable, Sendable {
    /// The number; valid as long as the owner lives.
    public let number: Int32

    /// Takes over `number`.
    public init(owning number: Int32) {
        precondition(number >= 0, "no descriptor: \(number)")
        self.number = number
    }

    deinit { _ = reileta_close(number) }
}

/// A descriptor that several share; closed when the last of them lets go.
public final class SharedDescriptor: Sendable {
    private let owned: FileDescriptor

    /// Shares `descriptor`.
    public init(_ descriptor: consuming FileDescriptor) { owned = descriptor }

    /// The number; valid as long as this object lives.
    public var number: Int32 { owned.number }
}
