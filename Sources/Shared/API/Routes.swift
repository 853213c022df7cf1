import Base
import HTTP

/// Path templates as a trie over segments. A literal wins over a capture, and both over `…`, the
/// last part of a template, which means whatever is left, also nothing; two templates that one path
/// could mean are refused when the trie is built.
public struct Routes: Sendable {
    /// What a path leads to.
    public struct Match: Sendable {
        /// The index of the template among those inserted.
        public let template: Int
        /// Where the captures stand in the path's bytes.
        public let captures: [Range<Int>]
    }

    private struct TrieSegment: Sendable {
        var literals: [(text: [UInt8], next: Int)] = []
        /// `server@:server`: a literal beginning, then a capture.
        var prefixes: [(text: [UInt8], next: Int)] = []
        var capture: Int?
        var template: Int?
        /// The template whose last part is `…` here.
        var rest: Int?
    }

    private var segments = [TrieSegment()]
    private var templates: [String: Int] = [:]
    private var count = 0

    /// No route.
    public init() {}

    /// Adds a template, or finds the one that is there.
    public mutating func insert(_ template: String) -> Int {
        if let known = templates[template] { return known }
        defer { count += 1 }
        place(template, count)
        return count
    }

    /// Adds another spelling of a template that is there, with the same captures.
    public mutating func alias(_ template: String, of original: String) {
        guard let index = templates[original] else {
            preconditionFailure("\(template) is another spelling of nothing")
        }
        place(template, index)
    }

    private mutating func place(_ template: String, _ index: Int) {
        var at = 0
        let isOpen = template.hasSuffix(Self.open)
        for part in template.utf8.dropFirst().dropLast(isOpen ? Self.open.utf8.count : 0).split(
            separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        {
            at = step(from: at, Array(part))
        }
        let end = isOpen ? \TrieSegment.rest : \TrieSegment.template
        precondition(
            segments[at][keyPath: end] == nil,
            "\(template) means the same paths as another template")
        templates[template] = index
        segments[at][keyPath: end] = index
    }

    private static let open = "/…"

    private mutating func step(from at: Int, _ part: [UInt8]) -> Int {
        guard let colon = part.firstIndex(of: UInt8(ascii: ":")) else {
            if let known = segments[at].literals.first(where: { $0.text == part }) {
                return known.next
            }
            segments.append(TrieSegment())
            segments[at].literals.append((part, segments.count - 1))
            return segments.count - 1
        }
        if colon == 0 {
            if let known = segments[at].capture { return known }
            segments.append(TrieSegment())
            segments[at].capture = segments.count - 1
            return segments.count - 1
        }
        let prefix = Array(part[..<colon])
        if let known = segments[at].prefixes.first(where: { $0.text == prefix }) {
            return known.next
        }
        segments.append(TrieSegment())
        segments[at].prefixes.append((prefix, segments.count - 1))
        return segments.count - 1
    }

    /// The template that `path` (from its `/`, without query) belongs to.
    public func match(_ path: ArraySlice<UInt8>) -> Match? {
        guard path.first == UInt8(ascii: "/") else { return nil }
        var captures: [Range<Int>] = []
        guard let template = walk(from: 0, path, path.startIndex + 1, &captures) else {
            return nil
        }
        return Match(template: template, captures: captures)
    }

    /// Literals first; where one leads nowhere (`/api/users/@me/home` beside `@me/export`), back
    /// and on by the capture. As deep as the longest template, whatever the path.
    private func walk(
        from at: Int, _ path: ArraySlice<UInt8>, _ start: Int, _ captures: inout [Range<Int>]
    ) -> Int? {
        var end = start
        while end < path.endIndex, path[end] != UInt8(ascii: "/") { end += 1 }
        let range = start..<end
        for literal in segments[at].literals where Self.equal(path, range, literal.text) {
            if let found = step(to: literal.next, path, end, &captures) { return found }
        }
        for prefix in segments[at].prefixes where range.count > prefix.text.count {
            let cut = start + prefix.text.count
            guard Self.equal(path, start..<cut, prefix.text) else { continue }
            captures.append(cut..<end)
            if let found = step(to: prefix.next, path, end, &captures) { return found }
            captures.removeLast()
        }
        if let next = segments[at].capture, !range.isEmpty {
            captures.append(range)
            if let found = step(to: next, path, end, &captures) { return found }
            captures.removeLast()
        }
        return segments[at].rest
    }

    private func step(
        to next: Int, _ path: ArraySlice<UInt8>, _ end: Int, _ captures: inout [Range<Int>]
    ) -> Int? {
        end == path.endIndex
            ? segments[next].template ?? segments[next].rest
            : walk(from: next, path, end + 1, &captures)
    }

    private static func equal(
        _ path: ArraySlice<UInt8>, _ range: Range<Int>, _ text: [UInt8]
    ) -> Bool {
        guard range.count == text.count else { return false }
        var index = range.lowerBound
        for byte in text {
            if path[index] != byte { return false }
            index += 1
        }
        return true
    }
}
