import Base
import Domain
import Testing

@testable import Federation

/// Protects: figures tell how other nodes fare, and nobody can fill them with made-up ones.
struct PeerFiguresTests {
    @Test func `only nodes that were found have a name, and only so many`() throws {
        let metrics = Metrics()
        let figures = PeerFigures(metrics)
        let known = try #require(ServerAddress("b.example"))
        figures.count("not_found", known)
        figures.found(known)
        figures.count("answered", known)
        figures.count("answered", known)
        for number in 0..<2_000 {
            figures.found(try #require(ServerAddress("n\(number).example")))
        }
        let lines = metrics.render().split(separator: "\n")
        let name = "reileta_peer_requests_total"
        #expect(lines.contains(#"\#(name){peer="other",outcome="not_found"} 1"#))
        #expect(lines.contains(#"\#(name){peer="b.example",outcome="answered"} 2"#))
        #expect(lines.contains(#"\#(name){peer="other",outcome="found"} 1001"#))
        #expect(lines.count == 2 + 1_000 + 3)
    }
}
