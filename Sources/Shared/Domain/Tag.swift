import Base

/// `namespace:name`. Those of `avr:` mean something to the server, all others to clients.
public struct Tag: TextScalar, Comparable {
    /// Its one spelling.
    public let text: String

    /// Reads `namespace:name`, each of `a-z`, `0-9` and `_`, together at most 64 characters.
    public init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count == 2, text.utf8.count <= Self.shape.length.upperBound,
            parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(Self.characters.contains) })
        else { return nil }
        self.text = text
    }

    private init(avr name: StaticString) { text = "avr:\(name)" }

    /// Whether the server gives it a meaning, or refuses it.
    public var isReserved: Bool { text.hasPrefix("avr:") }

    /// By spelling.
    public static func < (a: Tag, b: Tag) -> Bool { a.text < b.text }

    /// `^[a-z0-9_]+:[a-z0-9_]+$`
    public static let shape = TextShape(
        3...64, .own, pattern: "^[a-z0-9_]+:[a-z0-9_]+$",
        expectation: "namespace:name in lower-case letters, digits and underscores,"
            + " at most 64 characters",
        sample: "game:chess")
    private static let characters = ASCIISet.lower + .digits + ASCIISet("_")

    /// May do what the operator may.
    public static let admin = Tag(avr: "admin")
    /// An automated client.
    public static let bot = Tag(avr: "bot")
    /// May not log in.
    public static let disabled = Tag(avr: "disabled")
    /// May register services.
    public static let serviceCreator = Tag(avr: "service_creator")
    /// May create worlds.
    public static let worldCreator = Tag(avr: "world_creator")
    /// May create instances, and lend an Ins.
    public static let instanceCreator = Tag(avr: "instance_creator")
    /// May read from other nodes and visit them.
    public static let fetchExternal = Tag(avr: "fetch_external")
    /// Seen by everybody.
    public static let `public` = Tag(avr: "public")
    /// Seen by its own people alone.
    public static let `private` = Tag(avr: "private")
    /// Not finished.
    public static let development = Tag(avr: "development")
    /// Finished.
    public static let release = Tag(avr: "release")
    /// The node's own.
    public static let official = Tag(avr: "official")
    /// For friends of the owner or of any member.
    public static let friendsPlus = Tag(avr: "friends_plus")
    /// For friends of the owner or of the master.
    public static let friendsOnly = Tag(avr: "friends_only")
    /// For whom any member invites.
    public static let invitePlus = Tag(avr: "invite_plus")
    /// For whom the owner, a moderator or the master invites.
    public static let inviteOnly = Tag(avr: "invite_only")
    /// Lives on when it is empty.
    public static let permanent = Tag(avr: "permanent")
    /// Ends when its owner leaves.
    public static let killOnOwnerLeave = Tag(avr: "kill_on_owner_leave")
}

/// At most 32 tags, each once, in the order in which they were given.
public struct TagSet: Sendable, Hashable, Codable, JSONDescribed, ExpressibleByArrayLiteral {
    /// In the order in which they were given.
    public private(set) var tags: [Tag]

    /// How many an object may have.
    public static let limit = 32

    /// These tags, what is there twice only once; nil when they are too many.
    public init?(_ tags: some Sequence<Tag>) {
        var unique: [Tag] = []
        for tag in tags where !unique.contains(tag) {
            guard unique.count < Self.limit else { return nil }
            unique.append(tag)
        }
        self.tags = unique
    }

    /// These tags, which must not be too many.
    public init(arrayLiteral tags: Tag...) { self = known(TagSet(tags), "\(tags)") }

    /// Whether the tag is one of them.
    public func contains(_ tag: Tag) -> Bool { tags.contains(tag) }

    /// Reads an array of tags.
    public init(from decoder: any Decoder) throws {
        self = try decoder.checked { (raw: [Tag]) in Self(raw) }
    }

    /// Writes an array of tags.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(tags)
    }

    /// An array of tags.
    public static var jsonSchema: JSONValue {
        ["type": "array", "items": Tag.jsonSchema, "maxItems": .integer(Int64(limit))]
    }
    /// How many there may be.
    public static var expectation: String { "a list of at most \(limit) tags" }
    /// None.
    public static var sample: TagSet { [] }
}

/// What the `avr:` tags mean on one kind of object.
public struct TagRules: Sendable {
    /// Tags of which one counts, from the mildest to the strictest; the first is what is meant
    /// where none is there.
    public struct Group: Sendable {
        /// From the mildest to the strictest.
        public let tags: [Tag]

        /// The strictest of the group that is in `set`, or its default.
        public func strictest(in set: TagSet) -> Tag { tags.last(where: set.contains) ?? tags[0] }
    }

    /// What is wrong with an object that has too many.
    public let invalid: ErrorCode
    /// Groups of which one tag counts.
    public let groups: [Group]
    /// What stands by itself.
    public let single: [Tag]
    /// What only an administrator may add or take away.
    public let administrators: [Tag]

    /// What `avr:` means on a user.
    public static let user = TagRules(
        invalid: .userInvalidInput, groups: [],
        single: [
            .admin, .bot, .disabled, .serviceCreator, .worldCreator, .instanceCreator,
            .fetchExternal,
        ],
        administrators: [
            .admin, .bot, .disabled, .serviceCreator, .worldCreator, .instanceCreator,
            .fetchExternal,
        ])

    /// What `avr:` means on a world.
    public static let world = TagRules(
        invalid: .worldInvalidInput,
        groups: [Group(tags: [.public, .private]), Group(tags: [.release, .development])],
        single: [.official], administrators: [.official])

    /// `avr:` means nothing on a service.
    public static let service = TagRules(
        invalid: .serviceInvalidInput, groups: [], single: [], administrators: [])

    /// How open an instance is.
    public static let access = Group(tags: InstanceAccess.allCases.map(\.tag))

    /// What `avr:` means on an instance.
    public static let instance = TagRules(
        invalid: .instanceInvalidInput, groups: [access],
        single: [.permanent, .killOnOwnerLeave, .official],
        administrators: [.permanent, .official])

    /// Every tag of `avr:` that an object of this kind may have.
    public var known: [Tag] { groups.flatMap(\.tags) + single }

    /// Whether the tag means something here, or nothing to the server at all.
    public func knows(_ tag: Tag) -> Bool { !tag.isReserved || known.contains(tag) }

    /// The tags that an object gets when somebody sets `new` in place of `old`: of each group the
    /// strictest, or its default. Error 38 for an `avr:` tag that is not known here, 4 for one
    /// that only an administrator may add or take away.
    public func setting(_ new: TagSet, over old: TagSet = [], byAdministrator: Bool)
        throws(APIError) -> TagSet
    {
        let unknown = new.tags.filter { !knows($0) }
        if !unknown.isEmpty {
            throw APIError(
                .tagNotFound,
                details: unknown.map {
                    FieldProblem(field: "tags", message: "there is no tag \($0) here")
                })
        }
        if !byAdministrator {
            let changed = administrators.filter { new.contains($0) != old.contains($0) }
            if !changed.isEmpty {
                throw APIError(
                    .userDontHavePermission,
                    details: changed.map {
                        FieldProblem(field: "tags", message: "only administrators may set \($0)")
                    })
            }
        }
        let grouped = groups.flatMap(\.tags)
        let kept = groups.map { $0.strictest(in: new) } + new.tags.filter { !grouped.contains($0) }
        guard let set = TagSet(kept) else {
            throw APIError(invalid, field: "tags", "must be \(TagSet.expectation)")
        }
        return set
    }
}
