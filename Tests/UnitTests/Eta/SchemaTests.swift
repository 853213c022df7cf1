import Base
import Foundation
import Storage
import Testing

@testable import Eta

/// The schema after all migrations is the one that is written down; the difference is the review.
struct SchemaTests {
    @Test func `the schema is that of Contract/eta-schema.sql`() throws {
        let folder = TemporaryFolder()
        let database = try Database.open(
            path: folder.path + "/eta.sqlite", migrations: EtaMigration.self, ambient: .silent())
        let schema = try database.schema()
        // Foundation reads and writes the golden file.
        let golden = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Contract/eta-schema.sql")
        if ProcessInfo.processInfo.environment["GOLDEN"] == "update" {
            try schema.write(to: golden, atomically: true, encoding: .utf8)
        }
        #expect(try String(contentsOf: golden, encoding: .utf8) == schema)
    }
}
