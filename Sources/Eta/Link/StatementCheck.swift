import API
import Base
import Domain
import HTTP

/// The first check of Eta's gate: only a Reil of this node may call, and its word, signed with the
/// cluster key, says on whose behalf.
final class StatementCheck: GateCheck {
    let name = "statement"
    private let key: Secret
    private let clock: any ClockSource
    /// Statements that were verified: a Reil uses one for many requests.
    private let known = Lock(
        GenerationCache<ArraySlice<UInt8>, CallerStatement>(
            capacity: CallerStatement.remembered, lifetime: CallerStatement.usedFor))

    init(key: Secret, clock: any ClockSource) {
        self.key = key
        self.clock = clock
    }

    func check(_ passage: inout Passage) throws(APIError) -> Bool {
        let head = passage.request.head
        guard let text = head.field(.avrStatement) else {
            throw APIError(.wrongCredential, context: "no statement of a Reil")
        }
        passage.caller = try caller(text)
        passage.requestID = head.text(.avrRequestID).flatMap { RequestID.read($0) }
        if let client = head.text(.avrClient).flatMap({ IPAddress($0) }) {
            passage.client = client
        }
        return true
    }

    func caller(_ text: ArraySlice<UInt8>) throws(APIError) -> Caller {
        let now = clock.timestamp()
        if let statement = known.withLock({ $0.find(text, at: now) }), statement.isFresh(at: now) {
            return statement.caller
        }
        guard
            let statement = CallerStatement(
                String(decoding: text, as: UTF8.self), key: key, now: now)
        else {
            throw APIError(.wrongCredential, context: "the cluster key did not sign the statement")
        }
        // A copy, so that no head of a request is held for the sake of one field.
        known.withLock { $0.keep(statement, for: Array(text)[...], at: now) }
        return statement.caller
    }
}
