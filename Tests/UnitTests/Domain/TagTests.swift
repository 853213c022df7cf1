import Base
import Domain
import Testing

// The tests' own framework has a type of this name.
private typealias Tag = Domain.Tag

// Tags of `avr:` are known or refused, some are the administrators' alone, and of a group the
// strictest counts.
struct TagTests {
    @Test(arguments: ["avr:public", "game:chess", "a:b", "0_1:_"])
    func `namespace and name make a tag`(_ text: String) {
        #expect(Tag(text)?.text == text)
    }

    @Test(arguments: [
        "", ":", "a:", ":b", "a", "a:b:c", "A:b", "a:B", "a b:c", "a:é", "a-b:c", "a:b\n",
        "a:" + String(repeating: "b", count: 63),
    ])
    func `anything else is refused`(_ text: String) {
        #expect(Tag(text) == nil)
    }

    @Test func `a set has each tag once, and at most 32`() throws {
        let one = try #require(Tag("a:b"))
        #expect(TagSet([one, .bot, one])?.tags == [one, .bot])
        let many = (0..<33).compactMap { Tag("t:n\($0)") }
        #expect(TagSet(many) == nil)
        #expect(TagSet(many.dropLast())?.tags.count == 32)
        #expect(TagSet(many.dropLast() + many.dropLast()) != nil)
    }

    @Test func `a bad tag is told by its place`() throws {
        struct Body: Codable { let tags: TagSet }
        let error = #expect(throws: InvalidFields.self) {
            try JSONCoder.decode(Body.self, from: ["tags": ["avr:public", "nonsense", 3]])
        }
        #expect(error?.problems.map(\.field) == ["tags.1", "tags.2"])
        let body = try JSONCoder.decode(Body.self, from: ["tags": ["a:b"]])
        #expect(JSONCoder.value(body) == ["tags": ["a:b"]])
    }

    private static let rules: [(String, TagRules, [Tag])] = [
        (
            "user", .user,
            [
                .admin, .bot, .disabled, .serviceCreator, .worldCreator, .instanceCreator,
                .fetchExternal,
            ]
        ),
        ("world", .world, [.public, .private, .release, .development, .official]),
        (
            "instance", .instance,
            [
                .public, .friendsPlus, .friendsOnly, .invitePlus, .inviteOnly, .private,
                .permanent, .killOnOwnerLeave, .official,
            ]
        ),
    ]

    @Test(arguments: 0..<3) func `each kind of object knows its own tags`(_ index: Int) throws {
        let (name, rules, known) = Self.rules[index]
        #expect(Set(rules.known) == Set(known), "\(name)")
        for (_, others, _) in Self.rules {
            for tag in others.known where !known.contains(tag) {
                let error = #expect(throws: APIError.self) {
                    try rules.setting([tag], byAdministrator: true)
                }
                #expect(error?.code == .tagNotFound, "\(name) \(tag)")
            }
        }
        let invented = try #require(Tag("avr:invented"))
        let error = #expect(throws: APIError.self) {
            try rules.setting([invented], byAdministrator: true)
        }
        #expect(error?.code == .tagNotFound)
        #expect(error?.details.map(\.field) == ["tags"])
    }

    @Test func `what is the administrators' can be kept, not set or taken by others`() throws {
        let cases: [(TagRules, Tag)] = [
            (.user, .admin), (.user, .worldCreator), (.user, .disabled), (.world, .official),
            (.instance, .permanent), (.instance, .official),
        ]
        for (rules, tag) in cases {
            for (new, old) in [([tag], []), ([], [tag])] as [(TagSet, TagSet)] {
                let error = #expect(throws: APIError.self) {
                    try rules.setting(new, over: old, byAdministrator: false)
                }
                #expect(error?.code == .userDontHavePermission, "\(tag)")
                #expect(throws: Never.self) {
                    try rules.setting(new, over: old, byAdministrator: true)
                }
            }
            #expect(try rules.setting([tag], over: [tag], byAdministrator: false).contains(tag))
        }
        #expect(
            try TagRules.instance.setting([.killOnOwnerLeave], byAdministrator: false).tags
                == [.public, .killOnOwnerLeave])
    }

    @Test func `of a group the strictest stays, or its default`() throws {
        let game = try #require(Tag("game:chess"))
        func world(_ set: TagSet) throws -> [Tag] {
            try TagRules.world.setting(set, byAdministrator: false).tags
        }
        #expect(try world([]) == [.public, .release])
        #expect(try world([.private, .public]) == [.private, .release])
        #expect(try world([game, .development]) == [.public, .development, game])
        func instance(_ set: TagSet) throws -> [Tag] {
            try TagRules.instance.setting(set, byAdministrator: false).tags
        }
        #expect(try instance([]) == [.public])
        #expect(try instance([.inviteOnly, .friendsPlus, .public]) == [.inviteOnly])
        #expect(try instance([.private, .inviteOnly]) == [.private])
        #expect(try TagRules.user.setting([game], byAdministrator: false).tags == [game])
    }

    @Test func `defaults do not push a set over its limit unseen`() {
        let many = TagSet((0..<32).compactMap { Tag("t:n\($0)") }) ?? []
        let error = #expect(throws: APIError.self) {
            try TagRules.world.setting(many, byAdministrator: false)
        }
        #expect(error?.code == .worldInvalidInput)
    }
}
