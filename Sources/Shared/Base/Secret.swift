/// A value that must not be printed, logged, or compared in a time that depends on it.
public struct Secret: Sendable, Equatable {
    private let bytes: [UInt8]

    /// Wraps `bytes`.
    public init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// Wraps the UTF-8 of `text`.
    public init(_ text: String) { bytes = Array(text.utf8) }

    /// The bytes themselves; each use is a place to look at.
    public func reveal() -> [UInt8] { bytes }

    /// How many bytes there are, which is no secret.
    public var count: Int { bytes.count }

    /// In constant time for equal lengths.
    public static func == (a: Secret, b: Secret) -> Bool { constantTimeEqual(a.bytes, b.bytes) }
}

// Without these an interpolation or a dump would find the bytes by reflection.
extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Never the bytes.
    public var description: String { "(secret)" }
    /// Never the bytes.
    public var debugDescription: String { description }
    /// Never the bytes.
    public var customMirror: Mirror { Mirror(self, children: []) }
}

/// Whether both hold the same bytes, in a time that depends on their length alone.
public func constantTimeEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    guard a.count == b.count else { return false }
    var difference: UInt8 = 0
    for index in a.indices { difference |= a[index] ^ b[index] }
    return difference == 0
}
