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

    // MARK: What pages name

    /// What a page of the documentation names and is not there: the files and the headings that it
    /// links to, paths in back-quotes that begin at one of the project's folders, and Swift files,
    /// which may be told by the end of their path. What stands in a block of code is an example.
    static func missingTargets(
        in page: Source, files: [String], exists: (String) -> Bool,
        anchors: (String) -> Set<String>
    ) -> [Finding] {
        var found: [Finding] = []
        let folder = page.path.split(separator: "/").dropLast().map(String.init)
        let links = #"\]\(\s*<?([^)>\s]+)"#
        let paths = #"`(?:\./)?((?:Sources|Tests|cluster|docs)/[^`\s]*|[^`\s]+\.swift(?=`))"#
        for (line, text) in proseParts(of: page.lines) {
            func miss(_ name: String, _ remedy: String) {
                found.append(
                    Finding(path: page.path, line: line, rule: name, remedy: remedy))
            }
            for link in matches(of: links, in: text) where !link.contains("://") {
                let parts = link.split(
                    separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
                let target = parts[0].isEmpty ? page.path : resolve(String(parts[0]), from: folder)
                guard let target, exists(target) else {
                    miss(link, "link to a file of the project")
                    continue
                }
                if parts.count > 1, !anchors(target).contains(String(parts[1])) {
                    miss(link, "link to a heading of \(target)")
                }
            }
            for path in matches(of: paths, in: text) {
                // A name to fill in, `docs/design/decisions/NNNN-title.md`, or a choice of several.
                if path.contains(where: { "<>*{…".contains($0) }) { continue }
                if exists(path) || files.contains(where: { "/\($0)".hasSuffix("/\(path)") }) {
                    continue
                }
                miss(path, "name a file of the project")
            }
        }
        return found
    }

    /// The headings of a page as a link names them: `## How it goes` is `how-it-goes`.
    static func anchors(of lines: [Substring]) -> Set<String> {
        Set(
            proseLines(of: lines).compactMap { line in
                guard line.text.hasPrefix("#") else { return nil }
                let title = line.text.drop { $0 == "#" }.drop { $0 == " " }.lowercased()
                return String(
                    title.compactMap { character -> Character? in
                        if character == " " { return "-" }
                        let isKept = character.isLetter || character.isNumber || character == "-"
                        return isKept || character == "_" ? character : nil
                    })
            })
    }

    /// The lines outside of blocks of code, with their numbers.
    private static func proseLines(of lines: [Substring]) -> [(number: Int, text: String)] {
        var isInBlock = false
        var kept: [(Int, String)] = []
        for (index, line) in lines.enumerated() {
            if line.hasPrefix("```") { isInBlock.toggle() }
            if !isInBlock, !line.hasPrefix("    ") { kept.append((index + 1, String(line))) }
        }
        return kept
    }

    /// Those lines in paragraphs, for a link may break in two.
    private static func proseParts(of lines: [Substring]) -> [(number: Int, text: String)] {
        var parts: [(number: Int, text: String)] = []
        var last = 0
        for (number, text) in proseLines(of: lines) {
            if number == last + 1, !text.isEmpty, !parts.isEmpty, !text.hasPrefix("|") {
                parts[parts.count - 1].text += "\n" + text
            } else {
                parts.append((number, text))
            }
            last = number
        }
        return parts
    }

    private static func matches(of pattern: String, in text: String) -> [String] {
        guard let expression = try? NSRegularExpression(pattern: pattern) else { return [] }
        return expression.matches(in: text, range: NSRange(text.startIndex..., in: text))
            .compactMap { Range($0.range(at: 1), in: text).map { String(text[$0]) } }
    }

    /// A relative path from a folder; nil where it leaves the project.
    private static func resolve(_ path: String, from folder: [String]) -> String? {
        var parts = folder
        for part in path.split(separator: "/") where part != "." {
            if part != ".." {
                parts.append(String(part))
            } else if parts.popLast() == nil {
                return nil
            }
        }
        return parts.joined(separator: "/")
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

    /// The paths of all Swift files below a folder of the project, or of those that end otherwise.
    static func paths(below folder: String, ending: String = ".swift") throws -> [String] {
        try FileManager.default.subpathsOfDirectory(
            atPath: root.appendingPathComponent(folder).path
        ).filter { $0.hasSuffix(ending) }.sorted().map { "\(folder)/\($0)" }
    }

    /// Those files.
    static func sources(below folder: String, ending: String = ".swift") throws -> [Source] {
        try paths(below: folder, ending: ending).map(source)
    }

    /// One file of the project.
    static func source(_ path: String) throws -> Source {
        Source(
            path: path,
            text: try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8))
    }
}
