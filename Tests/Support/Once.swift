import Base

/// Something that the tests of a suite share, made when the first of them asks: a node takes
/// longer to start than most tests take.
public final class Once<Value: Sendable>: Sendable {
    private enum State: Sendable {
        case untouched
        case underWay
        case made(Value)
        case failed(String)
    }

    private let state = Lock(State.untouched)
    private let make: @Sendable () async throws -> Value

    /// Made by `make`, once.
    public init(_ make: @escaping @Sendable () async throws -> Value) { self.make = make }

    /// The one value; whoever asks while it is made waits.
    public func get() async throws -> Value {
        let isFirst = state.withLock { state in
            guard case .untouched = state else { return false }
            state = .underWay
            return true
        }
        if isFirst {
            do {
                let value = try await make()
                state.withLock { $0 = .made(value) }
            } catch {
                state.withLock { $0 = .failed("\(error)") }
            }
        }
        return try await Eventually.get("what the suite shares", within: .seconds(90)) { _ in
            switch state.withLock({ $0 }) {
            case .untouched, .underWay: return nil
            case .made(let value): return value
            case .failed(let reason): throw GaveUp(reason)
            }
        }
    }
}
