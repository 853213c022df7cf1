import API
import Base
import Domain
import HTTP
import Net

/// Public worlds as encoded bytes, and their files that were asked for, kept until Eta says that
/// one has changed: what every client asks first, and asks again. They count as long as Reil's
/// lease, as all does that Eta could take back.
///
/// Private worlds are never here, so that who may see what is decided in one place, by Eta.
final class HotWorlds: RegistryObserver {
    /// A file of a world, held open, as Eta let one kind of caller have it.
    struct HotFile: Sendable {
        let file: ReadOnlyFile
        let eTag: ETag
        /// What Eta said of it, but for where it lies.
        let fields: Fields
        /// The whole of it.
        let whole: Response

        init(file: ReadOnlyFile, eTag: ETag, fields: Fields) {
            self.file = file
            self.eTag = eTag
            self.fields = fields
            var whole = FileResponse.whole(
                file, eTag: eTag, contentType: MediaType.octetStream, fields: fields)
            // One call of the system for head and file, instead of two.
            if let bytes = file.contents(upTo: HotWorlds.bytesLimit), bytes.count == file.size {
                whole.body = .bytes(bytes)
            }
            self.whole = whole
        }
    }

    /// Which of a world's files, and for whom: Eta says other things of it to who is known, and
    /// where the hash is asked for.
    struct FileKey: Hashable, Sendable {
        let asset: String
        let hash: String?
        let isKnown: Bool
    }

    private struct HotWorld {
        var encoded: Encoded<World>?
        var files: [FileKey: HotFile] = [:]
    }

    private struct State {
        /// By the one spelling of their id, which is what a path holds.
        var worlds: [String: HotWorld] = [:]
        var openFiles = 0
        /// Rises with each change: an answer that was asked for before one is not kept.
        var changes: UInt64 = 0

        mutating func forgetAll() {
            worlds = [:]
            openFiles = 0
        }

        mutating func forget(_ id: String) {
            if let gone = worlds.removeValue(forKey: id) { openFiles -= gone.files.count }
        }
    }

    /// Worlds kept at the most, and files of theirs; beyond it all are forgotten and asked for
    /// again.
    private static let limit = 10_000
    private static let fileLimit = 256
    /// Files up to this size are kept in memory too: 16 MiB at the most.
    private static let bytesLimit: Int64 = 65_536

    private let hasLease: @Sendable () -> Bool
    private let state = Lock(State())

    /// Nothing yet; `hasLease` tells whether what was kept counts now.
    init(hasLease: @escaping @Sendable () -> Bool) { self.hasLease = hasLease }

    /// The world, if it is here.
    func find(_ id: String) -> Encoded<World>? {
        guard hasLease() else { return nil }
        return state.withLock { $0.worlds[id]?.encoded }
    }

    /// A file of the world, if it is here.
    func find(_ key: FileKey, of id: String) -> HotFile? {
        guard hasLease() else { return nil }
        return state.withLock { $0.worlds[id]?.files[key] }
    }

    /// The number that goes with an answer asked for from here on.
    var changes: UInt64 { state.withLock { $0.changes } }

    /// Keeps a world, unless one has changed since it was asked for.
    func keep(_ world: World, _ encoded: Encoded<World>, asked changes: UInt64) {
        guard !world.tags.contains(.private) else { return }
        state.withLock { state in
            guard state.changes == changes else { return }
            if state.worlds.count >= Self.limit { state.forgetAll() }
            state.worlds[world.id.text, default: HotWorld()].encoded = encoded
        }
    }

    /// Keeps a file of a public world, unless one has changed since it was asked for.
    func keep(_ file: HotFile, _ key: FileKey, of id: String, asked changes: UInt64) {
        state.withLock { state in
            guard state.changes == changes else { return }
            if state.openFiles >= Self.fileLimit || state.worlds.count >= Self.limit {
                state.forgetAll()
            }
            if state.worlds[id, default: HotWorld()].files.updateValue(file, forKey: key) == nil {
                state.openFiles += 1
            }
        }
    }

    func welcomed(_ welcome: Welcome) { change { $0.forgetAll() } }

    func received(_ push: RegistryPush) {
        switch push {
        case .changed(.world(let world)), .changed(.worldDeleted(let world)):
            change { $0.forget(world.id.text) }
        // The worlds of a user go with the user.
        case .changed(.userDeleted): change { $0.forgetAll() }
        case .changed, .welcome, .leased, .revoke, .host, .close, .dismissed, .muted, .tell, .queue,
            .deliver,
            .endAbroad, .look, .rules, .forget,
            .reils,
            .mark, .clock:
            break
        }
    }

    func etaLost() {}

    private func change(_ body: (inout State) -> Void) {
        state.withLock { state in
            state.changes += 1
            body(&state)
        }
    }
}

/// `GET /api/worlds/:id` of this node: from memory where it is there, else from Eta.
struct HotWorldEndpoint: BoundEndpoint {
    let facts = WorldAPI.fetch.facts
    let relay: RelayEndpoint
    let worlds: HotWorlds

    func answerAtOnce(_ exchange: Exchange) throws(APIError) -> Response? {
        guard exchange.query.isEmpty, let known = worlds.find(exchange.captures[0]) else {
            return nil
        }
        return Answers.success(exchange, facts, known)
    }

    func answer(_ exchange: Exchange) async throws(APIError) -> Response {
        guard exchange.query.isEmpty, let world = WorldID(exchange.captures[0]) else {
            return try await relay.answer(exchange)
        }
        let changes = worlds.changes
        let found = try await relay.eta.call(
            WorldAPI.fetch, NoBody(), captures: [world.text], as: exchange.passage.caller,
            on: exchange.passage.request.loop)
        let encoded = Encoded(found)
        worlds.keep(found, encoded, asked: changes)
        return Answers.success(exchange, facts, encoded)
    }
}
