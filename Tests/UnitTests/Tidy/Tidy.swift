// Foundation: reads the project's own sources.
import Foundation

/// The house style as far as a text can decide it, see docs/design/conventions.md. Each rule names
/// what to write instead.
enum Tidy {
    /// A source file.
    struct Source {
        /// Its path from the project's folder.
        let path: String
        /// Its lines.
        let lines: [Substring]
        /// Its lines without comments and texts.
        let code: [String]

        init(path: String, text: String) {
            self.path = path
            lines = text.split(separator: "\n", omittingEmptySubsequences: false)
            code = Tidy.code(of: lines)
        }

        /// The target that it belongs to: `Base`, `Eta`.
        var target: String {
            let parts = path.split(separator: "/").map(String.init)
            return parts[1] == "Shared" ? parts[2] : parts[1]
        }
    }

    /// Something that does not hold.
    struct Finding: Hashable, CustomStringConvertible {
        let path: String
        let line: Int
        let rule: String
        let remedy: String

        var description: String { "\(path):\(line): \(rule): \(remedy)" }
    }

    // MARK: Bans

    /// What is not written, by a pattern, and what is instead.
    static let bans: [(rule: String, pattern: String, remedy: String)] = [
        ("Date(", #"\bDate\("#, "Timestamp, from Ambient's clock"),
        ("ContinuousClock", #"\b(Continuous|Suspending)Clock\b"#, "Instant, from Ambient's clock"),
        ("Task.sleep", #"\bTask\.sleep\b"#, "a timer of the loop"),
        ("UUID(", #"\bUUID\("#, "ID.make, from Ambient"),
        (".random(", #"\.random\(|\bSystemRandomNumberGenerator\b"#, "RandomSource, from Ambient"),
        ("JSONDecoder", #"\bJSON(Decoder|Encoder|Serialization)\b"#, "JSONCoder"),
        ("Mutex", #"\bMutex\b"#, "Lock"),
        ("print(", #"(?<![.\w])(?<!(case|func) )(print|debugPrint|dump|NSLog)\("#, "the log"),
        ("try!", #"\btry!"#, "a typed error"),
        ("as!", #"\bas!"#, "a type that is known"),
        ("fatalError", #"\bfatalError\("#, "precondition, with the state in its message"),
        ("Dispatch", #"\bDispatch\w+|\bNSLock\b|(?<![.\w])Thread\("#, "BlockingPool or a loop"),
        ("Task {", #"\bTask(\.detached)?(\(\w+: [^)]*\))? \{"#, "Task.immediate on the loop"),
        ("[String: Any]", #"\[String: ?Any\]"#, "a type"),
        (
            "default:",
            #"^\s*default:\s*($|(break|return|throw|try|await|true|false|nil)\b|\w+\()"#,
            "the cases, or `case _` over values that are not ours"
        ),
        ("Foundation", #"^import Foundation\b"#, "Base, or a comment in a file of the tests"),
    ]

    /// What is excused, with the reason. This list may only shrink.
    static let excused: [String: String] = [
        "Sources/Shared/Runtime/ProcessMain.swift Task {":
            "the one task that is started from nowhere: all others are its children"
    ]

    static func banned(in source: Source) -> [Finding] {
        var found: [Finding] = []
        for ban in bans {
            guard excused["\(source.path) \(ban.rule)"] == nil,
                let pattern = try? NSRegularExpression(pattern: ban.pattern)
            else { continue }
            for (index, line) in source.code.enumerated() {
                let range = NSRange(line.startIndex..., in: line)
                guard pattern.firstMatch(in: line, range: range) != nil else { continue }
                found.append(
                    Finding(
                        path: source.path, line: index + 1, rule: ban.rule, remedy: ban.remedy))
            }
        }
        for (index, line) in source.lines.enumerated() {
            if line.contains("FIXME") || (line.contains("TODO") && !line.contains("TODO(")) {
                found.append(
                    Finding(
                        path: source.path, line: index + 1, rule: "TODO",
                        remedy: "do it, or write TODO(issue)"))
            }
            if line.contains("// MARK:"), source.lines.count < 200 {
                found.append(
                    Finding(
                        path: source.path, line: index + 1, rule: "MARK",
                        remedy: "a file of that length needs none"))
            }
        }
        return found
    }

    // MARK: Layers

    /// What each target may import of ours and of the system.
    static let layers: [String: Set<String>] = {
        let base: Set = ["Base", "Synchronization"]
        let bottom = base.union(["Crypto", "Domain"])
        let middle = bottom.union(["HTTP"])
        let roles = middle.union(["Net", "API", "Runtime"])
        return [
            "Base": ["Glibc", "Synchronization"],
            "Crypto": base.union(["COpenSSL"]),
            "Domain": base,
            "HTTP": bottom,
            "Storage": bottom.union(["CSQLite", "Glibc"]),
            "Net": middle.union(["CLinux", "Glibc"]),
            "API": middle,
            "Federation": middle.union(["API"]),
            "Runtime": middle.union(["Net", "CLinux", "Glibc"]),
            "Eta": roles.union(["Storage"]),
            "Reil": roles.union(["Federation"]),
            "Ins": roles,
        ]
    }()

    static func misplacedImports(in source: Source) -> [Finding] {
        source.code.enumerated().compactMap { index, line in
            let words = line.split(separator: " ").filter { !$0.hasPrefix("@") }
            guard words.first == "import" || words.dropFirst().first == "import",
                let module = words.last.map(String.init),
                layers[source.target]?.contains(module) != true
            else { return nil }
            return Finding(
                path: source.path, line: index + 1, rule: "import \(module)",
                remedy: "\(source.target) lies below it or beside it")
        }
    }

    // MARK: Cited pages

    /// Pages that comments name, `docs/client/http.md` or `docs/federation §4`, and that are none.
    static func missingPages(in source: Source, exists: (String) -> Bool) -> [Finding] {
        guard let pattern = try? NSRegularExpression(pattern: #"\bdocs/[\w/.-]*\w"#) else {
            return []
        }
        var found: [Finding] = []
        for (index, line) in source.lines.enumerated() {
            let text = String(line)
            for match in pattern.matches(in: text, range: NSRange(text.startIndex..., in: text)) {
                guard let range = Range(match.range, in: text) else { continue }
                let page = String(text[range])
                // A page, or the folder of the pages for one kind of reader.
                if exists(page) { continue }
                found.append(
                    Finding(
                        path: source.path, line: index + 1, rule: page,
                        remedy: "cite a page of the project"))
            }
        }
        return found
    }

    // MARK: Reading

    /// Lines without comments and without what stands in quotes.
    static func code(of lines: [Substring]) -> [String] {
        var isInText = false
        return lines.map { line in
            if isInText {
                if line.contains("\"\"\"") { isInText = false }
                return ""
            }
            var kept = ""
            var isQuoted = false
            var isEscaped = false
            var rest = line
            while let character = rest.first {
                if !isQuoted, rest.hasPrefix("//") { break }
                if !isQuoted, rest.hasPrefix("\"\"\"") {
                    isInText = !rest.dropFirst(3).contains("\"\"\"")
                    break
                }
                rest.removeFirst()
                if isEscaped {
                    isEscaped = false
                } else if isQuoted, character == "\\" {
                    isEscaped = true
                } else if character == "\"" {
                    isQuoted.toggle()
                } else if !isQuoted {
                    kept.append(character)
                }
            }
            return kept
        }
    }

    /// The project's folder.
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// All Swift files below a folder of the project.
    static func sources(below folder: String) throws -> [Source] {
        let names = try FileManager.default.subpathsOfDirectory(
            atPath: root.appendingPathComponent(folder).path)
        return try names.filter { $0.hasSuffix(".swift") }.sorted().map { name in
            let path = "\(folder)/\(name)"
            let text = try String(
                contentsOf: root.appendingPathComponent(path), encoding: .utf8)
            return Source(path: path, text: text)
        }
    }
}
