/// What the database refuses or fails at. SQL may be in it, arguments never are.
public enum DatabaseError: Error, Sendable, Equatable {
    /// More work waits already than is taken on; nothing was begun. Answered as 70.
    case overloaded
    /// A constraint of the schema forbids it.
    case constraint(ConstraintViolation)
    /// The disk is full (or its quota, or the largest size of a file); nothing of it was kept.
    case diskFull
    /// Another process held the database for longer than we wait.
    case busy
    /// The database was closed; answered as 70.
    case closed
    /// Its file can be neither made nor used.
    case unusable(FileError)
    /// A newer program made the database: it is at migration `found`, we know `known`.
    case newer(found: Int, known: Int)
    /// Migration `number` leaves a row of `table` that refers to nothing.
    case danglingReference(migration: Int, table: String)
    /// A statement does not fit how it is declared: columns, parameters, one statement only.
    case misdeclared(reason: String, sql: String)
    /// A column holds what its type in Swift cannot.
    case unexpectedValue(column: String, sql: String)
    /// All else, with SQLite's extended code and its words.
    case failed(code: Int32, message: String, sql: String)
}

/// Which constraint a statement ran into.
public struct ConstraintViolation: Error, Sendable, Equatable {
    /// The kinds that a schema has.
    public enum Kind: Sendable { case unique, foreignKey, check, notNull, other }

    /// The kind.
    public let kind: Kind
    /// What SQLite names: `table.column` for each column of a unique or not-null constraint, the
    /// constraint's name for a check, the index's name when it is over expressions, nothing for a
    /// foreign key.
    public let names: [String]

    /// A violation.
    public init(kind: Kind, names: [String] = []) {
        self.kind = kind
        self.names = names
    }

    /// Whether it is the unique constraint over exactly these `table.column`s, in any order, or
    /// over the index of this name.
    public func isUnique(_ names: String...) -> Bool {
        kind == .unique && self.names.sorted() == names.sorted()
    }

    /// Reads SQLite's sentence, such as `UNIQUE constraint failed: user.name, user.node`.
    init(extendedCode: Int32, message: String) {
        kind =
            switch extendedCode >> 8 {
            case 6, 8, 10: .unique  // PRIMARYKEY, UNIQUE, ROWID
            case 3: .foreignKey
            case 1: .check
            case 5: .notNull
            default: .other
            }
        let marker = " constraint failed: "
        guard let range = message.firstRange(of: marker) else {
            names = []
            return
        }
        names = message[range.upperBound...].split(separator: ",").map { part in
            let name = part.drop { $0 == " " }
            // An index over expressions is told as: index 'name'.
            let index = name.hasPrefix("index '") ? name.dropFirst(7).dropLast() : name
            return String(index)
        }
    }
}

/// An error that the failures of a database can be turned into.
///
/// `read`, `scan` and `write` throw the error type of the closure they are given; whatever the
/// database itself fails at inside becomes one of its values here, in this one place.
public protocol DatabaseFailure: Error {
    /// What that failure is in these terms.
    init(_ error: DatabaseError)
}

extension DatabaseError: DatabaseFailure {
    /// Itself.
    public init(_ error: DatabaseError) { self = error }
}
