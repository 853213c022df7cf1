import Base
import HTTP

/// An exchange that was begun without a task; it may have got one since.
final class PendingExchange: PendingAnswer {
    private enum Stage {
        case sent(ClientConnection, UInt64)
        case task(Task<Void, Never>)
    }

    private let stage = Lock<Stage?>(nil)

    /// It is on that connection.
    func follow(_ connection: ClientConnection, _ exchange: UInt64) {
        stage.withLock { $0 = .sent(connection, exchange) }
    }

    /// It is that task's.
    func follow(_ task: Task<Void, Never>) { stage.withLock { $0 = .task(task) } }

    func cancel() {
        switch stage.withLock({ $0 }) {
        case .sent(let connection, let exchange): connection.drop(exchange)
        case .task(let task): task.cancel()
        case nil: break
        }
    }
}
