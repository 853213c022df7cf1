import Base
import Crypto
import Domain
import Runtime
import Storage

/// `eta user reset-password NAME`: for who has lost it. All logins of the account end.
enum ResetPassword {
    static let subcommand = Subcommand(
        "user reset-password", arguments: ["NAME"], options: [NewPassword.option],
        help: "Gives an account a new password, and ends its logins", run: run)

    private static func run(_ launch: Launch) async throws {
        let settings = try EtaSettings(launch.config)
        let database = try Administration.database(launch)
        let name: Username = try Administration.argument(0, launch)
        let password = try NewPassword.read(launch)
        let hash = PasswordHash.make(password.value.secret, logN: settings.logN)
        let now = launch.ambient.clock.timestamp()
        try await Administration.attempt("user reset-password") { () async throws(APIError) in
            try await database.write { (transaction) throws(APIError) in
                guard var user = try UserStore.find(name, transaction.reader),
                    user.password != nil
                else {
                    throw APIError(.userNotFound, field: name.text, "is nobody's name here")
                }
                user.password = hash
                user.updatedAt = now
                try UserStore.update(user, transaction)
                try OutsideChanges.note(user.id, endsLogins: true, transaction)
            }
        }
        if launch.invocation.json {
            launch.answer(json: [
                "username": .string(name.text),
                "password": password.isMade ? .string(password.text) : .null,
            ])
        } else {
            launch.answer("\(name) has a new password, and is logged out everywhere")
            if password.isMade { launch.answer("password: \(password.text)") }
        }
    }
}

/// A password for an account, from a file or made up.
struct NewPassword {
    /// What tells where it comes from.
    static let option = CommandOption(
        "password-file", value: "FILE",
        help: "The file whose first line is the password, - for standard input; without "
            + "it one is made and printed")

    let text: String
    let value: Password
    /// Whether nobody knows it yet.
    let isMade: Bool

    /// Reads it as the command line says.
    static func read(_ launch: Launch) throws -> NewPassword {
        let file = launch.invocation.option("password-file")
        let text = try file.map(read) ?? Base64.encodeURL(launch.ambient.random.bytes(15))
        guard let password = Password(text) else {
            throw ConfigError.usage("the password is not \(Password.expectation)")
        }
        return NewPassword(text: text, value: password, isMade: file == nil)
    }

    /// The first line of standard input, or what a file holds that only its owner may read.
    private static func read(_ file: String) throws -> String {
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
