import Base
import Crypto
import Domain
import Runtime
import Storage

/// `eta user add NAME`: an account made by the operator.
enum UserAdd {
    static let subcommand = Subcommand(
        "user add", arguments: ["NAME"],
        options: [
            NewPassword.option, CommandOption("admin", help: "Make it an administrator"),
        ],
        help: "Makes an account", run: run)

    private static func run(_ launch: Launch) async throws {
        let settings = try EtaSettings(launch.config)
        let database = try Administration.database(launch)
        let name: Username = try Administration.argument(0, launch)
        let (clock, random) = (launch.ambient.clock, launch.ambient.random)
        let password = try NewPassword.read(launch)
        var tags = settings.defaultTags.tags
        if launch.invocation.flag("admin") { tags.append(.admin) }
        guard let tags = TagSet(tags) else {
            throw ConfigError.refused(
                EtaSettings.defaultTags, in: launch.config, accepted: "fewer tags")
        }
        let hash = PasswordHash.make(password.value.secret, logN: settings.logN)
        let id = UserID.make(clock: clock, random: random)
        let now = clock.timestamp()
        try await Administration.attempt("user add") { () async throws(APIError) in
            try await database.write { (transaction) throws(APIError) in
                try UserStore.insert(
                    id, username: name, displayname: nil, email: nil, password: hash, tags: tags,
                    at: now, transaction)
            }
        }
        if launch.invocation.json {
            launch.answer(json: [
                "id": .string(id.text), "username": .string(name.text),
                "tags": .array(tags.tags.map { .string($0.text) }),
                "password": password.isMade ? .string(password.text) : .null,
            ])
        } else {
            launch.answer("\(name) is \(id)")
            if password.isMade { launch.answer("password: \(password.text)") }
        }
    }
}
