import Base
import Storage
import Support
import Testing

@testable import Eta

/// The schema after all migrations is the one that is written down; the difference is the review.
struct SchemaTests {
    @Test func `the schema is that of Contract/eta-schema.sql`() throws {
        let folder = TemporaryFolder()
        let database = try Database.open(
            path: folder.path + "/eta.sqlite", migrations: EtaMigration.self, ambient: .silent())
        try GoldenFile.expect(
            try database.schema(), at: "Tests/UnitTests/Contract/eta-schema.sql")
    }
}
