import API
import Base
import Domain
import HTTP

/// `/api/users/:id/home`: Eta knows which world it is, and where it is another node's, Reil reads
/// it there; before it is set, so that what is refused is not kept.
struct HomeEndpoint: BoundEndpoint {
    /// Bytes of a choice that is looked at; what is longer only Eta has to answer.
    private static let choiceLimit = 4_096

    let relay: RelayEndpoint
    let reads: ExternalReads

    var facts: EndpointFacts { relay.facts }

    func answer(_ exchange: Exchange) async throws(APIError) -> Response {
        let exchange = try await checkingChoice(exchange)
        let response = try await relay.answer(exchange)
        guard let home = response.fields[.avrHome].flatMap({ HomeAbroad(field: $0) }),
            let server = home.world.server
        else { return response }
        guard exchange.passage.caller.may(.fetchExternal) else {
            throw APIError(.userCannotFetch)
        }
        let view = HomeView(
            world: try await world(home.world, of: server), version: home.world.version,
            fallback: home.isFallback)
        return Answers.success(exchange, facts, Encoded(view))
    }

    /// Reads the world that is chosen where it is another node's; whatever else may be wrong Eta
    /// says.
    private func checkingChoice(_ exchange: Exchange) async throws(APIError) -> Exchange {
        let request = exchange.passage.request
        guard facts.method == .post, let length = request.bodyLength, length > 0,
            length <= Self.choiceLimit
        else { return exchange }
        let body: [UInt8]
        do throws(BodyError) {
            body = try await request.body.collect(limit: Self.choiceLimit)
        } catch {
            throw APIError(error)
        }
        if let value = try? JSONParser.parse(body),
            let choice = try? JSONCoder.decode(UserAPI.HomeChoice.self, from: value),
            let server = choice.world.server, server != relay.eta.welcome?.server.address,
            exchange.passage.caller.may(.fetchExternal)
        {
            _ = try await world(choice.world, of: server)
        }
        return exchange.with(request.with(body: body))
    }

    private func world(
        _ world: WorldReference, of server: ServerAddress
    ) async throws(APIError) -> World {
        let id = world.id.text
        let (json, _) = try await reads.read(
            World.self, "/api/worlds/\(id)", captures: [id], of: server)
        guard let value = try? JSONParser.parse(json),
            let world = try? JSONCoder.decode(World.self, from: value)
        else { throw .internalError("a world that was read abroad is none") }
        return world
    }
}
