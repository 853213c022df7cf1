import API
import Base
import Domain
import HTTP

/// Public worlds as encoded bytes, kept until Eta says that one has changed: `GET /api/worlds/:id`
/// is what every client asks first, and asks again.
///
/// Private worlds are never here, so that who may see what is decided in one place, by Eta.
final class HotWorlds: RegistryObserver {
    private struct State {
        /// By the one spelling of their id, which is what a path holds.
        var worlds: [String: Encoded<World>] = [:]
        /// Rises with each change: an answer that was asked for before one is not kept.
        var changes: UInt64 = 0
    }

    /// Worlds kept at the most; beyond it all are forgotten and asked for again.
    private static let limit = 10_000

    private let state = Lock(State())

    /// The world, if it is here.
    func find(_ id: String) -> Encoded<World>? { state.withLock { $0.worlds[id] } }

    /// The number that goes with an answer asked for from here on.
    var changes: UInt64 { state.withLock { $0.changes } }

    /// Keeps a world, unless one has changed since it was asked for.
    func keep(_ world: World, _ encoded: Encoded<World>, asked changes: UInt64) {
        guard !world.tags.contains(.private) else { return }
        state.withLock { state in
            guard state.changes == changes else { return }
            if state.worlds.count >= Self.limit { state.worlds = [:] }
            state.worlds[world.id.text] = encoded
        }
    }

    func welcomed(_ welcome: Welcome) { forget { $0 = [:] } }

    func received(_ push: RegistryPush) {
        switch push {
        case .changed(.world(let world)): forget { $0[world.id.text] = nil }
        case .changed(.worldDeleted(let id)): forget { $0[id.text] = nil }
        // The worlds of a user go with the user.
        case .changed(.userDeleted): forget { $0 = [:] }
        case .changed, .welcome, .leased, .revoke, .host, .close, .dismissed, .endAbroad, .reils,
            .clock:
            break
        }
    }

    func etaLost() {}

    private func forget(_ body: (inout [String: Encoded<World>]) -> Void) {
        state.withLock { state in
            state.changes += 1
            body(&state.worlds)
        }
    }
}

/// `GET /api/worlds/:id` of this node: from memory where it is there, else from Eta.
struct HotWorldEndpoint: BoundEndpoint {
    let facts = WorldAPI.fetch.facts
    let relay: RelayEndpoint
    let worlds: HotWorlds

    func answer(_ exchange: Exchange) async throws(APIError) -> Response {
        let text = exchange.captures[0]
        guard exchange.query.isEmpty else { return try await relay.answer(exchange) }
        if let known = worlds.find(text) { return Answers.success(exchange, facts, known) }
        guard let world = WorldID(text) else { return try await relay.answer(exchange) }
        let changes = worlds.changes
        let found = try await relay.eta.call(
            WorldAPI.fetch, NoBody(), captures: [world.text], as: exchange.passage.caller,
            on: exchange.passage.request.loop)
        let encoded = Encoded(found)
        worlds.keep(found, encoded, asked: changes)
        return Answers.success(exchange, facts, encoded)
    }
}
