import API
import Base
import Domain
import Storage

/// Following, here and across nodes: `FollowAPI`.
struct FollowController: Sendable {
    let finder: UserFinder
    let node: Node
    let database: Database
    let presence: Presence
    let news: UserNews
    let outbox: Outbox

    init(_ registry: Registry) {
        finder = UserFinder(registry)
        node = registry.node
        database = registry.database
        presence = registry.presence
        news = UserNews(registry)
        outbox = Outbox(registry)
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
                let since = entry.isMutual ? entry.followingAt : nil
                switch entry.account {
                case .here(let user, let tags):
                    guard let since else { return .user(user.user(tags, node)) }
                    return .friend(user.friend(tags, since: since, node, presence))
                case .abroad(let person):
                    return person.view(followedSince: since)
                }
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
            try requireRoom(own.reference, transaction.reader)
            try FollowStore.insert(own, follows: other, at: context.now, transaction)
        }
    }

    func unfollow(
        _ path: FollowAPI.FollowPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> UserView {
        if let home = path.user.server, home != node.address {
            return try await unfollow(path.user, at: home, context)
        }
        return try await change(path, context) { (own, other, transaction) throws(APIError) in
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
        return try await database.write { (transaction) throws(APIError) in
            let other = try finder.find(path.user, nil, context, transaction.reader)
            guard let own = try UserStore.find(me, transaction.reader) else {
                throw APIError(.userNotLogged)
            }
            try act(
                (node.reference(me), me), (node.reference(other.id), other.id), transaction)
            // What the user's own sockets show has changed.
            try news.changed(own, transaction)
            return try UserSight.view(other, to: context.caller, node, presence, transaction.reader)
        }
    }

    private func requireRoom(
        _ person: UserReference, _ reader: borrowing Reader<APIError>
    ) throws(APIError) {
        guard try FollowStore.countFollowed(by: person, reader) < FollowStore.limit else {
            throw APIError(
                .userInvalidInput, field: "user",
                "you follow \(FollowStore.limit), as many as one can")
        }
    }

    // MARK: Abroad

    /// Follows a user of another node, whom a Reil has read there.
    func follow(
        _ path: RegistryAPI.FollowingPath, _ body: RegistryAPI.FollowAbroad,
        _ context: RequestContext
    ) async throws(APIError) -> UserView {
        let (me, home) = (try context.user().id, body.profile.server)
        guard home != node.address else { throw APIError(.objectNotInternal) }
        let (own, other) = (node.reference(me), UserReference(body.profile.id, at: home))
        return try await database.write { (transaction) throws(APIError) in
            guard let row = try UserStore.find(me, transaction.reader) else {
                throw APIError(.userNotLogged)
            }
            try requireRoom(own, transaction.reader)
            try FollowStore.insert((own, me), follows: (other, nil), at: context.now, transaction)
            try PersonAbroadStore.set(body.profile, transaction)
            try outbox.append(.follow(user: own, target: other), for: home, transaction)
            try news.introduce(me, to: other, transaction)
            try news.changed(row, transaction)
            return try view(of: other, body.profile, to: own, transaction.reader)
        }
    }

    /// By name only while something is known of them here: whoever follows them has it.
    private func unfollow(
        _ selector: UserSelector, at home: ServerAddress, _ context: RequestContext
    ) async throws(APIError) -> UserView {
        let me = try context.user().id
        let own = node.reference(me)
        return try await database.write { (transaction) throws(APIError) in
            let other: UserReference? =
                switch selector.name {
                case .id(let id): UserReference(id, at: home)
                case .username(let name):
                    try PersonAbroadStore.find(name, at: home, transaction.reader)
                case .me, .server, .admin: nil
                }
            guard let other, let row = try UserStore.find(me, transaction.reader),
                let known = try PersonAbroadStore.find(other, transaction.reader)
            else { throw APIError(.userNotFound) }
            if try FollowStore.delete(own, follows: other, transaction) {
                try outbox.append(.unfollow(user: own, target: other), for: home, transaction)
                try news.changed(row, transaction)
            }
            let view = try view(of: other, known.profile, to: own, transaction.reader)
            try PersonAbroadStore.forgetIfStrange(other, transaction)
            return view
        }
    }

    private func view(
        of other: UserReference, _ profile: User, to own: UserReference,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> UserView {
        let known = try PersonAbroadStore.find(other, reader)
        let person = PersonAbroad(profile, status: known?.status ?? .offline)
        return person.view(followedSince: try FollowStore.friends(own, other, reader))
    }
}

extension PersonAbroad {
    /// As who follows them sees them; `since` when, where they follow back.
    fileprivate func view(followedSince since: Timestamp?) -> UserView {
        guard let since else { return .user(profile) }
        return .friend(UserFriend(user: profile, followingAt: since, status: status))
    }
}
