import API
import Base
import Domain
import Storage

/// Following, on this node: `FollowAPI`.
struct FollowController: Sendable {
    let finder: UserFinder
    let node: Node
    let database: Database
    let presence: Presence
    let pushes: Pushes

    init(_ registry: Registry) {
        finder = UserFinder(registry)
        node = registry.node
        database = registry.database
        presence = registry.presence
        pushes = registry.pushes
    }

    func following(
        _ path: FollowAPI.FollowingPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Page<UserView> {
        try await list(path.user, path.server, path.page, context) {
            (person, page, reader) throws(APIError) in
            (
                try FollowStore.followed(
                    by: person, search: page.folded, after: page.startText, limit: page.reach,
                    reader), try FollowStore.countFollowed(by: person, reader)
            )
        }
    }

    func followers(
        _ path: FollowAPI.FollowersPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Page<UserView> {
        try await list(path.user, path.server, path.page, context) {
            (person, page, reader) throws(APIError) in
            (
                try FollowStore.followers(
                    of: person, search: page.folded, after: page.startText, limit: page.reach,
                    reader), try FollowStore.countFollowers(of: person, reader)
            )
        }
    }

    /// Who is on a list is for the account's own user and administrators; how many, for all.
    private func list(
        _ user: UserSelector, _ server: ServerAddress?, _ page: PageQuery,
        _ context: RequestContext,
        _ find:
            @escaping @Sendable (UserReference, PageQuery, borrowing Reader<APIError>)
            throws(APIError) -> ([FollowEntry], Int)
    ) async throws(APIError) -> Page<UserView> {
        let (finder, node, presence) = (finder, node, presence)
        let caller = context.caller
        return try await database.scan { (reader) throws(APIError) in
            let account = try finder.find(user, server, context, reader)
            let (found, total) = try find(node.reference(account.id), page, reader)
            guard caller.isUser(account.id) || caller.isAdministrator else {
                return Page(items: [], next: nil, total: total)
            }
            return page.page(found, total: total, key: { Array($0.person.text.utf8) }) { entry in
                if entry.isMutual, let since = entry.followingAt {
                    return .friend(entry.user.friend(entry.tags, since: since, node, presence))
                }
                return .user(entry.user.user(entry.tags, node))
            }
        }
    }

    func follow(
        _ path: FollowAPI.FollowPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> UserView {
        try await change(path, context) { (own, other, transaction) throws(APIError) in
            guard own.id != other.id else {
                throw APIError(.userInvalidInput, field: "user", "must be somebody else")
            }
            guard
                try FollowStore.countFollowed(by: own.reference, transaction.reader)
                    < FollowStore.limit
            else {
                throw APIError(
                    .userInvalidInput, field: "user",
                    "you follow \(FollowStore.limit), as many as one can")
            }
            try FollowStore.insert(own, follows: other, at: context.now, transaction)
        }
    }

    func unfollow(
        _ path: FollowAPI.FollowPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> UserView {
        try await change(path, context) { (own, other, transaction) throws(APIError) in
            _ = try FollowStore.delete(
                own.reference, follows: other.reference, transaction)
        }
    }

    private typealias Person = (reference: UserReference, id: UserID?)

    private func change(
        _ path: FollowAPI.FollowPath, _ context: RequestContext,
        _ act:
            @escaping @Sendable (Person, Person, borrowing Transaction<APIError>)
            throws(APIError) -> Void
    ) async throws(APIError) -> UserView {
        let me = try context.user().id
        // Those of other nodes have to be told, which is not built yet.
        if let server = path.user.server, server != node.address {
            throw APIError(.notImplemented)
        }
        return try await database.write { (transaction) throws(APIError) in
            let other = try finder.find(path.user, nil, context, transaction.reader)
            guard let own = try UserStore.find(me, transaction.reader) else {
                throw APIError(.userNotLogged)
            }
            try act(
                (node.reference(me), me), (node.reference(other.id), other.id), transaction)
            // What the user's own sockets show has changed.
            try UserStore.announce(own, node, pushes, transaction)
            return try UserSight.view(other, to: context.caller, node, presence, transaction.reader)
        }
    }
}
