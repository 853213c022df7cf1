import Base
import Domain
import Runtime

/// `eta ins add NAME`: a credential for one more Ins of the pool.
enum InsAdd {
    static let subcommand = Subcommand(
        "ins add", arguments: ["NAME"],
        options: [
            CommandOption(
                "out", value: "FILE",
                help: "Write the credential to a new file that only this user may read")
        ],
        help: "Makes the credential of an instance server; it is shown this once", run: run)

    private static func run(_ launch: Launch) async throws {
        let database = try Administration.database(launch)
        let name: InsName = try Administration.argument(0, launch)
        let token = InsToken.make(random: launch.ambient.random)
        let now = launch.ambient.clock.timestamp()
        let file = launch.invocation.option("out")
        let isMade = try await Administration.attempt("ins add") { () async throws(APIError) in
            try await InsStore.add(name, token, at: now, to: database)
        }
        guard isMade else {
            throw ConfigError.usage("ins add: \(name) has a credential already; take another name")
        }
        if let file {
            guard try KeyFiles.create(file, token.secret, setting: "--out") else {
                try await Administration.attempt("ins add") { () async throws(APIError) in
                    try await InsStore.remove(name, from: database)
                }
                throw ConfigError.usage("--out: \(file) is there already; give a new file")
            }
        }
        if launch.invocation.json {
            launch.answer(json: [
                "name": .string(name.text),
                "credential": file == nil ? .string(token.text) : .null,
                "file": file.map { .string($0) } ?? .null,
            ])
        } else {
            launch.answer(file.map { "the credential of \(name) is in \($0)" } ?? token.text)
        }
    }
}
