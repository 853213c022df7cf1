import API
import Base
import Domain

/// Signed statements, made once for many requests: the signature costs more than the request.
final class StatementBook: Sendable {
    private struct Entry {
        var text: [UInt8]
        var at: Timestamp
    }

    private static let limit = 20_000
    /// Well within a statement's lifetime.
    private static let freshness = Duration.seconds(20)

    private let key: Secret
    private let clock: any ClockSource
    private let entries = Lock<[Caller: Entry]>([:])

    init(key: Secret, clock: any ClockSource) {
        self.key = key
        self.clock = clock
    }

    func statement(for caller: Caller) -> [UInt8] {
        let now = clock.timestamp()
        if let entry = entries.withLock({ $0[caller] }), now - entry.at < Self.freshness,
            now >= entry.at
        {
            return entry.text
        }
        let text = Array(CallerStatement(caller: caller, at: now).signed(with: key).utf8)
        entries.withLock { entries in
            if entries.count >= Self.limit { entries = [:] }
            entries[caller] = Entry(text: text, at: now)
        }
        return text
    }
}
