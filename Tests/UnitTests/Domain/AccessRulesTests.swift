import Domain
import Testing

// Who may see and who may enter an instance is a table over its strictest tag and the caller's
// standing; this is that table, whole.
struct AccessRulesTests {
    enum Standing: String, CaseIterable {
        case stranger, friendOfMember, friend, invited, member, moderator, owner, administrator

        var facts: InstanceStanding {
            var facts = InstanceStanding()
            switch self {
            case .stranger: break
            case .friendOfMember: facts.isFriendOfMember = true
            case .friend: facts.isFriend = true
            case .invited: facts.isInvited = true
            case .member: facts.isMember = true
            case .moderator: facts.isModerator = true
            case .owner: facts.isOwner = true
            case .administrator: facts.isAdministrator = true
            }
            return facts
        }
    }

    /// `E` may enter, `s` sees it and may not, `-` does not know of it; in the order of `Standing`.
    static let table: [(InstanceAccess, String)] = [
        (.everybody, "EEEEEEEE"),
        (.friendsPlus, "-EEEsEEE"),
        (.friendsOnly, "--EEsEEE"),
        (.invitePlus, "-ssEsEEE"),
        (.inviteOnly, "--sEsEEE"),
        (.staffOnly, "----sEEE"),
    ]

    @Test(arguments: 0..<6) func `who sees and who enters`(_ row: Int) {
        let (access, expected) = Self.table[row]
        let found = Standing.allCases.map { standing in
            switch AccessRules.refusal(access, standing.facts) {
            case nil: "E"
            case .userNotAllowed?: "s"
            default: "-"
            }
        }
        #expect(found.joined() == expected, "\(access)")
    }

    @Test func `who enters also sees`() {
        for access in InstanceAccess.allCases {
            for standing in Standing.allCases where AccessRules.mayEnter(access, standing.facts) {
                #expect(AccessRules.maySee(access, standing.facts))
            }
        }
    }

    @Test func `a ban holds against all but the owner and administrators`() {
        for standing in Standing.allCases {
            var facts = standing.facts
            facts.isBanned = true
            let may = AccessRules.mayEnter(.everybody, facts)
            #expect(may == (standing == .owner || standing == .administrator), "\(standing)")
            #expect(AccessRules.maySee(.everybody, facts))
        }
    }

    @Test func `the strictest tag counts, and none means everybody`() {
        #expect(InstanceAccess([]) == .everybody)
        #expect(InstanceAccess([.permanent]) == .everybody)
        for (index, strict) in InstanceAccess.allCases.enumerated() {
            #expect(InstanceAccess([strict.tag]) == strict)
            for mild in InstanceAccess.allCases[...index] {
                #expect(InstanceAccess([strict.tag, mild.tag]) == strict)
                #expect(InstanceAccess([mild.tag, strict.tag]) == strict)
                #expect(mild <= strict)
            }
        }
    }

    @Test func `a private world is there for its people and for members alone`() {
        var standing = WorldStanding()
        #expect(AccessRules.maySee(world: [.public], standing))
        #expect(AccessRules.maySee(world: [], standing))
        #expect(!AccessRules.maySee(world: [.private], standing))
        #expect(!AccessRules.mayEdit(standing))
        standing.isMember = true
        #expect(AccessRules.maySee(world: [.private], standing))
        #expect(!AccessRules.mayEdit(standing))
        standing.isContributor = true
        #expect(AccessRules.mayEdit(standing))
        #expect(!AccessRules.mayDispose(standing))
        for right in [\WorldStanding.isOwner, \.isAdministrator] {
            var standing = WorldStanding()
            standing[keyPath: right] = true
            #expect(AccessRules.maySee(world: [.private], standing))
            #expect(AccessRules.mayEdit(standing))
            #expect(AccessRules.mayDispose(standing))
        }
    }

    @Test func `moderators change words, the owner everything`() {
        for standing in Standing.allCases {
            let staff = [.moderator, .owner, .administrator].contains(standing)
            #expect(AccessRules.mayDescribe(standing.facts) == staff)
            #expect(AccessRules.mayEdit(standing.facts) == (staff && standing != .moderator))
        }
    }
}
