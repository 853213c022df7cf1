import Base
import Crypto
import Domain

/// Makes and reads access tokens, http.md §2.
public struct AccessTokens: Sendable {
    /// What a token says.
    public struct Claims: Sendable, Equatable {
        /// Whose it is.
        public var user: UserID
        /// The login that it belongs to.
        public var session: SessionID
        /// The number of its pair among the session's.
        public var generation: Int64
        /// When it ends; whole seconds.
        public var expiresAt: Timestamp
    }

    /// How long one counts.
    public static let lifetime: Duration = .seconds(3_600)

    private let issuer: ServerAddress
    private let keyID: String
    private let key: Secret

    /// Tokens of this node.
    public init(_ node: Node) {
        issuer = node.address
        keyID = node.keys.accessID
        key = node.keys.access
    }

    /// A token, and when it ends.
    public func make(
        user: UserID, session: SessionID, generation: Int64, now: Timestamp
    ) -> (token: AccessToken, expiresAt: Timestamp) {
        let start = now.milliseconds / 1_000
        let end = start + Self.lifetime.components.seconds
        let claims: JSONObject = [
            "iss": .string(issuer.text), "sub": .string(user.text), "sid": .string(session.text),
            "gen": .integer(generation), "iat": .integer(start), "exp": .integer(end),
        ]
        guard let token = AccessToken(JWT.sign(claims: claims, kid: keyID, key: key)) else {
            preconditionFailure("a JWT has not the form of one")
        }
        return (token, Timestamp(milliseconds: end * 1_000))
    }

    /// What a token says; nil when it is not ours or not valid now.
    public func read(_ token: AccessToken, now: Timestamp) -> Claims? {
        guard let claims = try? JWT.verify(token.bytes, keys: [keyID: key], now: now),
            claims["iss"]?.stringValue == issuer.text,
            let user = claims["sub"]?.stringValue.flatMap({ UserID($0) }),
            let session = claims["sid"]?.stringValue.flatMap({ SessionID($0) }),
            let generation = claims["gen"]?.integerValue, let end = claims["exp"]?.integerValue
        else { return nil }
        return Claims(
            user: user, session: session, generation: generation,
            expiresAt: Timestamp(milliseconds: end * 1_000))
    }
}
