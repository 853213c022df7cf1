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
    /// Statements that were verified, until they are too old: a Reil uses one for many requests.
    private let known = Lock<[ArraySlice<UInt8>: CallerStatement]>([:])
    private static let knownLimit = 4_096

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
        if let statement = known.withLock({ $0[text] }), isFresh(statement, now) {
            return statement.caller
        }
        guard
            let statement = CallerStatement(
                String(decoding: text, as: UTF8.self), key: key, now: now)
        else {
            throw APIError(.wrongCredential, context: "the cluster key did not sign the statement")
        }
        known.withLock { known in
            if known.count >= Self.knownLimit { known = [:] }
            known[Array(text)[...]] = statement
        }
        return statement.caller
    }

    private func isFresh(_ statement: CallerStatement, _ now: Timestamp) -> Bool {
        let age = now - statement.at
        return age <= CallerStatement.lifetime && age >= .zero - CallerStatement.lifetime
    }
}
