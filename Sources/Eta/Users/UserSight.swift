import API
import Domain
import Storage

/// An account as whoever looks sees it: UserMe, UserFriend where both follow each other, or User.
/// Users see the status that they chose; their friends see it while a socket of theirs lives.
enum UserSight {
    /// What the caller sees.
    static func view(
        _ user: UserRow, to caller: Caller, _ node: Node, _ presence: Presence,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> UserView {
        let tags = try UserStore.tags(user.id, reader)
        if caller.isThemself(user.id) {
            return .themself(try themself(user, tags, node, reader))
        }
        if let person = caller.reference(home: node.address),
            let since = try FollowStore.friends(person, node.reference(user.id), reader)
        {
            return .friend(user.friend(tags, since: since, node, presence))
        }
        return .user(user.user(tags, node))
    }

    /// What the account's own user sees.
    static func themself(
        _ user: UserRow, _ tags: TagSet, _ node: Node, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> UserMe {
        user.themself(
            tags, following: try FollowStore.followed(by: node.reference(user.id), reader), node)
    }
}
