import API
import Base
import Domain
import HTTP

/// Following: who is another node's is read there first, so that nobody is followed who does not
/// exist, and Eta keeps who they are. All else is Eta's.
struct FollowAbroadEndpoint: BoundEndpoint {
    /// Whether an endpoint has somebody follow.
    static func concerns(_ facts: EndpointFacts) -> Bool {
        facts.method == FollowAPI.follow.facts.method
            && facts.template == FollowAPI.follow.facts.template
    }

    let relay: RelayEndpoint
    let reads: ExternalReads

    var facts: EndpointFacts { relay.facts }

    func answer(_ exchange: Exchange) async throws(APIError) -> Response {
        guard let home = relay.eta.welcome?.server.address else {
            throw .overloaded(context: "no word of eta yet")
        }
        guard let selector = UserSelector(exchange.captures[0]), let server = selector.server,
            server != home
        else { return try await relay.eta.relay(exchange) }
        let passage = exchange.passage
        guard passage.caller.may(.fetchExternal) else { throw APIError(.userCannotFetch) }
        let name: String
        switch selector.name {
        case .id(let id): name = id.text
        case .username(let username): name = username.text
        case .me, .server, .admin: throw APIError(.userNotFound)
        }
        let (json, _) = try await reads.read(
            User.self, UserAPI.fetch.facts.target([name]), captures: [name], of: server)
        guard let value = try? JSONParser.parse(json),
            let profile = try? JSONCoder.decode(User.self, from: value)
        else { throw .internalError("a user who was read abroad is none") }
        let view = try await relay.eta.call(
            RegistryAPI.followAbroad, RegistryAPI.FollowAbroad(profile: profile),
            as: passage.caller, on: passage.request.loop)
        return Answers.success(exchange, facts, Encoded(view))
    }
}
