import API
import Base
import Domain
import Storage

/// Who is told that a user is not what they were: their own sockets and who is in an instance with
/// them, their friends, and the nodes that have a stake in them.
struct UserNews: Sendable {
    let node: Node
    let database: Database
    let pushes: Pushes
    let presence: Presence
    let outbox: Outbox

    /// How many friends of one user are told of one change.
    private static let friendLimit = 1_000
    /// How many who came or went are looked after at a time.
    private static let batch = 200

    init(_ registry: Registry) {
        node = registry.node
        database = registry.database
        pushes = registry.pushes
        presence = registry.presence
        outbox = Outbox(registry)
    }

    /// A user of this node is not what they were.
    func changed(
        _ row: UserRow, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        let tags = try UserStore.tags(row.id, transaction.reader)
        let user = row.user(tags, node)
        let themself = try UserSight.themself(row, tags, node, transaction.reader)
        transaction.onCommit { pushes.announce(.user(user, themself: themself)) }
        try tellFriends(of: row, tags, transaction)
        let person = node.reference(row.id)
        for home in try FollowStore.homes(ofFollowersOf: person, transaction.reader) {
            try outbox.append(.user(user), for: home, transaction)
        }
        for home in try FollowStore.homes(ofFriendsOf: person, transaction.reader) {
            try outbox.append(.status(person, status(of: row)), for: home, transaction)
        }
    }

    /// A user of this node is deleted; before their rows are.
    func deleted(
        _ id: UserID, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        let person = node.reference(id)
        for home in try FollowStore.homes(ofAllAround: person, transaction.reader) {
            try outbox.append(.userDeleted(person), for: home, transaction)
        }
    }

    /// The home of somebody who follows a user of this node, or is followed, is told who they are.
    func introduce(
        _ id: UserID, to other: UserReference, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        guard let home = other.server, home != node.address,
            let row = try UserStore.find(id, transaction.reader)
        else { return }
        let tags = try UserStore.tags(id, transaction.reader)
        try outbox.append(.user(row.user(tags, node)), for: home, transaction)
        let person = node.reference(id)
        if try FollowStore.friends(person, other, transaction.reader) != nil {
            try outbox.append(.status(person, status(of: row)), for: home, transaction)
        }
    }

    /// A user of another node is not what they were: friends of theirs here are told.
    func changed(
        abroad person: UserReference, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        guard let known = try PersonAbroadStore.find(person, transaction.reader) else { return }
        for friend in try FollowStore.friendships(of: person, transaction.reader)
            .prefix(Self.friendLimit) where presence.isOnline(friend.person)
        {
            let view = UserFriend(
                user: known.profile, followingAt: friend.since, status: known.status)
            transaction.onCommit { pushes.tell(.updateUser, to: [friend.person], view) }
        }
    }

    /// How a user is to their friends.
    private func status(of row: UserRow) -> UserStatus {
        presence.isOnline(row.id) ? row.status : .offline
    }

    private func tellFriends(
        of row: UserRow, _ tags: TagSet, _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        let person = node.reference(row.id)
        for friend in try FollowStore.friendships(of: person, transaction.reader)
            .prefix(Self.friendLimit) where presence.isOnline(friend.person)
        {
            guard friend.person.isInternal(to: node.address) else { continue }
            let view = row.friend(tags, since: friend.since, node, presence)
            transaction.onCommit { pushes.tell(.updateUser, to: [friend.person], view) }
        }
    }

    /// Tells of users who came or went since the last time.
    func tellPresence() async throws(APIError) {
        let changed = presence.takeChanged(limit: Self.batch)
        if changed.isEmpty { return }
        try await database.write { (transaction) throws(APIError) in
            for id in changed {
                guard let row = try UserStore.find(id, transaction.reader) else { continue }
                let tags = try UserStore.tags(id, transaction.reader)
                try tellFriends(of: row, tags, transaction)
                let person = node.reference(id)
                for home in try FollowStore.homes(ofFriendsOf: person, transaction.reader) {
                    try outbox.append(.status(person, status(of: row)), for: home, transaction)
                }
            }
        }
    }
}
