import Foundation
import Testing

/// The house style, held by a test where a text can decide it.
struct TidyTests {
    private func exists(_ page: String) -> Bool {
        FileManager.default.fileExists(atPath: Tidy.root.appendingPathComponent(page).path)
    }

    @Test func `nothing that is banned is written`() throws {
        let found = try Tidy.sources(below: "Sources").flatMap { Tidy.banned(in: $0) }
        #expect(found.isEmpty, "\(found.map(\.description).joined(separator: "\n"))")
    }

    @Test func `what is excused is needed`() throws {
        for key in Tidy.excused.keys {
            let path = String(key.prefix { $0 != " " })
            #expect(exists(path), "\(path) is gone: take it off the list")
        }
    }

    @Test func `imports follow the layers`() throws {
        let found = try Tidy.sources(below: "Sources").flatMap { Tidy.misplacedImports(in: $0) }
        #expect(found.isEmpty, "\(found.map(\.description).joined(separator: "\n"))")
    }

    @Test func `every page that is cited exists`() throws {
        let found = try (Tidy.sources(below: "Sources") + Tidy.sources(below: "Tests"))
            .filter { !$0.path.hasPrefix("Tests/UnitTests/Tidy/") }
            .flatMap { Tidy.missingPages(in: $0, exists: exists) }
        #expect(found.isEmpty, "\(found.map(\.description).joined(separator: "\n"))")
    }

    @Test func `every file that a page of the documentation names exists`() throws {
        let pages =
            try Tidy.sources(below: "docs", ending: ".md") + [
                Tidy.source("README.md"), Tidy.source("CHANGELOG.md"),
            ]
        let files = try ["Sources", "Tests", "cluster"].flatMap { try Tidy.paths(below: $0) }
        let found = pages.flatMap { page in
            Tidy.missingTargets(in: page, files: files, exists: exists) { path in
                (try? Tidy.source(path)).map { Tidy.anchors(of: $0.lines) } ?? []
            }
        }
        #expect(found.isEmpty, "\(found.map(\.description).joined(separator: "\n"))")
    }

    /// Taste, not law: it is said and never fails.
    @Test func `sizes are told`() throws {
        let sources = try Tidy.sources(below: "Sources")
        let sizes = sources.map(\.lines.count).sorted()
        let long = sources.filter { $0.lines.count > 500 }
            .map { "\($0.path) \($0.lines.count)" }
        print(
            "tidy: \(sources.count) files, \(sizes.reduce(0, +)) lines, median "
                + "\(sizes[sizes.count / 2]); over 500 lines: "
                + (long.isEmpty ? "none" : long.joined(separator: ", ")))
        #expect(!sources.isEmpty)
    }

    /// Each rule finds what it is there for, and nothing in comments and texts.
    @Test(arguments: [
        ("let now = Date()", "Date("), ("try await Task.sleep(for: .seconds(1))", "Task.sleep"),
        ("let id = UUID()", "UUID("), ("Int.random(in: 0..<3)", ".random("),
        ("JSONDecoder().decode", "JSONDecoder"), ("let m = Mutex(0)", "Mutex"),
        ("print(1)", "print("), ("let x = try! f()", "try!"), ("x as! Y", "as!"),
        ("fatalError()", "fatalError"), ("DispatchQueue.main", "Dispatch"),
        ("Task { await f() }", "Task {"), ("let a: [String: Any]", "[String: Any]"),
        ("    default: break", "default:"), ("import Foundation", "Foundation"),
        ("// TODO later", "TODO"), ("// MARK: part", "MARK"),
    ]) func `each ban finds what it bans`(line: String, rule: String) {
        func rules(_ text: String) -> [String] {
            Tidy.banned(in: Tidy.Source(path: "Sources/Shared/Net/A.swift", text: text)).map(\.rule)
        }
        #expect(rules(line) == [rule])
        if !line.hasPrefix("//") {
            #expect(rules("// " + line).isEmpty)
            #expect(rules("let text = \"\(line)\"").isEmpty)
            #expect(rules("let text = \"\"\"\n\(line)\n\"\"\"").isEmpty)
        }
    }

    @Test func `an import against the direction is found`() {
        let source = Tidy.Source(
            path: "Sources/Shared/HTTP/A.swift", text: "import Base\nimport Net\n")
        #expect(Tidy.misplacedImports(in: source).map(\.rule) == ["import Net"])
    }

    @Test func `a page that is not there is found`() {
        let source = Tidy.Source(
            path: "Sources/Eta/A.swift", text: "/// docs/nowhere.md and docs/federation §4")
        let found = Tidy.missingPages(in: source) { $0 == "docs/federation" }
        #expect(found.map(\.rule) == ["docs/nowhere.md"])
    }

    @Test func `what a page names and is not there is found`() {
        let page = Tidy.Source(
            path: "docs/operate/A.md",
            text: """
                # How it *goes*, in 2 steps
                [here](#how-it-goes-in-2-steps), [there](../client/B.md#what) and [a long
                one](C.md), [out](https://example.org/x.md), [not here](#when) and [too
                far](../../../D.md); `cluster/run`, `Sources/Eta/E.swift`, `cluster/run demo`,
                `docs/<page>.md`, `Eta/F.swift`, `J.swift`, `./cluster/no --help`, `K/J.swift`.

                | [a](C.md) | `Tests/G.swift` |

                    [no link](H.md)
                ```
                `Sources/I.swift`
                ```
                """)
        let found = Tidy.missingTargets(
            in: page, files: ["Sources/Eta/J.swift"],
            exists: { ["docs/operate/A.md", "docs/client/B.md", "cluster/run"].contains($0) },
            anchors: { $0 == page.path ? Tidy.anchors(of: page.lines) : [] })
        #expect(
            found.map(\.rule) == [
                "../client/B.md#what", "C.md", "#when", "../../../D.md", "Sources/Eta/E.swift",
                "Eta/F.swift", "cluster/no", "K/J.swift", "C.md", "Tests/G.swift",
            ])
    }
}
