import API
import Base
import Domain
import HTTP

/// Endpoints of Eta that name worlds: where one is another node's, Eta says which, and Reil reads it
/// there. What was chosen is told to Eta with the same request, sent once more, so that nothing is
/// kept of a world that could not be read.
struct WorldAbroadEndpoint: BoundEndpoint {
    /// Whether an endpoint may name a world of another node.
    static func concerns(_ facts: EndpointFacts) -> Bool {
        [UserAPI.home.facts, UserAPI.setHome.facts, InstanceAPI.create.facts].contains {
            $0.method == facts.method && $0.template == facts.template
        }
    }

    private static let limits = RouterLimits()

    let relay: RelayEndpoint
    let reads: ExternalReads

    var facts: EndpointFacts { relay.facts }

    func answer(_ exchange: Exchange) async throws(APIError) -> Response {
        let body = try await body(of: exchange)
        var response = try await send(exchange, body)
        guard let asked = Self.asked(response), let server = asked.world.server else {
            return response
        }
        let world = try await read(asked, of: server, for: exchange.passage.caller)
        guard asked.purpose == .choice else {
            return Self.home(asked, world, exchange, facts)
        }
        let read = Fields((.avrWorldRead, WorldRead(asked.world, world).field))
        response = try await send(exchange, body, adding: read)
        guard let shown = Self.asked(response) else { return response }
        guard shown.purpose != .choice else {
            throw .internalError("eta asks twice for \(shown.world)")
        }
        return Self.home(shown, world, exchange, facts)
    }

    private static func asked(_ response: Response) -> WorldAbroad? {
        response.fields[.avrWorld].flatMap { WorldAbroad(field: $0) }
    }

    private static func home(
        _ asked: WorldAbroad, _ world: World, _ exchange: Exchange, _ facts: EndpointFacts
    ) -> Response {
        let view = HomeView(
            world: world, version: asked.world.version, fallback: asked.purpose == .fallback)
        return Answers.success(exchange, facts, Encoded(view))
    }

    /// The request's body, which is sent twice; nil where it has none.
    private func body(of exchange: Exchange) async throws(APIError) -> [UInt8]? {
        let request = exchange.passage.request
        if request.bodyLength == 0 { return nil }
        if let length = request.bodyLength, length > Int64(Self.limits.body) {
            throw APIError(.payloadTooLarge)
        }
        do throws(BodyError) {
            return try await request.body.collect(limit: Self.limits.body)
        } catch {
            throw APIError(error)
        }
    }

    private func send(
        _ exchange: Exchange, _ body: [UInt8]?, adding fields: Fields = Fields()
    ) async throws(APIError) -> Response {
        guard let body else { return try await relay.eta.relay(exchange, adding: fields) }
        let request = exchange.passage.request.with(body: body)
        return try await relay.eta.relay(exchange.with(request), adding: fields)
    }

    private func read(
        _ asked: WorldAbroad, of server: ServerAddress, for caller: Caller
    ) async throws(APIError) -> World {
        // What is chosen Eta has let the caller choose.
        guard asked.purpose == .choice || caller.may(.fetchExternal) else {
            throw APIError(.userCannotFetch)
        }
        let id = asked.world.id.text
        let (json, _) = try await reads.read(
            World.self, "/api/worlds/\(id)", captures: [id], of: server)
        guard let value = try? JSONParser.parse(json),
            let world = try? JSONCoder.decode(World.self, from: value)
        else { throw .internalError("a world that was read abroad is none") }
        return world
    }
}
