import Foundation

/// A table of the contract, written once by hand from its pages, that the code is compared with.
public struct ContractTable: Sendable {
    /// The names in the first line.
    public let columns: [String]
    /// The lines after it, by column.
    public let rows: [[String: String]]

    /// Reads `Tests/UnitTests/Contract/<name>.tsv`.
    public init(_ name: String) throws {
        // Foundation reads the file; the tests have no need of a faster way.
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("UnitTests/Contract")
        let text = try String(
            contentsOf: folder.appendingPathComponent("\(name).tsv"), encoding: .utf8)
        let lines = text.split(separator: "\n").map {
            $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        }
        guard let columns = lines.first else { throw CocoaError(.fileReadCorruptFile) }
        self.columns = columns
        rows = try lines.dropFirst().map { line in
            guard line.count == columns.count else { throw CocoaError(.fileReadCorruptFile) }
            return Dictionary(uniqueKeysWithValues: zip(columns, line))
        }
    }
}
