import Base
import Crypto
import Domain

/// How the words of the product are kept: ids and hashes as their bytes, texts as they are
/// spelled. What comes out is checked as what comes in from outside is.

extension ColumnValue where Self: TextScalar {
    /// A TEXT of its one spelling.
    public var stored: SQLValue { .text(text) }
    /// A TEXT that is valid.
    public init?(stored: SQLValue) {
        guard case .text(let text) = stored else { return nil }
        self.init(text)
    }
}

extension ColumnValue where Self: NumberScalar {
    /// An INTEGER.
    public var stored: SQLValue { .integer(number) }
    /// An INTEGER in range.
    public init?(stored: SQLValue) {
        guard case .integer(let number) = stored else { return nil }
        self.init(number)
    }
}

extension Capacity: ColumnValue {}
extension FileSize: ColumnValue {}
extension UserStatus: ColumnValue {}
extension CandidateState: ColumnValue {}
extension SanctionType: ColumnValue {}
extension Reason: ColumnValue {}
extension PlayerRole: ColumnValue {}
extension ChallengeState: ColumnValue {}
extension Tag: ColumnValue {}
extension Username: ColumnValue {}
extension DisplayName: ColumnValue {}
extension Description: ColumnValue {}
extension WorldDescription: ColumnValue {}
extension WorldTitle: ColumnValue {}
extension InstanceTitle: ColumnValue {}
extension ServerTitle: ColumnValue {}
extension InstanceName: ColumnValue {}
extension EmailAddress: ColumnValue {}
extension AssetLabel: ColumnValue {}
extension InsName: ColumnValue {}
extension WebURL: ColumnValue {}
extension SecureURL: ColumnValue {}
extension ServerAddress: ColumnValue {}
extension ServiceID: ColumnValue {}
extension ServiceTitle: ColumnValue {}
extension ServiceAddress: ColumnValue {}
extension ServiceStatus: ColumnValue {}
extension UserSelector: ColumnValue {}

extension Reference: RowDecodable {}
extension Reference: ColumnValue {}

extension ID: RowDecodable {}
extension ID: ColumnValue {
    /// A BLOB of 16 bytes.
    public var stored: SQLValue { .blob(bytes) }
    /// A BLOB of 16 bytes.
    public init?(stored: SQLValue) {
        guard case .blob(let bytes) = stored else { return nil }
        self.init(bytes: bytes)
    }
}

extension TagSet: ColumnValue {
    /// A TEXT of the tags, each with a blank before and after it: whether one is among them is
    /// `instr(tags, ' game:chess ')`.
    public var stored: SQLValue {
        .text(tags.isEmpty ? "" : " " + tags.map(\.text).joined(separator: " ") + " ")
    }
    /// A TEXT of the tags.
    public init?(stored: SQLValue) {
        guard case .text(let text) = stored else { return nil }
        let words = text.split(separator: " ")
        let tags = words.compactMap { Tag(String($0)) }
        guard tags.count == words.count else { return nil }
        self.init(tags)
    }
}

extension ContentHash: ColumnValue {
    /// A BLOB of 32 bytes.
    public var stored: SQLValue { .blob(bytes) }
    /// A BLOB of 32 bytes.
    public init?(stored: SQLValue) {
        guard case .blob(let bytes) = stored else { return nil }
        self.init(bytes: bytes)
    }
}

extension NodeKeyText: ColumnValue {
    /// A BLOB of 32 bytes.
    public var stored: SQLValue { .blob(Base64.decodeURL(text) ?? []) }
    /// A BLOB of 32 bytes.
    public init?(stored: SQLValue) {
        guard case .blob(let bytes) = stored else { return nil }
        self.init(bytes: bytes)
    }
}

extension ErrorCode: ColumnValue {
    /// An INTEGER.
    public var stored: SQLValue { .integer(Int64(rawValue)) }
    /// An INTEGER.
    public init?(stored: SQLValue) {
        guard case .integer(let number) = stored, let raw = UInt16(exactly: number) else {
            return nil
        }
        self.init(rawValue: raw)
    }
}

extension SHA256Digest: ColumnValue {
    /// A BLOB of 32 bytes.
    public var stored: SQLValue { .blob(bytes) }
    /// A BLOB of 32 bytes.
    public init?(stored: SQLValue) {
        guard case .blob(let bytes) = stored else { return nil }
        self.init(bytes)
    }
}

extension APIError: DatabaseFailure {
    /// What passes by itself is answered as overload, all else but a full disk as a fault of ours.
    public init(_ error: DatabaseError) {
        let context = "database: \(error)"
        self =
            switch error {
            case .overloaded, .busy, .closed: .overloaded(context: context)
            case .diskFull: APIError(.insufficientStorage, context: context)
            case .constraint, .newer, .danglingReference, .misdeclared,
                .unexpectedValue, .unusable, .failed:
                .internalError(context)
            }
    }
}
