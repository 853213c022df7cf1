import Base
import Domain
import Runtime
import Storage

/// `eta ins list`: which instance servers have a credential.
enum InsList {
    static let subcommand = Subcommand(
        "ins list", help: "Lists the credentials of instance servers", run: run)

    private static func run(_ launch: Launch) async throws {
        let database = try Administration.database(launch)
        let rows = try await Administration.attempt("ins list") { () async throws(APIError) in
            try database.read { (reader) throws(APIError) in try InsStore.all(reader) }
        }
        if launch.invocation.json {
            return launch.answer(
                json: .array(
                    rows.map { row in
                        [
                            "name": .string(row.name.text),
                            "created_at": .integer(row.createdAt.milliseconds),
                        ]
                    }))
        }
        for row in rows { launch.answer(row.name.text) }
    }
}
