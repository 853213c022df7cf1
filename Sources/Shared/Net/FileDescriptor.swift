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

    /// Gives the number to another owner.
    consuming func release() -> Int32 {
        let number = number
        discard self
        return number
    }
}
