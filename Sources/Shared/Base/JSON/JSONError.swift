/// Why bytes are not the JSON that is accepted, and where.
public struct JSONError: Error, Sendable, Equatable {
    /// What can be wrong.
    public enum Reason: Sendable, Equatable, CaseIterable {
        /// The text ends inside a value, or there is none.
        case unexpectedEnd
        /// A byte that cannot stand there.
        case unexpectedByte
        /// Something after the value.
        case trailingBytes
        /// A number with a leading zero, a bare point, and the like.
        case badNumber
        /// A number that no double can hold.
        case numberOutOfRange
        /// An escape that there is not, or half a surrogate pair.
        case badEscape
        /// A byte below 0x20 inside a string.
        case controlCharacter
        /// Bytes in a string that are not UTF-8.
        case badUTF8
        /// An object with one key twice.
        case duplicateKey
        /// Lists and objects nested too deep.
        case tooDeep

        /// The reason for people.
        public var message: String {
            switch self {
            case .unexpectedEnd: "the text ends too early"
            case .unexpectedByte: "an unexpected character"
            case .trailingBytes: "something after the end of the value"
            case .badNumber: "a malformed number"
            case .numberOutOfRange: "a number out of range"
            case .badEscape: "a malformed escape in a string"
            case .controlCharacter: "an unescaped control character in a string"
            case .badUTF8: "bytes that are not UTF-8"
            case .duplicateKey: "an object with the same key twice"
            case .tooDeep: "too many levels of nesting"
            }
        }
    }

    /// The byte at which it was seen.
    public let offset: Int
    /// What is wrong.
    public let reason: Reason

    /// `reason` at `offset`.
    public init(offset: Int, reason: Reason) {
        self.offset = offset
        self.reason = reason
    }
}
