import Base
import Domain
import Runtime
import Storage

/// `eta user tag NAME TAG…`: rights and marks of an account. An Eta that runs tells its Reil within
/// a second.
enum UserTag {
    static let subcommand = Subcommand(
        "user tag", arguments: ["NAME", "TAG"] + Array(repeating: "[TAG]", count: 9),
        options: [CommandOption("remove", help: "Take the tags away")],
        help: "Gives an account tags, such as avr:admin", run: run)

    private static func run(_ launch: Launch) async throws {
        let database = try Administration.database(launch)
        let name: Username = try Administration.argument(0, launch)
        let removes = launch.invocation.flag("remove")
        var tags: [Tag] = []
        for index in launch.invocation.arguments.indices.dropFirst() {
            let tag: Tag = try Administration.argument(index, launch)
            guard TagRules.user.knows(tag) else {
                let known = TagRules.user.known.map(\.text).joined(separator: ", ")
                throw ConfigError.usage("\(tag) is no tag of users; there are \(known)")
            }
            tags.append(tag)
        }
        let (wanted, now) = (tags, launch.ambient.clock.timestamp())
        let kept = try await Administration.attempt("user tag") { () async throws(APIError) in
            try await database.write { (transaction) throws(APIError) in
                try change(name, by: wanted, removes, now, transaction)
            }
        }
        if launch.invocation.json {
            launch.answer(json: [
                "username": .string(name.text),
                "tags": .array(kept.tags.map { .string($0.text) }),
            ])
        } else {
            let all = kept.tags.map(\.text).joined(separator: " ")
            launch.answer("\(name) has \(all.isEmpty ? "no tags" : all)")
        }
    }

    private static func change(
        _ name: Username, by tags: [Tag], _ removes: Bool, _ now: Timestamp,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) -> TagSet {
        guard var user = try UserStore.find(name, transaction.reader), user.password != nil else {
            throw APIError(.userNotFound, field: name.text, "is nobody's name here")
        }
        let old = try UserStore.tags(user.id, transaction.reader)
        let new = removes ? old.tags.filter { !tags.contains($0) } : old.tags + tags
        guard let kept = TagSet(new) else {
            throw APIError(.userInvalidInput, field: "tags", "must be \(TagSet.expectation)")
        }
        let wasAdministered = try UserStore.isAdministered(transaction.reader)
        try UserStore.setTags(kept, of: user.id, transaction)
        if wasAdministered, try !UserStore.isAdministered(transaction.reader) {
            throw APIError(
                .userDontHavePermission, field: name.text,
                "is the last administrator; make another one first")
        }
        user.updatedAt = now
        try UserStore.update(user, transaction)
        // Also where the tag is taken away again before Eta has seen it.
        let isDisabled = kept.contains(.disabled) && !old.contains(.disabled)
        try OutsideChanges.note(user.id, endsLogins: isDisabled, transaction)
        return kept
    }
}
