import Base

/// Why a head is not written.
public enum SerializerError: Error, Sendable, Equatable {
    /// A field that would break out of its line was appended to the fields.
    case refusedField
    /// A request's target is empty or has bytes that end it.
    case refusedTarget
}
