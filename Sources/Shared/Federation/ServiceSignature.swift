import Base
import Crypto
import Domain

/// What a node signs for a service of its own, docs/client/services.md: who calls it, and with
/// what. It names the service, so that what was shown to one is worthless to another.
public struct ServiceSignature: Sendable {
    /// The longest body that is signed, in bytes.
    public static let bodyLimit = 64 << 10
    /// How far the time may be off, for who checks it.
    public static let tolerance = Duration.seconds(60)

    /// The service, with its node.
    public let service: ServiceReference
    /// The method's name.
    public let method: String
    /// Path and query as the service is asked.
    public let target: String
    /// Who calls; nil for nobody.
    public let user: UserReference?
    /// When.
    public let time: Timestamp
    /// The SHA-256 of the body; nil where it has no length, or is longer than ``bodyLimit``.
    public let body: SHA256Digest?

    /// What is said of a request.
    public init(
        service: ServiceReference, method: String, target: String, user: UserReference?,
        time: Timestamp, body: SHA256Digest?
    ) {
        self.service = service
        self.method = method
        self.target = target
        self.user = user
        self.time = time
        self.body = body
    }

    /// The signed bytes.
    public var bytes: [UInt8] {
        let lines = [
            "avr-service:1", service.text, method, target, user?.text ?? "-",
            "\(time.milliseconds)", body?.hex ?? "-",
        ]
        return Array(lines.joined(separator: "\n").utf8)
    }

    /// The field's value: the key's id and the signature.
    public func value(by key: Ed25519PrivateKey) -> String {
        "\(key.publicKey.id):\(Base64.encodeURL(key.sign(bytes)))"
    }
}
