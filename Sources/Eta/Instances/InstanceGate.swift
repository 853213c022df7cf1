import Domain
import Storage

/// Lets through to an instance who may see it.
enum InstanceGate {
    /// How many moderators an instance may have.
    static let moderatorLimit = 64

    /// The instance, and how the caller stands to it.
    ///
    /// - Throws: 36 when there is none, or the caller may not know of it.
    static func visible(
        _ selector: InstanceSelector, to caller: Caller, _ node: Node,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (instance: InstanceRow, standing: InstanceStanding) {
        guard let instance = try InstanceStore.find(selector, reader) else {
            throw APIError(.instanceNotFound)
        }
        let standing = try standing(of: caller, to: instance, node, reader)
        guard AccessRules.maySee(InstanceAccess(instance.tags), standing) else {
            throw APIError(.instanceNotFound)
        }
        return (instance, standing)
    }

    /// How a caller stands to an instance.
    static func standing(
        of caller: Caller, to instance: InstanceRow, _ node: Node,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> InstanceStanding {
        var standing = InstanceStanding()
        guard let person = caller.reference(home: node.address) else { return standing }
        standing.isAdministrator = caller.isAdministrator
        standing.isOwner = instance.owner == person
        standing.isModerator = instance.moderators.contains(person)
        if instance.connected > 0 {
            standing.isMember = try PlayerStore.count(of: person, in: instance.id, reader) > 0
        }
        // What nobody asks for is not looked up.
        if standing.isAdministrator || standing.isOwner { return standing }
        standing.isBanned = try SanctionStore.isBarred(person, from: instance.id, reader)
        if standing.isStaff || standing.isMember { return standing }
        standing.isInvited = try CandidateStore.isLetIn(person, to: instance.id, reader)
        try addFriends(&standing, person, instance, reader)
        return standing
    }

    /// Whose friend a person is, as far as the instance's access depends on it.
    private static func addFriends(
        _ standing: inout InstanceStanding, _ person: UserReference, _ instance: InstanceRow,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) {
        switch InstanceAccess(instance.tags) {
        case .everybody, .staffOnly: return
        case .friendsPlus, .invitePlus:
            standing.isFriendOfMember = try FollowStore.isFriendOfMember(
                person, of: instance.id, reader)
        case .friendsOnly, .inviteOnly: break
        }
        var hosts = [instance.owner]
        if let master = try instance.master.flatMap({ (id) throws(APIError) in
            try PlayerStore.find(id, reader)
        }) {
            hosts.append(master.user)
        }
        for host in hosts where try FollowStore.friends(person, host, reader) != nil {
            standing.isFriend = true
        }
    }

    /// The instance as the caller sees it: who is in it is told to members, the owner and
    /// administrators.
    static func view(
        _ instance: InstanceRow, _ standing: InstanceStanding, _ node: Node,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> Instance {
        let seesPlayers = standing.isMember || standing.isOwner || standing.isAdministrator
        return instance.instance(
            seesPlayers ? try PlayerStore.all(in: instance.id, reader) : nil, node)
    }
}
