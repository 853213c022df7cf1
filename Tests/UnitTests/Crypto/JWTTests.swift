import Base
import Crypto
import Testing

/// A token is believed for its signature alone: no header talks the verifier into another
/// algorithm, key or type, no bit of it can be turned, and it ends when it says so.
struct JWTTests {
    static let key = Secret("a key of thirty-two bytes at least")
    static let now = Timestamp(milliseconds: 1_700_000_000_000)
    static let claims: JSONObject = [
        "iss": "a.example", "sub": "u_1", "sid": "s_1", "gen": 3, "iat": 1_700_000_000,
        "exp": 1_700_003_600,
    ]

    private func verify(_ token: String, now: Timestamp = Self.now) -> Result<JSONObject, JWTError>
    {
        do throws(JWTError) {
            let keys = ["k1": Self.key, "k2": Secret("another key")]
            return .success(try JWT.verify(Array(token.utf8), keys: keys, now: now))
        } catch {
            return .failure(error)
        }
    }

    /// A token with a right signature over whatever header and claims.
    private func forge(header: String, claims: String) -> String {
        let signed =
            Base64.encodeURL(Array(header.utf8)) + "." + Base64.encodeURL(Array(claims.utf8))
        let tag = HMACSHA256.sign(Array(signed.utf8), key: Self.key)
        return signed + "." + Base64.encodeURL(tag)
    }

    @Test func `the signature of RFC 7515 A.1 is made and believed`() throws {
        let key = try #require(
            Base64.decodeURL(
                "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75"
                    + "aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"))
        let signed =
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAs"
            + "DQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
        #expect(
            Base64.encodeURL(HMACSHA256.sign(Array(signed.utf8), key: Secret(key)))
                == "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    }

    @Test func `what was signed comes back`() throws {
        let token = JWT.sign(claims: Self.claims, kid: "k1", key: Self.key)
        #expect(verify(token) == .success(Self.claims))
    }

    @Test func `no character can be changed, added or left out`() {
        let token = JWT.sign(claims: Self.claims, kid: "k1", key: Self.key)
        let characters = Array(token)
        for index in characters.indices {
            var bent = characters
            bent[index] = bent[index] == "A" ? "B" : "A"
            #expect((try? verify(String(bent)).get()) == nil)
            bent = characters
            bent.remove(at: index)
            #expect((try? verify(String(bent)).get()) == nil)
        }
        for extra in ["=", ".", " ", "A", "\n", ".A"] {
            #expect((try? verify(token + extra).get()) == nil)
            #expect((try? verify(extra + token).get()) == nil)
        }
    }

    @Test func `an hour is an hour`() {
        let token = JWT.sign(claims: Self.claims, kid: "k1", key: Self.key)
        let end = Timestamp(milliseconds: 1_700_003_600_000)
        #expect(verify(token, now: end - .milliseconds(1)) == .success(Self.claims))
        #expect(verify(token, now: end) == .failure(.notValidNow))
    }

    static let head = #"{"alg":"HS256","typ":"avr+jwt","kid":"k1"}"#
    static let body = #"{"exp":1700003600}"#

    static let forgeries: [(header: String, claims: String, error: JWTError)] = [
        (#"{"alg":"none","typ":"avr+jwt","kid":"k1"}"#, body, .foreign),
        (#"{"alg":"HS512","typ":"avr+jwt","kid":"k1"}"#, body, .foreign),
        (#"{"alg":"hs256","typ":"avr+jwt","kid":"k1"}"#, body, .foreign),
        (#"{"alg":["HS256"],"typ":"avr+jwt","kid":"k1"}"#, body, .foreign),
        (#"{"typ":"avr+jwt","kid":"k1"}"#, body, .foreign),
        (#"{"alg":"HS256","typ":"JWT","kid":"k1"}"#, body, .foreign),
        (#"{"alg":"HS256","kid":"k1"}"#, body, .foreign),
        (#"{"alg":"HS256","typ":"avr+jwt","kid":"k1","crit":["x"],"x":1}"#, body, .foreign),
        (#"{"alg":"HS256","typ":"avr+jwt","kid":"k2"}"#, body, .badSignature),
        (#"{"alg":"HS256","typ":"avr+jwt","kid":"k3"}"#, body, .unknownKey),
        (#"{"alg":"HS256","typ":"avr+jwt","kid":1}"#, body, .unknownKey),
        (#"{"alg":"HS256","typ":"avr+jwt"}"#, body, .unknownKey),
        (#"{"alg":"none","alg":"HS256","typ":"avr+jwt","kid":"k1"}"#, body, .malformed),
        (#"["HS256"]"#, body, .malformed),
        ("", body, .malformed),
        (head, "", .malformed),
        (head, "[]", .malformed),
        (head, #"{"exp":1700003600,"exp":1}"#, .malformed),
        (head, "{}", .notValidNow),
        (head, #"{"exp":null}"#, .notValidNow),
        (head, #"{"exp":"1700003600"}"#, .notValidNow),
        (head, #"{"exp":-1700003600}"#, .notValidNow),
        (head, #"{"exp":1700003600,"nbf":1700000001}"#, .notValidNow),
        (head, #"{"exp":1700003600,"nbf":"no"}"#, .notValidNow),
    ]

    @Test(arguments: forgeries)
    func `a right signature does not make it a token`(
        header: String, claims: String, error: JWTError
    ) {
        #expect(verify(forge(header: header, claims: claims)) == .failure(error))
    }

    @Test func `a signature left out or spelled otherwise is refused`() {
        let token = JWT.sign(claims: Self.claims, kid: "k1", key: Self.key)
        let signed = token.split(separator: ".").dropLast().joined(separator: ".")
        #expect(verify(signed) == .failure(.malformed))
        #expect(verify(signed + ".") == .failure(.badSignature))
        #expect(verify(token + "==") == .failure(.malformed))
        #expect(verify("") == .failure(.malformed))
        #expect(verify("..") == .failure(.malformed))
    }

    @Test func `noise is refused without a crash`() {
        let random = SeededRandom(seed: 5)
        let alphabet = Array("eyJhbGciOiIsInR5cCI6.-_=\"{}\u{E9}\0".utf8)
        for _ in 0..<3000 {
            let length = random.next(below: 80)
            let token = (0..<length).map { _ in alphabet[random.next(below: alphabet.count)] }
            let claims = try? JWT.verify(token, keys: ["k1": Self.key], now: Self.now)
            #expect(claims == nil)
        }
    }
}
