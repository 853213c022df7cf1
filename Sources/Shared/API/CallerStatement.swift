import Base
import Crypto
import Domain

/// Who calls, as a Reil tells Eta: JSON signed with the cluster key, dated. It travels in
/// `AVR-Statement`, which no client can forge and Reil never passes on.
///
///     base64url(JSON of caller and time) "." base64url(HMAC-SHA-256)
public struct CallerStatement: Codable, Sendable {
    /// How long a statement counts; Reil makes a fresh one well before.
    public static let lifetime: Duration = .seconds(60)
    /// How long Reil uses one, well within its lifetime: the signature costs more than a request.
    public static let usedFor: Duration = .seconds(20)
    /// How many callers both ends remember, and as many again that called before.
    public static let remembered = 20_000

    /// Who calls.
    public let caller: Caller
    /// When Reil said so.
    public let at: Timestamp

    /// A statement made at `at`.
    public init(caller: Caller, at: Timestamp) {
        self.caller = caller
        self.at = at
    }

    /// The signed text.
    public func signed(with key: Secret) -> String {
        let payload = Base64.encodeURL(JSONCoder.encode(self))
        let tag = HMACSHA256.sign(Array("avr-statement:1\n\(payload)".utf8), key: key)
        return "\(payload).\(Base64.encodeURL(tag))"
    }

    /// Reads a signed text; nil when the key did not sign it or it is too old.
    public init?(_ text: String, key: Secret, now: Timestamp) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let tag = Base64.decodeURL(parts[1]),
            HMACSHA256.verify(tag, message: Array("avr-statement:1\n\(parts[0])".utf8), key: key),
            let json = Base64.decodeURL(parts[0]), let value = try? JSONParser.parse(json),
            let statement = try? JSONCoder.decode(CallerStatement.self, from: value)
        else { return nil }
        guard statement.isFresh(at: now) else { return nil }
        self = statement
    }

    /// Whether it counts at `now`: clocks of one node may differ by its lifetime.
    public func isFresh(at now: Timestamp) -> Bool {
        let age = now - at
        return age <= Self.lifetime && age >= .zero - Self.lifetime
    }
}
