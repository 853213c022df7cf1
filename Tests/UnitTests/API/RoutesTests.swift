import API
import HTTP
import Testing

/// Protects: one path means one endpoint, literals win, and whatever is asked finds its way back.
struct RoutesTests {
    private func routes(_ templates: [String]) -> (Routes, [String]) {
        var routes = Routes()
        for template in templates { _ = routes.insert(template) }
        return (routes, templates)
    }

    private func match(
        _ path: String, in known: (Routes, [String])
    ) -> (template: String, captures: [String])? {
        let bytes = Array(path.utf8)
        guard let found = known.0.match(bytes[...]) else { return nil }
        return (
            known.1[found.template],
            found.captures.map { String(decoding: bytes[$0], as: UTF8.self) }
        )
    }

    @Test func `a literal wins over a capture and a dead end goes back to the capture`() {
        let known = routes([
            "/api/users/:id", "/api/users/:id/home", "/api/users/@me/export",
        ])
        #expect(match("/api/users/@me/export", in: known)?.captures == [])
        #expect(match("/api/users/@me/home", in: known)?.captures == ["@me"])
        #expect(match("/api/users/ada", in: known)?.captures == ["ada"])
        #expect(match("/api/users/ada/export", in: known) == nil)
    }

    @Test func `a beginning with a capture behind it is told from the bare literal`() {
        let known = routes(["/api/server", "/api/server@:server"])
        #expect(match("/api/server", in: known)?.template == "/api/server")
        #expect(match("/api/server@b.example", in: known)?.captures == ["b.example"])
        #expect(match("/api/server@", in: known) == nil)
    }

    @Test func `an open end takes whatever is left, and everything else comes before it`() {
        let known = routes(["/services/:id/…", "/services/:id/own", "/api/time"])
        for path in ["/services/a", "/services/a/", "/services/a/b", "/services/a/b//c/../d"] {
            #expect(match(path, in: known)?.template == "/services/:id/…", "\(path)")
            #expect(match(path, in: known)?.captures == ["a"], "\(path)")
        }
        #expect(match("/services/a/own", in: known)?.template == "/services/:id/own")
        #expect(match("/services/a/own/er", in: known)?.template == "/services/:id/…")
        for path in ["/services", "/services/", "/services//x", "/servicesx/a/b", "/api/time/x"] {
            #expect(match(path, in: known) == nil, "\(path)")
        }
    }

    @Test func `another spelling leads to the same template, and moves no other`() {
        var known = routes(["/api/challenges/:id", "/api/time"])
        known.0.alias("/api/chalnges/:id", of: "/api/challenges/:id")
        #expect(match("/api/chalnges/c", in: known)?.template == "/api/challenges/:id")
        #expect(match("/api/chalnges/c", in: known)?.captures == ["c"])
        #expect(known.0.insert("/api/ins") == 2 && known.0.insert("/api/time") == 1)
        #expect(match("/api/chalnges", in: known) == nil)
    }

    @Test(arguments: ["", "/", "api/time", "/api/time/", "/api//time", "/api/users/", "/api/Time"])
    func `what no template means is found by none`(path: String) {
        let known = routes(["/api/time", "/api/users/:id"])
        #expect(match(path, in: known) == nil)
    }

    @Test func `every public endpoint is found by a path of its template`() {
        let templates =
            (AllEndpoints.all + AllEndpoints.ofEveryMethod).map(\.template)
        var routes = Routes()
        var indexes: [String: Int] = [:]
        for template in templates { indexes[template] = routes.insert(template) }
        for template in templates {
            let path = template.split(separator: "/").map { part -> String in
                guard let colon = part.firstIndex(of: ":") else { return String(part) }
                return part[..<colon] + "value"
            }.joined(separator: "/")
            #expect(routes.match(Array("/\(path)".utf8)[...])?.template == indexes[template])
        }
    }
}
