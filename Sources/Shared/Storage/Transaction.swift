/// One snapshot of the database, for the length of a closure.
///
/// Its methods throw `Failure`, the error of the closure it is lent to.
public struct Reader<Failure: DatabaseFailure>: ~Copyable {
    let connection: Connection

    init(_ connection: Connection) { self.connection = connection }

    /// The first row, or nil when there is none.
    public func first<each Argument: ColumnValue, Output: RowDecodable>(
        _ query: Query<repeat each Argument, Output>, _ arguments: repeat each Argument
    ) throws(Failure) -> Output? {
        do {
            return try connection.first(query, repeat each arguments)
        } catch { throw Failure(error) }
    }

    /// All rows; the query limits how many.
    public func all<each Argument: ColumnValue, Output: RowDecodable>(
        _ query: Query<repeat each Argument, Output>, _ arguments: repeat each Argument
    ) throws(Failure) -> [Output] {
        do {
            return try connection.all(query, repeat each arguments)
        } catch { throw Failure(error) }
    }
}

/// One act of writing: all of it is kept when the closure returns, nothing when it throws.
///
/// It is a savepoint inside a transaction that other acts may share. What it reads includes what
/// they, and it, have written.
public struct Transaction<Failure: DatabaseFailure>: ~Copyable {
    /// For functions that read, in a transaction or out of one.
    public let reader: Reader<Failure>
    private let sequels: CommitSequels

    init(_ connection: Connection, _ sequels: CommitSequels) {
        reader = Reader(connection)
        self.sequels = sequels
    }

    /// Has `body` done once this act is durable, and never if it is undone: on the writer's thread,
    /// act by act in the order of the commits, before the act is answered. It must not wait.
    public func onCommit(_ body: @escaping @Sendable () -> Void) { sequels.bodies.append(body) }

    /// The first row, or nil when there is none; also for changes with `RETURNING`.
    public func first<each Argument: ColumnValue, Output: RowDecodable>(
        _ query: Query<repeat each Argument, Output>, _ arguments: repeat each Argument
    ) throws(Failure) -> Output? {
        try requireTransaction()
        return try reader.first(query, repeat each arguments)
    }

    /// All rows; also for changes with `RETURNING`.
    public func all<each Argument: ColumnValue, Output: RowDecodable>(
        _ query: Query<repeat each Argument, Output>, _ arguments: repeat each Argument
    ) throws(Failure) -> [Output] {
        try requireTransaction()
        return try reader.all(query, repeat each arguments)
    }

    /// Changes something and says how many rows it changed.
    @discardableResult
    public func run<each Argument: ColumnValue>(
        _ command: Command<repeat each Argument>, _ arguments: repeat each Argument
    ) throws(Failure) -> Int {
        try requireTransaction()
        do {
            return try reader.connection.run(command, repeat each arguments)
        } catch { throw Failure(error) }
    }

    /// Changes something; when a constraint forbids it, nothing is changed by this statement, and
    /// the answer says which.
    public func attempt<each Argument: ColumnValue>(
        _ command: Command<repeat each Argument>, _ arguments: repeat each Argument
    ) throws(Failure) -> ConstraintViolation? {
        try requireTransaction()
        do {
            _ = try reader.connection.run(command, repeat each arguments)
            return nil
        } catch {
            if case .constraint(let violation) = error { return violation }
            throw Failure(error)
        }
    }

    /// When SQLite has given up the transaction (a full disk), each further statement would be
    /// one of its own and half of the act would stay: an act that goes on is stopped here.
    private func requireTransaction() throws(Failure) {
        if reader.connection.isInTransaction { return }
        throw Failure(reader.connection.lastFailure ?? .diskFull)
    }
}

/// What is done when an act is durable; the act's own, and touched by the writer's thread alone.
final class CommitSequels {
    var bodies: [@Sendable () -> Void] = []
}
