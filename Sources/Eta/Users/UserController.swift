import API
import Base
import Crypto
import Domain
import HTTP
import Storage

/// Accounts: `UserAPI` but for homes.
struct UserController: Sendable {
    let finder: UserFinder
    let node: Node
    let database: Database
    let presence: Presence
    let pushes: Pushes
    let news: UserNews
    let passwords: Passwords
    let check: PasswordCheck
    let ending: SessionEnding
    let keeper: FileKeeper
    let instances: InstanceKeeper

    init(_ registry: Registry) {
        finder = UserFinder(registry)
        node = registry.node
        database = registry.database
        presence = registry.presence
        pushes = registry.pushes
        news = UserNews(registry)
        passwords = registry.passwords
        check = registry.passwordCheck
        ending = registry.ending
        keeper = FileKeeper(registry)
        instances = InstanceKeeper(registry)
    }

    func list(
        _ path: UserAPI.ListPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Page<User> {
        let (page, tag, node, presence) = (path.page, path.tag, node, presence)
        var viewer: UserReference?
        if path.online {
            try Access.person.check(context.caller)
            viewer = context.caller.reference(home: node.address)
        }
        return try await database.scan { [viewer] (reader) throws(APIError) in
            // Who is online is for friends to see.
            let among: UserStore.Filter.Among =
                if let viewer {
                    .these(try FollowStore.friends(of: viewer, reader).filter(presence.isOnline))
                } else {
                    .all(but: node.account)
                }
            let filter = UserStore.Filter(among: among, search: page.folded, tag: tag)
            let (found, total) = try UserStore.page(
                filter, after: page.start, limit: page.reach, reader)
            return page.page(found, total: total, key: \.user.id.bytes) { entry in
                entry.user.user(entry.tags, node)
            }
        }
    }

    func fetch(
        _ path: UserAPI.UserPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> UserView {
        try database.read { (reader) throws(APIError) in
            let user = try finder.find(path.user, path.server, context, reader)
            return try UserSight.view(user, to: context.caller, node, presence, reader)
        }
    }

    // MARK: Changes

    func update(
        _ path: UserAPI.UserPath, _ body: UserAPI.Update, _ context: RequestContext
    ) async throws(APIError) -> UserView {
        let before = try database.read { (reader) throws(APIError) in
            try finder.find(path.user, path.server, context, reader)
        }
        let caller = context.caller
        let isSelf = caller.isUser(before.id)
        // Nobody can log in to the node's own account, so nothing of it is a matter of taste.
        guard isSelf || caller.isAdministrator, before.id != node.account else {
            throw APIError(.userCannotUpdate)
        }
        let changesLogin =
            body.password != nil
            || (!body.email.isAbsent && body.email.applied(to: before.email) != before.email)
        if isSelf, changesLogin {
            guard let current = body.current else {
                throw APIError(
                    .userInvalidInput, field: "current",
                    "is needed to change the email address or the password")
            }
            try await check.require(current, of: before, from: context.client)
        }
        let hash: String? =
            if let password = body.password { try await passwords.hash(password.secret) } else {
                nil
            }
        let kept = isSelf ? caller.user?.session : nil
        let (change, view) = try await database.write { (transaction) throws(APIError) in
            guard var user = try UserStore.find(before.id, transaction.reader) else {
                throw APIError(.userNotFound)
            }
            // Of two changes at once only one knew the password that counts.
            if isSelf, changesLogin, user.password != before.password {
                throw APIError(.authInvalidLogin)
            }
            let tags = try UserStore.tags(user.id, transaction.reader)
            try context.requireMatch(
                UserSight.view(user, to: caller, node, presence, transaction.reader))
            var change = Change(user: user, tags: tags)
            try apply(body, hash, to: &user, now: context.now)
            try UserStore.update(user, transaction)
            change.user = user
            if let wanted = body.tags {
                try setTags(wanted, of: &change, by: caller, transaction)
            }
            if !isSelf {
                try AuditLog.note(
                    change.hasOtherRights ? .tags : .updateUser, node.reference(user.id).text,
                    details: change.hasOtherRights
                        ? change.tags.tags.map(\.text).joined(separator: " ") : nil, by: caller,
                    node, at: context.now, transaction)
            }
            // A socket learns what its user may do now before the user's tokens are looked at anew.
            try news.changed(user, transaction)
            if change.isDisabled {
                try ending.endAll(of: user.id, as: .user(user.id), transaction)
            } else if hash != nil {
                try ending.endAll(of: user.id, except: kept, transaction)
            }
            if change.hasOtherRights {
                transaction.onCommit { pushes.revoke(.rights(of: before.id)) }
            }
            return (
                change,
                try UserSight.view(change.user, to: caller, node, presence, transaction.reader)
            )
        }
        if change.isDisabled || change.hasOtherRights || hash != nil { await pushes.settled() }
        return view
    }

    /// What an update came to.
    private struct Change: Sendable {
        var user: UserRow
        var tags: TagSet
        var hasOtherRights = false
        var isDisabled = false
    }

    private func apply(
        _ body: UserAPI.Update, _ hash: String?, to user: inout UserRow, now: Timestamp
    ) throws(APIError) {
        if let username = body.username { user.username = username }
        if let displayname = body.displayname ?? body.display { user.displayname = displayname }
        user.description = body.description.applied(to: user.description)
        user.email = body.email.applied(to: user.email)
        if let status = body.status { user.status = status }
        if let hash { user.password = hash }
        user.updatedAt = now
    }

    /// Sets the tags as an administrator wants them; what they are already anybody may say again.
    private func setTags(
        _ wanted: TagSet, of change: inout Change, by caller: Caller,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        let former = change.tags
        if Set(wanted.tags) == Set(former.tags) { return }
        let tags = try TagRules.user.setting(
            wanted, over: former, byAdministrator: caller.isAdministrator)
        guard caller.isAdministrator else {
            throw APIError(.userDontHavePermission, field: "tags", "only administrators set them")
        }
        // Else the last who can act might leave the node to somebody who cannot.
        if tags.contains(.admin), !former.contains(.admin) {
            let suspension = try SuspensionStore.find(
                node.reference(change.user.id), transaction.reader)
            guard suspension == nil else {
                throw APIError(
                    .userDontHavePermission, field: "tags", "the user is suspended")
            }
        }
        try UserStore.setTags(tags, of: change.user.id, transaction)
        if former.contains(.admin) { try requireAdministrator(transaction) }
        change.tags = try UserStore.tags(change.user.id, transaction.reader)
        change.hasOtherRights = true
        change.isDisabled = tags.contains(.disabled) && !former.contains(.disabled)
    }

    /// Refuses to leave the node without anybody to look after it.
    private func requireAdministrator(
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        guard try UserStore.isAdministered(transaction.reader) else {
            throw APIError(
                .userDontHavePermission, field: "tags", "the node needs an administrator")
        }
    }

    // MARK: The end

    func delete(
        _ path: UserAPI.UserPath, _ body: UserAPI.Deletion, _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        let caller = context.caller
        let (user, isLast) = try database.read { (reader) throws(APIError) in
            let user = try finder.find(path.user, path.server, context, reader)
            guard caller.isUser(user.id) || caller.isAdministrator, user.id != node.account else {
                throw APIError(.userCannotDelete)
            }
            return (user, try UserStore.isOnlyAdministrator(user.id, reader))
        }
        if isLast {
            throw APIError(.userDontHavePermission, context: "the last administrator")
        }
        if let password = body.password, caller.isUser(user.id) {
            try await check.require(password, of: user, from: context.client)
        } else if !caller.isAdministrator {
            throw APIError(.userInvalidInput, field: "password", "is needed to delete an account")
        }
        let person = node.reference(user.id)
        let files = try await database.write { (transaction) throws(APIError) in
            guard let now = try UserStore.find(user.id, transaction.reader) else {
                throw APIError(.userNotFound)
            }
            try context.requireMatch(
                UserSight.view(now, to: caller, node, presence, transaction.reader))
            if caller.isUser(user.id), now.password != user.password {
                throw APIError(.authInvalidLogin)
            }
            let worlds = try WorldStore.all(of: user.id, transaction.reader)
                .map { $0.world([], node) }
            let services = try ServiceStore.all(of: user.id, transaction.reader)
                .map { $0.service(node) }
            let files = try FileTable.files(of: user.id, transaction.reader)
            try ending.endAll(of: user.id, transaction)
            try news.deleted(user.id, transaction)
            try instances.removeAll(of: person, at: context.now, transaction)
            guard try !UserStore.isOnlyAdministrator(user.id, transaction.reader) else {
                throw APIError(.userDontHavePermission, context: "the last administrator")
            }
            if !caller.isUser(user.id) {
                try AuditLog.note(
                    .deleteUser, person.text, details: user.username.text, by: caller, node,
                    at: context.now, transaction)
            }
            _ = try SuspensionStore.delete(person, transaction)
            try UserStore.delete(user.id, transaction)
            for file in files { try FileTable.forget(file, transaction) }
            transaction.onCommit {
                for world in worlds { pushes.announce(.worldDeleted(world)) }
                for service in services { pushes.announce(.serviceDeleted(service)) }
                pushes.announce(.userDeleted(user.id))
            }
            return files
        }
        await pushes.settled()
        await keeper.release(files)
        return Nothing()
    }

}

/// Whom a path means.
struct UserFinder: Sendable {
    let node: Node
    let admin: Username?

    init(_ registry: Registry) {
        node = registry.node
        admin = registry.settings.admin
    }

    /// The account; `server` is what `?server=` says.
    ///
    /// - Throws: 17 when there is none, 29 for two servers, 41 for another node's, 3 for `@me` of
    ///   nobody.
    func find(
        _ selector: UserSelector, _ server: ServerAddress?, _ context: RequestContext,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> UserRow {
        let selector = try selector.located(server: server, home: node.address)
        guard selector.server == nil else { throw APIError(.objectNotInternal) }
        let user =
            switch selector.name {
            case .id(let id): try UserStore.find(id, reader)
            case .username(let name): try UserStore.find(name, reader)
            case .me: try UserStore.find(try context.user().id, reader)
            case .server: try UserStore.find(node.account, reader)
            case .admin: try administrator(reader)
            }
        guard let user else { throw APIError(.userNotFound) }
        return user
    }

    /// The one that the operator named, else the one who has been here longest.
    private func administrator(
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> UserRow? {
        if let admin, let user = try UserStore.find(admin, reader),
            try UserStore.tags(user.id, reader).contains(.admin)
        {
            return user
        }
        return try UserStore.oldestAdministrator(reader)
    }
}
