/// A piece of SQL that the program itself wrote: a literal, or literals put into each other.
///
/// Interpolation takes other pieces alone, so that a row's column list can be written once;
/// values go in as arguments and nowhere else.
public struct SQL: Sendable, Hashable, ExpressibleByStringInterpolation {
    /// The text.
    public let text: String
    /// Counted once, for statements are looked up by it on every use.
    private let fingerprint: Int

    private init(text: String) {
        self.text = text
        fingerprint = text.hashValue
    }

    /// A literal.
    public init(stringLiteral value: StaticString) { self.init(text: value.description) }

    /// Literals and the pieces between them.
    public init(stringInterpolation: Pieces) { self.init(text: stringInterpolation.text) }

    /// Feeds the fingerprint instead of the whole text.
    public func hash(into hasher: inout Hasher) { hasher.combine(fingerprint) }

    /// Whether the texts are the same.
    public static func == (a: SQL, b: SQL) -> Bool {
        a.fingerprint == b.fingerprint && a.text == b.text
    }

    /// Puts pieces together.
    public struct Pieces: StringInterpolationProtocol {
        fileprivate var text = ""
        /// Nothing yet.
        public init(literalCapacity: Int, interpolationCount: Int) {}
        /// A literal.
        public mutating func appendLiteral(_ literal: StaticString) { text += literal.description }
        /// Another piece.
        public mutating func appendInterpolation(_ piece: SQL) { text += piece.text }
    }
}

/// A statement that answers with rows, with the types of its arguments and, last, of a row.
///
/// The arguments are bound in order to `?1`, `?2`, and so on.
public struct Query<each Argument: ColumnValue, Output: RowDecodable>: Sendable {
    let sql: SQL
    /// A query.
    public init(_ sql: SQL) { self.sql = sql }
}

/// A statement that changes something and answers with no rows, with its arguments' types.
public struct Command<each Argument: ColumnValue>: Sendable {
    let sql: SQL
    /// A command.
    public init(_ sql: SQL) { self.sql = sql }
}

/// A type made from a row of a result.
public protocol RowDecodable {
    /// Reads the columns by position and declared name.
    init(row: borrowing Row) throws(DatabaseError)
}
