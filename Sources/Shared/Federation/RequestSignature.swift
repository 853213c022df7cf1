import Base
import Crypto
import Domain
import HTTP

/// Signatures of requests between nodes: RFC 9421 in the one profile of docs/federation §5, and
/// nothing else of it.
public enum RequestSignature {
    /// The label that we give it; any other is read as well.
    static let label = "avr"
    static let tag = "avr-s2s"

    /// The parts of a request that are signed.
    public struct Parts: Sendable, Equatable {
        /// `GET`.
        public let method: String
        /// `host[:port]` in lower case, without the scheme's own port.
        public let authority: String
        /// The path as it goes on the wire.
        public let path: String
        /// `?` and the query as it goes on the wire; `?` alone without one.
        public let query: String
        /// The value of Content-Digest.
        public let digest: String
        /// The value of Authorization; nil where the token stands in the query.
        public let authorization: String?

        /// The parts of a request.
        public init(
            method: String, authority: String, path: String, query: String, digest: String,
            authorization: String?
        ) {
            self.method = method
            self.authority = authority
            self.path = path
            self.query = query
            self.digest = digest
            self.authorization = authorization
        }

        var components: String {
            #"("@method" "@authority" "@path" "@query" "content-digest""#
                + (authorization == nil ? ")" : #" "authorization")"#)
        }

        /// RFC 9421 §2.5: the signature base, whose last line is what Signature-Input says.
        func base(parameters: String) -> [UInt8] {
            var lines = [
                "\"@method\": \(method)", "\"@authority\": \(authority)", "\"@path\": \(path)",
                "\"@query\": \(query)", "\"content-digest\": \(digest)",
            ]
            if let authorization { lines.append("\"authorization\": \(authorization)") }
            lines.append("\"@signature-params\": \(components)\(parameters)")
            return Array(lines.joined(separator: "\n").utf8)
        }
    }

    /// The two fields of a signed request, and what was signed.
    public struct Signed: Sendable, Equatable {
        /// The value of Signature-Input.
        public let input: String
        /// The value of Signature.
        public let signature: String
        /// The signature base.
        public let base: [UInt8]
    }

    /// The value of Content-Digest for a body, RFC 9530, also for an empty one.
    public static func digest(of body: [UInt8]) -> String {
        "sha-256=:\(Base64.encode(SHA256.hash(body).bytes)):"
    }

    /// Signs a request, to count for the lifetime of a signature from `now` on.
    public static func sign(
        _ parts: Parts, with key: Ed25519PrivateKey, nonce: [UInt8], now: Timestamp
    ) -> Signed {
        let created = now.milliseconds / 1_000
        let parameters =
            ";created=\(created);expires=\(created + NonceLedger.lifetime.milliseconds / 1_000)"
            + ";nonce=\"\(Base64.encodeURL(nonce))\";keyid=\"\(key.publicKey.id)\""
            + ";alg=\"ed25519\";tag=\"\(tag)\""
        let base = parts.base(parameters: parameters)
        return Signed(
            input: "\(label)=\(parts.components)\(parameters)",
            signature: "\(label)=:\(Base64.encode(key.sign(base))):", base: base)
    }

    /// A signature that has the right form and window: what remains is the key and the nonce.
    public struct Claim: Sendable {
        /// The key that it says it is by.
        public let keyID: String
        /// To be seen once.
        public let nonce: String
        /// When it stops to count.
        public let expires: Timestamp
        /// What was signed.
        public let base: [UInt8]
        /// The signature.
        public let signature: [UInt8]

        /// Whether it is by `key`.
        public func holds(by key: Ed25519PublicKey) -> Bool {
            key.id == keyID && key.verify(signature, of: base)
        }
    }

    /// Why a request counts as not signed; for the log alone.
    public enum Refusal: Error, Sendable, Equatable {
        case missing(String)
        case repeated(String)
        case otherAuthority
        case otherDigest
        case otherComponents
        case badParameter(String)
        case badSignature
        case outsideWindow
    }

    /// Reads the signature of a request with that head and body. `authorities`: what the node may
    /// be addressed as.
    public static func read(
        _ head: RequestHead, body: [UInt8], authorities: [Gateway], now: Timestamp
    ) throws(Refusal) -> Claim {
        guard let authority = authority(of: head, among: authorities) else {
            throw .otherAuthority
        }
        let digest = try single(.contentDigest, head)
        guard digest == self.digest(of: body) else { throw .otherDigest }
        let inQuery = head.field(.authorization) == nil
        let parts = Parts(
            method: String(decoding: head.methodBytes, as: UTF8.self), authority: authority,
            path: String(decoding: head.path, as: UTF8.self),
            query: "?" + String(decoding: head.query ?? [], as: UTF8.self), digest: digest,
            authorization: inQuery ? nil : try single(.authorization, head))
        let input = try member(of: try single(.signatureInput, head))
        let value = try member(of: try single(.signature, head))
        guard input.label == value.label, input.rest.hasPrefix(parts.components) else {
            throw .otherComponents
        }
        let text = String(input.rest.dropFirst(parts.components.count))
        let parameters = try Parameters(text)
        guard value.rest.hasPrefix(":"), value.rest.hasSuffix(":"), value.rest.count > 2,
            let signature = Base64.decode(value.rest.dropFirst().dropLast())
        else { throw .badSignature }
        guard
            NonceLedger.counts(
                created: parameters.created, expires: parameters.expires, now: now)
        else { throw .outsideWindow }
        return Claim(
            keyID: parameters.keyID, nonce: parameters.nonce, expires: parameters.expires,
            base: parts.base(parameters: text), signature: signature)
    }

    /// The six parameters, each once, in any order, and none beside them.
    private struct Parameters {
        let created: Timestamp
        let expires: Timestamp
        let nonce: String
        let keyID: String

        init(_ text: String) throws(Refusal) {
            var values: [String: Substring] = [:]
            // No value of the profile holds a semicolon, so the text may be cut at each.
            for part in text.split(separator: ";", omittingEmptySubsequences: false).dropFirst() {
                guard let equals = part.firstIndex(of: "=") else {
                    throw .badParameter(String(part))
                }
                let name = String(part[..<equals])
                let value = part[part.index(after: equals)...]
                guard values.updateValue(value, forKey: name) == nil else {
                    throw .badParameter(name)
                }
            }
            guard values.count == 6, text.hasPrefix(";") else { throw .badParameter(text) }
            guard Self.text(values["alg"]) == "ed25519" else { throw .badParameter("alg") }
            guard Self.text(values["tag"]) == tag else { throw .badParameter("tag") }
            guard let keyID = Self.text(values["keyid"]), keyID.utf8.count == 16,
                Hex.decode(keyID) != nil
            else { throw .badParameter("keyid") }
            guard let nonce = Self.text(values["nonce"]),
                Base64.decodeURL(nonce)?.count == NonceLedger.nonceLength
            else { throw .badParameter("nonce") }
            guard let created = Self.seconds(values["created"]) else {
                throw .badParameter("created")
            }
            guard let expires = Self.seconds(values["expires"]) else {
                throw .badParameter("expires")
            }
            self.created = created
            self.expires = expires
            self.nonce = nonce
            self.keyID = keyID
        }

        /// A string of RFC 8941 without escapes, which no value of the profile needs.
        private static func text(_ value: Substring?) -> String? {
            guard let value, value.count >= 2, value.first == "\"", value.last == "\"" else {
                return nil
            }
            let inner = value.dropFirst().dropLast()
            guard !inner.contains(where: { $0 == "\"" || $0 == "\\" }) else { return nil }
            return String(inner)
        }

        /// An integer of RFC 8941, in its one spelling.
        private static func seconds(_ value: Substring?) -> Timestamp? {
            guard let value, value.utf8.count <= 12, let number = Int64(value), number >= 0,
                String(number) == value
            else { return nil }
            return Timestamp(milliseconds: number * 1_000)
        }
    }

    /// A field that must be there once.
    private static func single(
        _ name: FieldName, _ head: RequestHead
    ) throws(Refusal) -> String {
        let all = head.all(name)
        guard let value = all.first else { throw .missing(name.description) }
        guard all.count == 1 else { throw .repeated(name.description) }
        return String(decoding: value, as: UTF8.self)
    }

    /// The one member of a dictionary of RFC 8941: `label=rest`. A second one would show as a comma
    /// in `rest`, where the profile allows none.
    private static func member(
        of field: String
    ) throws(Refusal) -> (label: Substring, rest: Substring) {
        guard let equals = field.firstIndex(of: "="), equals > field.startIndex else {
            throw .badParameter(field)
        }
        let label = field[..<equals]
        let rest = field[field.index(after: equals)...]
        guard label.utf8.allSatisfy(labelCharacters.contains), !rest.contains(",") else {
            throw .repeated(field)
        }
        return (label, rest)
    }

    private static let labelCharacters = Set("abcdefghijklmnopqrstuvwxyz0123456789_-.*".utf8)

    /// RFC 9421 §2.2.3: in lower case and without the scheme's own port. Nil when it is none of
    /// the node's.
    private static func authority(of head: RequestHead, among gateways: [Gateway]) -> String? {
        guard let bytes = head.authority else { return nil }
        let host = String(decoding: bytes, as: UTF8.self).lowercased()
        for gateway in gateways {
            let text = gateway.address.authority(secure: gateway.secure)
            if host == text || host == "\(text):\(gateway.secure ? 443 : 80)" { return text }
        }
        return nil
    }
}
