import Base
import Crypto
// Foundation: reads the vectors' files.
import Foundation
import Testing

/// The vectors of C2SP/wycheproof.
struct CryptoVectorTests {
    private func groups(_ name: String) throws -> [JSONValue] {
        let file = TestVectors.folder("crypto").appendingPathComponent(name)
        let value = try JSONParser.parse([UInt8](try Data(contentsOf: file)))
        return try #require(value["testGroups"]?.arrayValue)
    }

    private func hex(_ value: JSONValue?) throws -> [UInt8] {
        let text = try #require(value?.stringValue)
        return try #require(Hex.decode(text))
    }

    @Test func `Ed25519 accepts and refuses as the vectors say`() throws {
        var count = 0
        for group in try groups("ed25519.json") {
            let bytes = try hex(group["publicKey"]?["pk"])
            let key = Ed25519PublicKey(bytes)
            for test in try #require(group["tests"]?.arrayValue) {
                count += 1
                let isRight = try key?.verify(hex(test["sig"]), of: hex(test["msg"])) ?? false
                #expect(
                    isRight == (test["result"]?.stringValue == "valid"),
                    "\(String(describing: test["tcId"])) \(test["comment"]?.stringValue ?? "")")
            }
        }
        #expect(count == 151)
    }

    @Test func `HMAC-SHA-256 accepts and refuses as the vectors say`() throws {
        var count = 0
        for group in try groups("hmac_sha256.json") {
            let length = Int(try #require(group["tagSize"]?.integerValue)) / 8
            for test in try #require(group["tests"]?.arrayValue) {
                count += 1
                let tag = try HMACSHA256.sign(hex(test["msg"]), key: Secret(hex(test["key"])))
                let isRight = try Array(tag.prefix(length)) == hex(test["tag"])
                #expect(isRight == (test["result"]?.stringValue == "valid"))
            }
        }
        #expect(count == 174)
    }
}
