import Base
import Domain

/// One piece of work for all who want its result at the same time: the first does it, the others
/// wait for it.
public final class SingleFlight<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private enum Outcome: Sendable {
        case done(Result<Value, APIError>)
        /// Whoever did it was told to stop: somebody else has to.
        case abandoned
    }

    private let waiting = Lock<[Key: [CheckedContinuation<Outcome, Never>]]>([:])

    /// Nothing is under way.
    public init() {}

    /// The result of `work`, done here or by whoever came first with that key.
    public func run(
        _ key: Key, _ work: () async throws(APIError) -> Value
    ) async throws(APIError) -> Value {
        while true {
            if waiting.withLock({ $0[key] == nil && $0.updateValue([], forKey: key) == nil }) {
                return try await lead(key, work)
            }
            let outcome = await withCheckedContinuation { continuation in
                let isOver = waiting.withLock { waiting in
                    guard waiting[key] != nil else { return true }
                    waiting[key]?.append(continuation)
                    return false
                }
                if isOver { continuation.resume(returning: .abandoned) }
            }
            if case .done(let result) = outcome { return try result.get() }
        }
    }

    private func lead(
        _ key: Key, _ work: () async throws(APIError) -> Value
    ) async throws(APIError) -> Value {
        let result: Result<Value, APIError>
        do throws(APIError) {
            result = .success(try await work())
        } catch {
            result = .failure(error)
        }
        let outcome: Outcome
        if case .failure = result, Task.isCancelled {
            outcome = .abandoned
        } else {
            outcome = .done(result)
        }
        for continuation in waiting.withLock({ $0.removeValue(forKey: key) ?? [] }) {
            continuation.resume(returning: outcome)
        }
        return try result.get()
    }
}
