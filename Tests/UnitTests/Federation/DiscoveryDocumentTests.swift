import Base
import Crypto
import Domain
import Testing

@testable import Federation

/// What a node says of itself: signed by each of its keys, and believed only whole.
struct DiscoveryDocumentTests {
    static let now = SignedDraft.now
    static let address = SignedDraft.address("b.example")

    static func identity(_ pairs: [UInt8] = [1], expired: [UInt8] = []) -> NodeIdentity {
        NodeIdentity(
            address: address, secure: true, gateway: SignedDraft.gateways[0],
            gateways: SignedDraft.gateways, version: "0.1.0",
            keys: (pairs + expired).map { number in
                NodeIdentity.Key(
                    pair: SignedDraft.pair(number), createdAt: now - .seconds(Int64(number)),
                    expiresAt: expired.contains(number) ? now : now + .seconds(86_400))
            })
    }

    static func document(_ identity: NodeIdentity = identity()) -> JSONValue {
        do {
            return try JSONParser.parse(DiscoveryDocument.write(identity, now: now))
        } catch {
            preconditionFailure("\(error)")
        }
    }

    private func read(
        _ value: JSONValue, of asked: ServerAddress = address
    ) throws(DiscoveryDocument.Refusal) -> DiscoveryDocument {
        try DiscoveryDocument(reading: JSONCoder.encode(value), of: asked, now: Self.now)
    }

    private func isRefused(_ value: JSONValue) -> Bool {
        do throws(DiscoveryDocument.Refusal) {
            _ = try read(value)
            return false
        } catch {
            return true
        }
    }

    /// A member changed, and signed again by the first key.
    private func changed(_ key: String, _ value: JSONValue?, signAgain: Bool = true) -> JSONValue {
        guard var object = Self.document().objectValue else { return .null }
        object[key] = value
        if signAgain {
            object["signatures"] = nil
            let signature = SignedDraft.pair(1).sign(CanonicalJSON.encode(.object(object)))
            object["signatures"] = [
                [
                    "key": .string(SignedDraft.pair(1).publicKey.id),
                    "value": .string(Base64.encodeURL(signature)),
                ]
            ]
        }
        return .object(object)
    }

    @Test func `what is written is read`() throws {
        let document = try read(Self.document(Self.identity([1, 2], expired: [3])))
        #expect(document.address == Self.address)
        #expect(document.gateways == SignedDraft.gateways)
        #expect(
            document.keys.map(\.key) == [
                SignedDraft.pair(1).publicKey, SignedDraft.pair(2).publicKey,
            ])
    }

    @Test func `fields that this version does not know are signed too`() throws {
        _ = try read(changed("future", ["a": 1]))
        #expect(isRefused(changed("future", ["a": 1], signAgain: false)))
    }

    @Test func `another node's document is refused as that`() {
        #expect(throws: DiscoveryDocument.Refusal.wrongAddress) {
            try read(Self.document(), of: SignedDraft.address("c.example"))
        }
    }

    @Test func `a document is refused whole`() throws {
        let keys = try #require(Self.document()["keys"]?.arrayValue)
        let key = try #require(keys[0].objectValue)
        func with(_ name: String, _ value: JSONValue?) -> JSONValue {
            var other = key
            other[name] = value
            return [.object(other)]
        }
        let small = Base64.encodeURL([1] + [UInt8](repeating: 0, count: 31))
        let cases: [(String, JSONValue?)] = [
            ("version", "2"), ("version", nil), ("keys", []), ("keys", nil),
            ("keys", .array(keys + keys)), ("keys", with("id", "0000000000000000")),
            ("keys", with("algorithm", "rsa")), ("keys", with("key", .string(small))),
            ("keys", with("expires_at", .integer(Self.now.milliseconds))),
            ("keys", with("created_at", nil)), ("gateways", []),
            ("gateways", [["secure": true, "address": "x.example"]]),
            ("gateway", ["secure": false, "address": "b.example"]),
            ("address", "b.example/"), ("secure", "yes"), ("software", nil),
        ]
        for (name, value) in cases {
            #expect(isRefused(changed(name, value)), "\(name)")
        }
        #expect(isRefused(.array([])))
        #expect(isRefused("text"))
    }

    @Test func `every key that counts has to have signed, and nobody else`() throws {
        var object = try #require(Self.document(Self.identity([1, 2])).objectValue)
        let signatures = try #require(object["signatures"]?.arrayValue)
        object["signatures"] = .array([signatures[0]])
        #expect(isRefused(.object(object)))
        object["signatures"] = .array([signatures[0], signatures[0]])
        #expect(isRefused(.object(object)))
        object["signatures"] = .array(signatures + [["key": "0123456789abcdef", "value": "AA"]])
        #expect(isRefused(.object(object)))
        object["signatures"] = nil
        #expect(isRefused(.object(object)))
        object["signatures"] = .array(signatures.reversed())
        #expect(!isRefused(.object(object)))
    }

    @Test func `no changed byte is overlooked`() throws {
        let good = DiscoveryDocument.write(Self.identity(), now: Self.now)
        var random = SeededGenerator(seed: 5)
        for _ in 0..<3_000 {
            var bytes = good
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
                in: 32...126, using: &random)
            if bytes == good { continue }
            #expect(throws: DiscoveryDocument.Refusal.self) {
                try DiscoveryDocument(reading: bytes, of: Self.address, now: Self.now)
            }
        }
    }
}
