import API
import Base
import Domain
import HTTP

/// `/api/users/:id/home`: Eta knows which world it is, and where it is another node's, Reil reads
/// it there.
struct HomeEndpoint: BoundEndpoint {
    let relay: RelayEndpoint
    let reads: ExternalReads

    var facts: EndpointFacts { relay.facts }

    func answer(_ exchange: Exchange) async throws(APIError) -> Response {
        let response = try await relay.answer(exchange)
        guard let home = response.fields[.avrHome].flatMap({ HomeAbroad(field: $0) }),
            let server = home.world.server
        else { return response }
        guard exchange.passage.caller.may(.fetchExternal) else {
            throw APIError(.userCannotFetch)
        }
        let id = home.world.id.text
        let (json, _) = try await reads.read(
            World.self, "/api/worlds/\(id)", captures: [id], of: server)
        guard let value = try? JSONParser.parse(json),
            let world = try? JSONCoder.decode(World.self, from: value)
        else { throw .internalError("a world that was read abroad is none") }
        let view = HomeView(
            world: world, version: home.world.version, fallback: home.isFallback)
        return Answers.success(exchange, facts, Encoded(view))
    }
}
