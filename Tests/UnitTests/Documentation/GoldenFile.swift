import Foundation
import Testing

enum GoldenFile {
    /// Expects the file at `path`, from the project's folder, to hold `text`; with GOLDEN=update in
    /// the environment it is written instead, and the difference is for the review.
    static func expect(
        _ text: String, at path: String, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        // Foundation reads and writes the file; the tests have no need of a faster way.
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        let file = root.appendingPathComponent(path)
        if ProcessInfo.processInfo.environment["GOLDEN"] == "update" {
            try FileManager.default.createDirectory(
                at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: file)
            return
        }
        let found = (try? String(contentsOf: file, encoding: .utf8)) ?? ""
        if found == text { return }
        let old = found.split(separator: "\n", omittingEmptySubsequences: false)
        let new = text.split(separator: "\n", omittingEmptySubsequences: false)
        let line = zip(old, new).prefix { $0 == $1 }.count
        Issue.record(
            """
            \(path) is not what the code says, from line \(line + 1) on:
            \(line < old.count ? old[line] : "its end")
            should be
            \(line < new.count ? new[line] : "its end")
            Run the tests with GOLDEN=update and look at the difference.
            """, sourceLocation: sourceLocation)
    }
}
