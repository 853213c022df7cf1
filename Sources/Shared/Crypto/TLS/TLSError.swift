import Base

/// What can be wrong with a certificate, a key, or a connection.
public enum TLSError: Error, Sendable, Equatable {
    /// A file that cannot be read, and why.
    case unreadable(file: String, reason: String)
    /// A file without what it should hold, and what that is.
    case malformed(file: String, expected: String)
    /// A certificate or key that OpenSSL refuses (too weak, of an unknown kind), and why.
    case refused(file: String, reason: String)
    /// The private key belongs to another certificate.
    case keyDoesNotFit(certificate: String, key: String)
    /// The certificate has been worthless since then.
    case expired(file: String, since: Timestamp)
    /// The certificate is worth nothing before then.
    case notYetValid(file: String, from: Timestamp)
    /// The peer's certificate leads to no authority that is trusted here, or is out of date.
    case untrusted(reason: String)
    /// The peer's certificate is for another name or address.
    case wrongName(expected: String)
    /// The peer ended the stream without saying so: what came before may have been cut.
    case truncated
    /// The peer spoke something else, refused us, or shares no version or cipher.
    case violation(reason: String)

    /// One sentence for people, without the type's name.
    public var text: String {
        switch self {
        case .unreadable(let file, let reason): "cannot read \(file): \(reason)"
        case .malformed(let file, let expected): "\(file) holds no \(expected) in PEM form"
        case .refused(let file, let reason): "\(file) cannot be used: \(reason)"
        case .keyDoesNotFit(let certificate, let key):
            "the key in \(key) is not that of the certificate in \(certificate)"
        case .expired(let file, _): "the certificate in \(file) has expired"
        case .notYetValid(let file, _): "the certificate in \(file) is not valid yet"
        case .untrusted(let reason): "the peer's certificate is not trusted: \(reason)"
        case .wrongName(let expected): "the peer's certificate is not for \(expected)"
        case .truncated: "the peer ended the connection without closing it"
        case .violation(let reason): "TLS failed: \(reason)"
        }
    }
}
