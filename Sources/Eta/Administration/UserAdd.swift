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
            CommandOption(
                "password-file", value: "FILE",
                help: "The file whose first line is the password, - for standard input; without "
                    + "it one is made and printed"),
            CommandOption("admin", help: "Make it an administrator"),
        ],
        help: "Makes an account", run: run)

    private static func run(_ launch: Launch) async throws {
        let settings = try EtaSettings(launch.config)
        let database = try Administration.database(launch)
        let name: Username = try Administration.argument(0, launch)
        let (clock, random) = (launch.ambient.clock, launch.ambient.random)
        let file = launch.invocation.option("password-file")
        let text = try file.map(readPassword) ?? Base64.encodeURL(random.bytes(15))
        guard let password = Password(text) else {
            throw ConfigError.usage("the password is not \(Password.expectation)")
        }
        var tags = settings.defaultTags.tags
        if launch.invocation.flag("admin") { tags.append(.admin) }
        guard let tags = TagSet(tags) else {
            throw ConfigError.refused(
                EtaSettings.defaultTags, in: launch.config, accepted: "fewer tags")
        }
        let hash = PasswordHash.make(password.secret, logN: settings.logN)
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
                "password": file == nil ? .string(text) : .null,
            ])
        } else {
            launch.answer("\(name) is \(id)")
            if file == nil { launch.answer("password: \(text)") }
        }
    }

    /// The first line of standard input, or what a file holds that only its owner may read.
    private static func readPassword(_ file: String) throws -> String {
        if file == "-" {
            guard let line = readLine() else {
                throw ConfigError.usage("--password-file: standard input is empty")
            }
            return line
        }
        guard let secret = try KeyFiles.read(file, setting: "--password-file") else {
            throw ConfigError.usage("--password-file: there is no file \(file)")
        }
        let text = String(decoding: secret.reveal(), as: UTF8.self)
        return String(text.prefix { $0 != "\n" && $0 != "\r\n" })
    }
}
