import Base
import Domain
import HTTP
import Support
import Testing

@testable import Reil

/// What goes to a service, and where: no path leads out of it, and no spelling brings a field along
/// that only the node may set.
struct ServiceFieldsTests {
    private static let address = ServiceAddress("jukebox.example.org:8443/base/")

    private func head(_ target: String, _ fields: [(String, String)] = []) throws -> RequestHead {
        var text = "GET \(target) HTTP/1.1\r\nHost: node.example\r\n"
        for (name, value) in fields { text += "\(name): \(value)\r\n" }
        let server = ServerTranscript()
        server.receive(text + "\r\n")
        return try #require(server.heads.first, "\(target)")
    }

    @Test(arguments: [
        ("/services/org.example.a", "/base"), ("/services/org.example.a/", "/base/"),
        ("/services/org.example.a/x//y?z=1&&q", "/base/x//y?z=1&&q"),
        ("/services/org.example.a/x?", "/base/x?"),
        ("/services/org.example.a/%2e%2e%2e/...", "/base/%2e%2e%2e/..."),
        ("/services/org.example.a/x?token=own", "/base/x?token=own"),
    ]) func `what follows the id is the service's`(target: String, expected: String) throws {
        let address = try #require(Self.address)
        let path = try ServiceTargetPath(try head(target), below: address)
        #expect(String(decoding: path.bytes, as: UTF8.self) == expected)
    }

    @Test func `tokens of the node are taken out of a query, others stay`() throws {
        let address = try #require(Self.address)
        let token = ServiceToken.sample.text
        for name in ["token", "authuser", "authserver", "integrityuser", "t%6Fken"] {
            let path = try ServiceTargetPath(
                try head("/services/org.example.a/x?a=1&\(name)=\(token)&b=2"), below: address)
            #expect(String(decoding: path.bytes, as: UTF8.self) == "/base/x?a=1&b=2", "\(name)")
        }
        let alone = try ServiceTargetPath(
            try head("/services/org.example.a/x?token=\(token)"), below: address)
        #expect(String(decoding: alone.bytes, as: UTF8.self) == "/base/x")
    }

    @Test func `no path that a server could read as a way up passes`() {
        let random = SeededRandom(seed: 7)
        let parts = [".", "%2e", "%2E", "/", "%2f", "%2F", "\\", "%5c", "a", "%61"]
        for _ in 0..<20_000 {
            let count = Int(random.next() % 9)
            let path = "/" + (0..<count).map { _ in parts[Int(random.next() % 10)] }.joined()
            // As the most lenient server would read it.
            let lenient = path.lowercased().replacing("%2e", with: ".").replacing("%2f", with: "/")
                .replacing("%5c", with: "/").replacing("\\", with: "/")
            let climbs = lenient.split(separator: "/").contains { $0 == ".." || $0 == "." }
            #expect(
                ServiceTargetPath.isStraight(Array(path.utf8)[...]) == !climbs, "\(path)")
        }
    }

    @Test func `what only the node may say is dropped in any spelling`() throws {
        let head = try head(
            "/services/org.example.a",
            [
                ("avr-user", "u"), ("AVR-Anything", "x"), ("FORWARDED", "x"),
                ("x-forwarded-for", "x"), ("X-Forwarded-Anything", "x"), ("Accept", "y"),
                ("Connection", "close, X-Hop"), ("X-Hop", "x"), ("Signature", "s"),
                ("Authorization", "Basic abc"),
            ])
        var names: [String] = []
        ServiceFields.passed(of: head, isSigned: false).forEach { name, _ in
            names.append(String(decoding: name, as: UTF8.self))
        }
        #expect(names == ["Accept", "Signature", "Authorization"])
        let signed = ServiceFields.passed(of: head, isSigned: true)
        #expect(!signed.contains(.signature) && signed.contains(.authorization))
    }

    @Test(arguments: [
        ("a=1", "a=1; Path=/p"), ("a=1;", "a=1; Path=/p"),
        ("a=1; PATH=/ ; domain=x;Secure", "a=1; Secure; Path=/p"),
        ("path=1; Domain", "path=1; Path=/p"), ("; Path=/", "; Path=/p"),
        ("a=\"x;Path=/\"", "a=\"x; Path=/p"),
    ]) func `a cookie is confined`(value: String, expected: String) {
        let confined = SetCookie.confined(Array(value.utf8)[...], to: "/p")
        #expect(String(decoding: confined, as: UTF8.self) == expected)
    }
}
