import Base
import Domain
import Runtime
import Storage

/// `eta invite`: codes with which an account can be opened where `users.registration` is `invite`.
enum Invites {
    static let subcommands = [create, list, revoke]

    /// Days that an invitation counts, unless told otherwise.
    private static let standardDays = 7
    private static let mostDays = 3_650
    private static let mostUses = 100_000

    private static let create = Subcommand(
        "invite create",
        options: [
            CommandOption("uses", value: "N", help: "How many accounts it opens; 1 without"),
            CommandOption(
                "days", value: "N", help: "For how many days; \(standardDays) without"),
        ],
        help: "Makes a code that opens accounts; it is shown this once", run: create)

    private static let list = Subcommand(
        "invite list", help: "Lists the invitations, without their codes", run: list)

    private static let revoke = Subcommand(
        "invite revoke", arguments: ["ID"],
        help: "Takes an invitation back; who has come by it stays", run: revoke)

    private static func create(_ launch: Launch) async throws {
        let database = try Administration.database(launch)
        let uses = try number("uses", 1, upTo: mostUses, launch)
        let days = try number("days", standardDays, upTo: mostDays, launch)
        let random = launch.ambient.random
        let (id, code) = (Hex.encode(random.bytes(4)), Base64.encodeURL(random.bytes(16)))
        let now = launch.ambient.clock.timestamp()
        let expiry = now + .seconds(days * 24 * 3_600)
        try await Administration.attempt("invite create") { () async throws(APIError) in
            try await database.write { (transaction) throws(APIError) in
                try InviteStore.insert(
                    id, code: code, uses: uses, until: expiry, at: now, transaction)
            }
        }
        if launch.invocation.json {
            launch.answer(json: [
                "id": .string(id), "code": .string(code), "uses": .integer(Int64(uses)),
                "expires_at": .integer(expiry.milliseconds),
            ])
        } else {
            let accounts = uses == 1 ? "one account" : "\(uses) accounts"
            launch.answer("invitation \(id) opens \(accounts) within \(days) days")
            launch.answer("code: \(code)")
        }
    }

    private static func list(_ launch: Launch) async throws {
        let database = try Administration.database(launch)
        let now = launch.ambient.clock.timestamp()
        let rows = try await Administration.attempt("invite list") { () async throws(APIError) in
            try database.read { (reader) throws(APIError) in try InviteStore.all(reader) }
        }
        if launch.invocation.json {
            return launch.answer(
                json: .array(
                    rows.map { row in
                        [
                            "id": .string(row.id), "uses": .integer(Int64(row.uses)),
                            "used": .integer(Int64(row.used)),
                            "expires_at": .integer(row.expiresAt.milliseconds),
                            "created_at": .integer(row.createdAt.milliseconds),
                        ]
                    }))
        }
        for row in rows {
            let left = max(0, (row.expiresAt.milliseconds - now.milliseconds) / 3_600_000)
            let state = left > 0 ? "\(left / 24) d \(left % 24) h left" : "over"
            launch.answer("\(row.id)  \(row.used) of \(row.uses) used, \(state)")
        }
        if rows.isEmpty { launch.answer("no invitations") }
    }

    private static func revoke(_ launch: Launch) async throws {
        let database = try Administration.database(launch)
        let id = launch.invocation.arguments[0]
        let isThere = try await Administration.attempt("invite revoke") {
            () async throws(APIError) in
            try await database.write { (transaction) throws(APIError) in
                try InviteStore.delete(id, transaction)
            }
        }
        guard isThere else { throw ConfigError.usage("there is no invitation \"\(id)\"") }
        if launch.invocation.json {
            launch.answer(json: ["id": .string(id)])
        } else {
            launch.answer("invitation \(id) opens nothing any more")
        }
    }

    private static func number(
        _ option: String, _ standard: Int, upTo most: Int, _ launch: Launch
    ) throws(ConfigError) -> Int {
        guard let text = launch.invocation.option(option) else { return standard }
        guard let number = Int(text), (1...most).contains(number) else {
            throw .usage("--\(option) is \"\(text)\": give a whole number from 1 to \(most)")
        }
        return number
    }
}
