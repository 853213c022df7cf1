import Base
import Crypto
import Domain
import HTTP
import Testing

/// A signed request that can be wrong in one place: written here from RFC 9421 once more, so that
/// the tests do not take the word of what they test.
struct SignedDraft {
    static let now = Timestamp(milliseconds: 1_800_000_000_000)
    static let token = "avr_s_" + String(repeating: "A", count: 43)
    static let gateways = [
        Gateway(secure: true, address: address("b.example")),
        Gateway(secure: true, address: address("gate.b.example:8443")),
    ]

    static func address(_ text: String) -> ServerAddress {
        guard let address = ServerAddress(text) else { preconditionFailure(text) }
        return address
    }

    /// A pair that is the same in every run.
    static func pair(_ byte: UInt8) -> Ed25519PrivateKey {
        guard let pair = Ed25519PrivateKey(seed: Secret([UInt8](repeating: byte, count: 32)))
        else { preconditionFailure("32 bytes are a seed") }
        return pair
    }

    var method = "PUT"
    var host = "b.example"
    var authority = "b.example"
    var target = "/api/integrity"
    var body = #"{"user":"u_01890a5d-ac96-774b-bcce-b302099a8057@a.example"}"#
    var authorization: String? = "Bearer \(token)"
    var components = [
        "@method", "@authority", "@path", "@query", "content-digest", "authorization",
    ]
    var created = "1800000000"
    var expires = "1800000060"
    var nonce = Base64.encodeURL([UInt8](0..<16))
    var keyID = pair(1).publicKey.id
    var algorithm = "ed25519"
    var tag = "avr-s2s"
    var label = "avr"
    var digest: String
    /// Written in place of the parameters made of the fields above.
    var parameters: String?
    var key = pair(1)
    /// Changes what was signed, before it is sent.
    var tamper: (inout SignedDraft) -> Void = { _ in }
    /// Changes the two fields, before they are sent.
    var rewrite: (inout String, inout String) -> Void = { _, _ in }
    var more = ""

    init() {
        digest = Self.digest(body)
    }

    static func digest(_ body: String) -> String {
        "sha-256=:" + Base64.encode(SHA256.hash(body).bytes) + ":"
    }

    var input: String {
        let list = components.map { "\"\($0)\"" }.joined(separator: " ")
        let own =
            ";created=\(created);expires=\(expires);nonce=\"\(nonce)\";keyid=\"\(keyID)\""
            + ";alg=\"\(algorithm)\";tag=\"\(tag)\""
        return "(\(list))" + (parameters ?? own)
    }

    var base: String {
        var lines: [String] = []
        for component in components {
            let value: String
            switch component {
            case "@method": value = method
            case "@authority": value = authority
            case "@path": value = target.split(separator: "?").first.map(String.init) ?? "/"
            case "@query": value = "?" + (target.split(separator: "?").dropFirst().first ?? "")
            case "content-digest": value = digest
            case "authorization": value = authorization ?? ""
            case "content-type": value = "application/json"
            case _: value = "https"
            }
            lines.append("\"\(component)\": \(value)")
        }
        lines.append("\"@signature-params\": \(input)")
        return lines.joined(separator: "\n")
    }

    /// The whole request as it goes on the wire.
    var text: String {
        var signatureInput = "\(label)=\(input)"
        var signature = "\(label)=:\(Base64.encode(key.sign(Array(base.utf8)))):"
        var sent = self
        tamper(&sent)
        rewrite(&signatureInput, &signature)
        var lines = ["\(sent.method) \(sent.target) HTTP/1.1", "Host: \(sent.host)"]
        if let authorization = sent.authorization {
            lines.append("Authorization: \(authorization)")
        }
        lines.append("Content-Type: application/json")
        if !sent.digest.isEmpty { lines.append("Content-Digest: \(sent.digest)") }
        if !signatureInput.isEmpty { lines.append("Signature-Input: \(signatureInput)") }
        if !signature.isEmpty { lines.append("Signature: \(signature)") }
        if !sent.more.isEmpty { lines.append(sent.more) }
        lines.append("Content-Length: \(sent.body.utf8.count)")
        return lines.joined(separator: "\r\n") + "\r\n\r\n" + sent.body
    }

    /// One that holds with the token in the query.
    static var inQuery: SignedDraft {
        var draft = SignedDraft()
        draft.method = "GET"
        draft.target = "/api/challenges?authserver=\(token)&limit=2"
        draft.body = ""
        draft.digest = digest("")
        draft.authorization = nil
        draft.components.removeLast()
        return draft
    }
}

/// One change, and what it breaks.
struct Deviation: Sendable, CustomTestStringConvertible {
    let name: String
    let change: @Sendable (inout SignedDraft) -> Void
    var testDescription: String { name }

    init(_ name: String, _ change: @escaping @Sendable (inout SignedDraft) -> Void) {
        self.name = name
        self.change = change
    }

    var text: String {
        var draft = SignedDraft()
        change(&draft)
        return draft.text
    }

    static let all: [Deviation] =
        fields + components + parameters + window + content + afterwards

    private static let fields = [
        Deviation("no Signature") { $0.rewrite = { _, signature in signature = "" } },
        Deviation("no Signature-Input") { $0.rewrite = { input, _ in input = "" } },
        Deviation("two signatures") {
            $0.rewrite = { input, signature in
                input += ", b" + input.dropFirst(3)
                signature += ", b" + signature.dropFirst(3)
            }
        },
        Deviation("a second Signature field") { $0.more = "Signature: b=:AA==:" },
        Deviation("a second Signature-Input field") { $0.more = "Signature-Input: b=()" },
        Deviation("a second Authorization field") { $0.more = "Authorization: Bearer x" },
        Deviation("a second Content-Digest field") {
            $0.more = "Content-Digest: sha-256=:AA==:"
        },
        Deviation("two labels") { $0.rewrite = { _, signature in signature = "b" + signature } },
        Deviation("a label in capitals") { $0.label = "Avr" },
        Deviation("the signature in base64url") {
            $0.rewrite = { _, signature in
                signature = signature.replacing("+", with: "-").replacing("/", with: "_")
                    .replacing("==", with: "")
            }
        },
        Deviation("the signature cut short") {
            $0.rewrite = { _, signature in signature = "avr=:AAAA:" }
        },
    ]

    private static let components = [
        Deviation("without @method") { $0.components.remove(at: 0) },
        Deviation("without @authority") { $0.components.remove(at: 1) },
        Deviation("without @path") { $0.components.remove(at: 2) },
        Deviation("without @query") { $0.components.remove(at: 3) },
        Deviation("without content-digest") { $0.components.remove(at: 4) },
        Deviation("without authorization") { $0.components.remove(at: 5) },
        Deviation("with content-type") { $0.components.append("content-type") },
        Deviation("with @scheme") { $0.components.append("@scheme") },
        Deviation("in another order") { $0.components.swapAt(0, 1) },
        Deviation("twice the same") { $0.components.append("authorization") },
        Deviation("authorization covered, token in the query") { draft in
            draft = .inQuery
            draft.components.append("authorization")
        },
    ]

    private static func parameters(
        _ name: String, _ text: String
    ) -> Deviation {
        Deviation(name) { draft in
            draft.parameters =
                text
                .replacing("KEY", with: draft.keyID).replacing("NONCE", with: draft.nonce)
        }
    }

    private static let parameters = [
        parameters(
            "without created",
            #";expires=1800000060;nonce="NONCE";keyid="KEY";alg="ed25519";tag="avr-s2s""#),
        parameters(
            "without expires",
            #";created=1800000000;nonce="NONCE";keyid="KEY";alg="ed25519";tag="avr-s2s""#),
        parameters(
            "without nonce",
            #";created=1800000000;expires=1800000060;keyid="KEY";alg="ed25519";tag="avr-s2s""#),
        parameters(
            "without keyid",
            #";created=1800000000;expires=1800000060;nonce="NONCE";alg="ed25519";tag="avr-s2s""#),
        parameters(
            "without alg",
            #";created=1800000000;expires=1800000060;nonce="NONCE";keyid="KEY";tag="avr-s2s""#),
        parameters(
            "without tag",
            #";created=1800000000;expires=1800000060;nonce="NONCE";keyid="KEY";alg="ed25519""#),
        parameters(
            "with a parameter of its own",
            #";created=1800000000;expires=1800000060;nonce="NONCE";keyid="KEY";alg="ed25519""#
                + #";tag="avr-s2s";more="x""#),
        parameters(
            "created twice",
            #";created=1800000000;created=1800000000;expires=1800000060;nonce="NONCE""#
                + #";keyid="KEY";alg="ed25519";tag="avr-s2s""#),
        parameters(
            "with blanks between parameters",
            #"; created=1800000000;expires=1800000060;nonce="NONCE";keyid="KEY";alg="ed25519""#
                + #";tag="avr-s2s""#),
        parameters(
            "the algorithm as a token",
            #";created=1800000000;expires=1800000060;nonce="NONCE";keyid="KEY";alg=ed25519"#
                + #";tag="avr-s2s""#),
        Deviation("another algorithm") { $0.algorithm = "hmac-sha256" },
        Deviation("another tag") { $0.tag = "web" },
        Deviation("a nonce of 15 bytes") { $0.nonce = Base64.encodeURL([UInt8](0..<15)) },
        Deviation("a nonce of 17 bytes") { $0.nonce = Base64.encodeURL([UInt8](0..<17)) },
        Deviation("a second spelling of a nonce") { $0.nonce.replaceLast("x") },
        Deviation("a key id in capitals") { $0.keyID = "ABCDEFABCDEFABCD" },
        Deviation("a key id of 8 digits") { $0.keyID = "01234567" },
        Deviation("created with a zero before") { $0.created = "01800000000" },
        Deviation("created as a fraction") { $0.created = "1800000000.0" },
        Deviation("created as a text") { $0.created = "\"1800000000\"" },
    ]

    private static let window = [
        Deviation("61 s ahead") { ($0.created, $0.expires) = ("1800000061", "1800000100") },
        Deviation("61 s ago") { ($0.created, $0.expires) = ("1799999939", "1799999999") },
        Deviation("run out a second ago") {
            ($0.created, $0.expires) = ("1799999990", "1799999999")
        },
        Deviation("for 61 s") { $0.expires = "1800000061" },
        Deviation("for no time") { $0.expires = "1800000000" },
        Deviation("backwards") { $0.expires = "1799999999" },
    ]

    private static let content = [
        Deviation("no Content-Digest") { draft in
            draft.tamper = { $0.digest = "" }
        },
        Deviation("the digest of another body") { $0.digest = SignedDraft.digest("x") },
        Deviation("a digest beside it") { $0.digest += ", sha-512=:AA==:" },
        Deviation("another algorithm of the digest") {
            $0.digest = $0.digest.replacing("sha-256", with: "sha-512")
        },
        Deviation("another node's authority") {
            ($0.host, $0.authority) = ("c.example", "c.example")
        },
        Deviation("signed for another node") { $0.authority = "c.example" },
        Deviation("signed for another gateway") { $0.authority = "gate.b.example:8443" },
        Deviation("signed in capitals") { $0.authority = "B.example" },
        Deviation("signed with the scheme's port") { $0.authority = "b.example:443" },
        Deviation("signed by another key") { $0.key = SignedDraft.pair(2) },
    ]

    private static let afterwards = [
        Deviation("another method") { draft in draft.tamper = { $0.method = "POST" } },
        Deviation("another path") { draft in draft.tamper = { $0.target = "/api/deliveries" } },
        Deviation("another query") { draft in draft.tamper = { $0.target += "?a=b" } },
        Deviation("another body") { draft in draft.tamper = { $0.body += " " } },
        Deviation("another token") { draft in
            draft.tamper = {
                $0.authorization = "Bearer avr_s_" + String(repeating: "B", count: 43)
            }
        },
        Deviation("another spelling of the scheme") { draft in
            draft.tamper = { $0.authorization = "bearer \(SignedDraft.token)" }
        },
        Deviation("sent to another gateway") { draft in
            draft.tamper = { $0.host = "gate.b.example:8443" }
        },
        Deviation("a longer life") { draft in
            draft.rewrite = { input, _ in
                input = input.replacing("1800000060", with: "1800000059")
            }
        },
    ]
}

extension String {
    fileprivate mutating func replaceLast(_ character: Character) {
        removeLast()
        append(character)
    }
}
