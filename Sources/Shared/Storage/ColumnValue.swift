import Base

/// What SQLite can keep in a column or take as an argument.
@frozen public enum SQLValue: Sendable, Equatable {
    case null
    case integer(Int64)
    case real(Double)
    case text(String)
    case blob([UInt8])
}

/// A type that fits into one column: it goes in as an argument and comes out of a row.
///
/// It is a row too, of that one column, for queries that ask for nothing else.
public protocol ColumnValue: RowDecodable, Sendable {
    /// How it is kept.
    var stored: SQLValue { get }
    /// The value kept so, or nil when it is none.
    init?(stored: SQLValue)
}

extension ColumnValue {
    /// The first column.
    public init(row: borrowing Row) throws(DatabaseError) {
        self = try row.first(as: Self.self)
    }
}

extension ColumnValue where Self: RawRepresentable, RawValue: ColumnValue {
    /// Kept as its raw value.
    public var stored: SQLValue { rawValue.stored }
    /// The case of that raw value.
    public init?(stored: SQLValue) {
        guard let raw = RawValue(stored: stored), let value = Self(rawValue: raw) else {
            return nil
        }
        self = value
    }
}

extension Optional: RowDecodable where Wrapped: ColumnValue {}

extension Optional: ColumnValue where Wrapped: ColumnValue {
    /// Nil is NULL.
    @inlinable public var stored: SQLValue { self?.stored ?? .null }
    /// NULL is nil.
    @inlinable public init?(stored: SQLValue) {
        if case .null = stored {
            self = .none
        } else if let value = Wrapped(stored: stored) {
            self = .some(value)
        } else {
            return nil
        }
    }
}

extension Int64: ColumnValue {
    /// An INTEGER.
    public var stored: SQLValue { .integer(self) }
    /// An INTEGER.
    public init?(stored: SQLValue) {
        guard case .integer(let value) = stored else { return nil }
        self = value
    }
}

extension Int: ColumnValue {
    /// An INTEGER.
    public var stored: SQLValue { .integer(Int64(self)) }
    /// An INTEGER.
    public init?(stored: SQLValue) {
        guard case .integer(let value) = stored else { return nil }
        self = Int(value)
    }
}

extension Bool: ColumnValue {
    /// An INTEGER, 1 or 0.
    public var stored: SQLValue { .integer(self ? 1 : 0) }
    /// An INTEGER, 1 or 0.
    public init?(stored: SQLValue) {
        guard case .integer(let value) = stored, value == 0 || value == 1 else { return nil }
        self = value == 1
    }
}

extension Double: ColumnValue {
    /// A REAL.
    public var stored: SQLValue { .real(self) }
    /// A REAL.
    public init?(stored: SQLValue) {
        guard case .real(let value) = stored else { return nil }
        self = value
    }
}

extension String: ColumnValue {
    /// A TEXT.
    public var stored: SQLValue { .text(self) }
    /// A TEXT.
    public init?(stored: SQLValue) {
        guard case .text(let value) = stored else { return nil }
        self = value
    }
}

extension Array: RowDecodable where Element == UInt8 {}

extension Array: ColumnValue where Element == UInt8 {
    /// A BLOB.
    public var stored: SQLValue { .blob(self) }
    /// A BLOB.
    public init?(stored: SQLValue) {
        guard case .blob(let value) = stored else { return nil }
        self = value
    }
}

extension Timestamp: ColumnValue {
    /// An INTEGER of milliseconds.
    public var stored: SQLValue { .integer(milliseconds) }
    /// An INTEGER of milliseconds.
    public init?(stored: SQLValue) {
        guard case .integer(let value) = stored else { return nil }
        self.init(milliseconds: value)
    }
}
