import API
import Base
import Domain
import Storage

/// Where users begin: their home worlds.
struct HomeController: Sendable {
    let finder: UserFinder
    let node: Node
    let database: Database
    let news: UserNews
    /// The home of who has chosen none.
    let fallback: WorldReference?

    init(_ registry: Registry) {
        finder = UserFinder(registry)
        node = registry.node
        database = registry.database
        news = UserNews(registry)
        fallback = registry.settings.fallbackHome
    }

    func fetch(
        _ path: UserAPI.HomePath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> HomeView {
        try database.read { (reader) throws(APIError) in
            let user = try find(path, or: .userCannotFetch, context, reader)
            if let home = user.home, let view = try view(home, false, context, reader) {
                return view
            }
            if let fallback, let view = try view(fallback, true, context, reader) { return view }
            throw APIError(.userDontHaveHome)
        }
    }

    func set(
        _ path: UserAPI.HomePath, _ body: UserAPI.HomeChoice, _ context: RequestContext
    ) async throws(APIError) -> HomeView {
        let home = body.world.absolute(at: node.address)
        guard home.isInternal(to: node.address) || context.caller.may(.fetchExternal) else {
            throw APIError(.userCannotFetch)
        }
        try await database.write { (transaction) throws(APIError) in
            var user = try find(path, or: .userCannotUpdate, context, transaction.reader)
            if home.isInternal(to: node.address) {
                _ = try WorldGate.visible(home.id, to: context.caller, node, transaction.reader)
            } else if context.worldRead(for: home) == nil {
                throw .worldAbroad(home, for: .choice)
            }
            user.home = home
            user.updatedAt = context.now
            try UserStore.update(user, transaction)
            try news.changed(user, transaction)
        }
        return try database.read { (reader) throws(APIError) in
            guard let view = try view(home, false, context, reader) else {
                throw APIError(.worldNotFound)
            }
            return view
        }
    }

    func clear(
        _ path: UserAPI.HomePath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Nothing {
        try await database.write { (transaction) throws(APIError) in
            var user = try find(path, or: .userCannotUpdate, context, transaction.reader)
            user.home = nil
            user.updatedAt = context.now
            try UserStore.update(user, transaction)
            try news.changed(user, transaction)
        }
        return Nothing()
    }

    /// The account, where it is the caller's or the caller looks after all of them.
    private func find(
        _ path: UserAPI.HomePath, or refusal: ErrorCode, _ context: RequestContext,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> UserRow {
        let user = try finder.find(path.user, path.server, context, reader)
        guard context.caller.isUser(user.id) || context.caller.isAdministrator else {
            throw APIError(refusal)
        }
        return user
    }

    /// A home as it is shown; nil when its world is gone or not for the caller's eyes. A world of
    /// another node is Reil's to read: it is told which.
    private func view(
        _ home: WorldReference, _ isFallback: Bool, _ context: RequestContext,
        _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> HomeView? {
        guard home.isInternal(to: node.address) else {
            throw .worldAbroad(home, for: isFallback ? .fallback : .home)
        }
        do throws(APIError) {
            let (world, _) = try WorldGate.visible(home.id, to: context.caller, node, reader)
            let assets = try AssetStore.all(of: home.id, reader)
            return HomeView(
                world: world.world(assets, node), version: home.version, fallback: isFallback)
        } catch {
            if error.code == .worldNotFound { return nil }
            throw error
        }
    }
}
