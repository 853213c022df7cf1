import API
import Base
import Crypto
import Domain
import HTTP
import Storage

/// One of the images of users: thumbnails, or banners.
struct UserImageController: Sendable {
    /// Where an account has it.
    let slot: any WritableKeyPath<UserRow, SHA256Digest?> & Sendable
    let finder: UserFinder
    let node: Node
    let database: Database
    let presence: Presence
    let desk: ImageDesk
    let news: UserNews
    let keeper: FileKeeper
    let quota: FileQuota

    init(_ registry: Registry, _ slot: any WritableKeyPath<UserRow, SHA256Digest?> & Sendable) {
        self.slot = slot
        finder = UserFinder(registry)
        node = registry.node
        database = registry.database
        presence = registry.presence
        desk = ImageDesk(files: registry.files)
        news = UserNews(registry)
        keeper = FileKeeper(registry)
        quota = FileQuota(registry)
    }

    func fetch(
        _ path: some UserImagePath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Response {
        let user = try database.read { (reader) throws(APIError) in
            try finder.find(path.user, path.server, context, reader)
        }
        return try desk.answer(
            context, with: user[keyPath: slot], named: path.hash, isOpen: true)
    }

    func set(
        _ path: some UserImagePath, _ body: RawBody, _ context: RequestContext
    ) async throws(APIError) -> UserView {
        // Nobody sends megabytes to be told that they may not.
        _ = try database.read { (reader) throws(APIError) in
            try find(path, context, reader)
        }
        let image = try await desk.receive(context.request, or: .userInvalidInput)
        return try await desk.keep(image, keeper) { (file) async throws(APIError) in
            try await change(path, to: file, context)
        }
    }

    func delete(
        _ path: some UserImagePath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> UserView {
        try await change(path, to: nil, context)
    }

    private func change(
        _ path: some UserImagePath, to file: StoredFile?, _ context: RequestContext
    ) async throws(APIError) -> UserView {
        let (digest, size) = (file?.hash, file.flatMap { FileSize($0.size) })
        let (view, former) = try await database.write { (transaction) throws(APIError) in
            var user = try find(path, context, transaction.reader)
            let former = user[keyPath: slot]
            try context.requireMatch(tag: former.map { ImageDesk.tag($0).text })
            let before = try quota.before(user.id, transaction)
            if let digest, let size {
                try FileTable.insert(digest, size: size, at: context.now, transaction)
            }
            user[keyPath: slot] = digest
            user.updatedAt = context.now
            try UserStore.update(user, transaction)
            if former != digest { try FileTable.forget(former, transaction) }
            try quota.require(after: before, transaction)
            try news.changed(user, transaction)
            let view = try UserSight.view(
                user, to: context.caller, node, presence, transaction.reader)
            return (view, former == digest ? nil : former)
        }
        if let former { await keeper.release([former]) }
        return view
    }

    /// The account, where it is the caller's or the caller looks after all of them.
    private func find(
        _ path: some UserImagePath, _ context: RequestContext, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> UserRow {
        let user = try finder.find(path.user, path.server, context, reader)
        guard context.caller.isUser(user.id) || context.caller.isAdministrator else {
            throw APIError(.userCannotUpdate)
        }
        return user
    }
}
