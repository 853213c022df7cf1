import API
import Base
import Domain

/// Signed statements, made once for many requests: the signature costs more than the request.
final class StatementBook: Sendable {
    private struct Entry {
        var text: [UInt8]
        var at: Timestamp
    }

    private let key: Secret
    private let clock: any ClockSource
    private let entries = Lock(
        GenerationCache<Caller, Entry>(
            capacity: CallerStatement.remembered, lifetime: CallerStatement.usedFor))

    init(key: Secret, clock: any ClockSource) {
        self.key = key
        self.clock = clock
    }

    func statement(for caller: Caller) -> [UInt8] {
        let now = clock.timestamp()
        if let entry = entries.withLock({ $0.find(caller, at: now) }),
            now - entry.at < CallerStatement.usedFor, now >= entry.at
        {
            return entry.text
        }
        let text = Array(CallerStatement(caller: caller, at: now).signed(with: key).utf8)
        entries.withLock { $0.keep(Entry(text: text, at: now), for: caller, at: now) }
        return text
    }
}
