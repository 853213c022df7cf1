import Base
import Domain
import Runtime
import Storage

/// What `eta` can do besides running. Each opens the database beside an Eta that may run: SQLite's
/// log lets one process write while others read, and makes two writers take turns.
enum Administration {
    /// All of them.
    static let subcommands =
        [
            UserAdd.subcommand, UserTag.subcommand, ResetPassword.subcommand, InsAdd.subcommand,
            InsList.subcommand, KeysShow.subcommand, Backup.subcommand, Restore.subcommand,
            Check.subcommand, Doctor.subcommand,
        ] + Invites.subcommands

    /// The database of the data folder that is set.
    static func database(_ launch: Launch) throws -> Database {
        let settings = try EtaSettings(launch.config)
        try DataFolder.requireNode(settings, launch)
        return try DataFolder.database(settings, launch.ambient)
    }

    /// A word of the command line as a value.
    static func argument<Value: TextScalar>(_ index: Int, _ launch: Launch) throws -> Value {
        let text = launch.invocation.arguments[index]
        guard let value = Value(text) else {
            throw ConfigError.usage("\"\(text)\" is not \(Value.expectation)")
        }
        return value
    }

    /// Runs a write; what it refuses becomes one line.
    static func attempt<Answer: Sendable>(
        _ what: String, _ work: () async throws(APIError) -> Answer
    ) async throws -> Answer {
        do throws(APIError) {
            return try await work()
        } catch {
            if let problem = error.details.first {
                throw ConfigError.usage("\(what): \(problem.field) \(problem.message)")
            }
            throw Fault(
                "\(what): \(error.context.isEmpty ? error.code.message : error.context)",
                remedy: "see what is wrong and try again")
        }
    }
}
