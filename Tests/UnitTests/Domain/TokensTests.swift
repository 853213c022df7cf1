import Base
import Domain
import Testing

// A credential's form says what kind it is, and there is one form for each kind: nothing can be
// taken for another, nothing has two spellings.
struct TokensTests {
    static let random = SeededRandom(seed: 21)

    @Test func `each kind is made in its form, read as itself and detected`() {
        func check<Kind>(_ type: OpaqueToken<Kind>.Type, _ form: CredentialForm, _ prefix: String) {
            for _ in 0..<200 {
                let token = OpaqueToken<Kind>.make(random: Self.random)
                #expect(token.text.hasPrefix(prefix))
                #expect(token.text.utf8.count == 49)
                #expect(OpaqueToken<Kind>(token.text) == token)
                #expect(token.bytes == Array(token.text.utf8))
                #expect(CredentialForm.detect(token.bytes) == form)
            }
        }
        check(ServerToken.self, .server, "avr_s_")
        check(IntegrityToken.self, .integrity, "avr_i_")
        check(InsToken.self, .ins, "avr_n_")
        check(ServiceToken.self, .service, "avr_v_")
    }

    @Test func `one kind is never read as another`() {
        let server = ServerToken.make(random: Self.random).text
        #expect(IntegrityToken(server) == nil)
        #expect(InsToken(server) == nil)
        #expect(ServiceToken(server) == nil)
        #expect(AccessToken(server) == nil)
        #expect(RefreshToken(server) == nil)
        #expect(ServerToken(IntegrityToken.make(random: Self.random).text) == nil)
    }

    @Test func `a refresh token is 64 hex digits, and no credential of a request`() {
        let token = RefreshToken.make(random: Self.random)
        #expect(RefreshToken(token.text) == token)
        #expect(token.text.utf8.count == 64)
        #expect(RefreshToken(token.text.uppercased()) == nil)
        #expect(RefreshToken(String(token.text.dropLast())) == nil)
        #expect(CredentialForm.detect(token.bytes) == nil)
    }

    @Test(arguments: ["a.b.c", "e30.e30.AA", "A-_9.x.y"])
    func `three parts are a JWT`(_ text: String) {
        #expect(CredentialForm.detect(text.utf8) == .access)
        #expect(AccessToken(text)?.text == text)
    }

    @Test(arguments: [
        "", ".", "..", "a", "a.b", "a.b.", ".b.c", "a..c", "a.b.c.d", "a.b.c=", "a.b c.d", "a.b.é",
        "avr_s_", "avr_x_" + String(repeating: "A", count: 43),
        "avr_s-" + String(repeating: "A", count: 43), "avr_s_" + String(repeating: "A", count: 42),
        "avr_s_" + String(repeating: "A", count: 44),
        "avr_s_" + String(repeating: "A", count: 42) + "B",
        "avr_s_" + String(repeating: "A", count: 42) + "=",
        "avr_s_" + String(repeating: "+", count: 43),
        "AVR_S_" + String(repeating: "A", count: 43), "Bearer a.b.c",
        String(repeating: "a", count: 4093) + ".b.c",
    ])
    func `anything else is no credential of a node`(_ text: String) {
        #expect(CredentialForm.detect(text.utf8) == nil)
        #expect(ServerToken(text) == nil)
        #expect(AccessToken(text) == nil)
    }

    @Test func `detection agrees with the parsers, whatever the bytes`() {
        let alphabet = Array("avr_sinAQBz09-.+=".utf8)
        for _ in 0..<5000 {
            var bytes = Array("avr_".utf8) + [alphabet[Self.random.next(below: alphabet.count)]]
            bytes.append(UInt8(ascii: "_"))
            for _ in 0..<(41 + Self.random.next(below: 4)) {
                bytes.append(alphabet[Self.random.next(below: alphabet.count)])
            }
            let text = String(decoding: bytes, as: UTF8.self)
            let form = CredentialForm.detect(bytes)
            #expect((ServerToken(text) != nil) == (form == .server), "\(text)")
            #expect((IntegrityToken(text) != nil) == (form == .integrity), "\(text)")
            #expect((InsToken(text) != nil) == (form == .ins), "\(text)")
            #expect((AccessToken(text) != nil) == (form == .access), "\(text)")
        }
    }
}
