// Foundation: reads and writes the file.
import Foundation

/// A file of the project that is made by a test: compared with what it would be made as now, and
/// made anew where the environment says `GOLDEN=update`. The diff is the review.
public struct GoldenFile {
    private let url: URL

    /// The file at `path`, from the project's own folder.
    public init(_ path: String) {
        url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent(path)
    }

    /// Whether the file holds `text`; it does once it has been made anew.
    public func holds(_ text: String) throws -> Bool {
        if ProcessInfo.processInfo.environment["GOLDEN"] == "update" {
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try Data(text.utf8).write(to: url)
        }
        return try String(contentsOf: url, encoding: .utf8) == text
    }
}
