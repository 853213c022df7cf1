import API
import Base
import Crypto
import Domain
import Testing

@testable import Federation

/// The vectors that are published for other implementations are what this one does. Made by
/// `GOLDEN=update`; what the requests' vectors say is checked where each is made.
struct FederationVectorTests {
    @Test func `the published vectors are those of the code`() throws {
        var out = ByteWriter()
        Self.pretty(try Self.vectors(), 0, &out)
        out.append("\n")
        let text = String(decoding: out.array(), as: UTF8.self)
        try GoldenFile.expect(text, at: "docs/federation/vectors.json")
    }

    private static func vectors() throws -> JSONValue {
        let pair = SignedDraft.pair(1)
        var requests: [JSONValue] = []
        for (name, draft) in [
            ("with Authorization", SignedDraft()), ("with the token in the query", .inQuery),
        ] {
            #expect(RequestSignatureTests.verdict(draft.text))
            requests.append([
                "name": .string(name), "valid": true, "request": .string(draft.text),
                "base": .string(draft.base),
            ])
        }
        for deviation in Deviation.all {
            #expect(!RequestSignatureTests.verdict(deviation.text), "\(deviation.name)")
            requests.append([
                "name": .string(deviation.name), "valid": false,
                "request": .string(deviation.text),
            ])
        }
        return [
            "about":
                "Test vectors of the federation protocol; docs/federation/README.md explains them.",
            "now": .integer(SignedDraft.now.milliseconds),
            "key": [
                "seed": .string(Hex.encode(pair.seed.reveal())),
                "public": .string(pair.publicKey.base64URL), "id": .string(pair.publicKey.id),
            ],
            "discovery": try discovery(),
            "challenge": try challenge(),
            "receiver": [
                "address": "b.example",
                "gateways": .array(SignedDraft.gateways.map { JSONCoder.value($0) }),
            ],
            "requests": .array(requests),
        ]
    }

    private static func discovery() throws -> JSONValue {
        let document = DiscoveryDocumentTests.document(DiscoveryDocumentTests.identity([1, 2]))
        var unsigned = try #require(document.objectValue)
        unsigned["signatures"] = nil
        return [
            "asked": "b.example", "document": document,
            "signed": .string(
                String(decoding: CanonicalJSON.encode(.object(unsigned)), as: UTF8.self)),
        ]
    }

    private static func challenge() throws -> JSONValue {
        let id = try #require(ChallengeID("c_01890a5d-ac96-774b-bcce-b302099a8057"))
        let challenge = ChallengeAPI.Nonce(
            id: id, nonce: Base64.encodeURL([UInt8](0..<32)),
            server: SignedDraft.address("a.example"), expiresAt: SignedDraft.now + .seconds(60))
        let (asker, asked) = (
            SignedDraft.address("a.example"), SignedDraft.address("b.example")
        )
        let proof = try #require(
            ChallengeText.prove(challenge, asker: asker, asked: asked, key: SignedDraft.pair(1)))
        return [
            "asker": "a.example", "asked": "b.example",
            "challenge": JSONCoder.value(challenge),
            "signed": .string(
                String(
                    decoding: ChallengeText.bytes(
                        id: id, nonce: challenge.nonce, asker: asker, asked: asked),
                    as: UTF8.self)),
            "proof": JSONCoder.value(proof),
        ]
    }

    /// A member a line, for people and their diffs.
    private static func pretty(_ value: JSONValue, _ depth: Int, _ out: inout ByteWriter) {
        let indent = String(repeating: "  ", count: depth + 1)
        switch value {
        case .object(let object):
            out.append("{\n")
            for (index, member) in object.members.enumerated() {
                out.append(indent)
                out.append(jsonString: member.key)
                out.append(": ")
                pretty(member.value, depth + 1, &out)
                out.append(index + 1 < object.count ? ",\n" : "\n")
            }
            out.append(String(repeating: "  ", count: depth) + "}")
        case .array(let items):
            out.append("[\n")
            for (index, item) in items.enumerated() {
                out.append(indent)
                pretty(item, depth + 1, &out)
                out.append(index + 1 < items.count ? ",\n" : "\n")
            }
            out.append(String(repeating: "  ", count: depth) + "]")
        case .null, .boolean, .integer, .double, .string: out.append(json: value)
        }
    }
}
