import API
import Base
import Domain
import HTTP

/// What Reil answers by itself: the node, its clock, its health, its documents.
struct LocalController {
    let eta: EtaLink
    let ambient: Ambient
    let insCount: @Sendable () -> Int

    /// `GET /api/server`
    @Sendable func server(
        _ path: ServerAPI.ServerPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Encoded<Server> { try own() }

    private func own() throws(APIError) -> Encoded<Server> {
        guard let welcome = eta.welcome else { throw .overloaded(context: "no word of eta yet") }
        var server = welcome.server
        // As this Reil is reached.
        server.gateway = eta.gateway ?? server.gateway
        return Encoded(server, tagged: server.still)
    }

    /// `GET /api/server@:server` of this node itself; others are read abroad.
    @Sendable func serverAt(
        _ path: ServerAPI.ServerAtPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Encoded<Server> {
        let own = try own()
        guard path.server == eta.welcome?.server.address else { throw APIError(.serverNotFound) }
        return own
    }

    /// `GET /api/time`
    @Sendable func time(
        _ path: ServerAPI.TimePath, _ exchange: Exchange
    ) throws(APIError) -> Timestamp {
        exchange.ambient.clock.timestamp()
    }

    /// `GET /api/health`
    @Sendable func health(
        _ path: ServerAPI.HealthPath, _ exchange: Exchange
    ) throws(APIError) -> ServerAPI.Health {
        guard eta.hasLease else { throw .overloaded(context: "eta is out of reach") }
        return ServerAPI.Health(reil: "up", eta: "up", ins: insCount())
    }

    /// `GET /api/openapi.json`
    @Sendable func openAPI(
        _ path: ServerAPI.OpenAPIPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Response {
        let origin = eta.gateway?.origins.http ?? ""
        var out = ByteWriter()
        out.append(json: OpenAPI.document(of: AllEndpoints.all, server: origin))
        return Response(
            status: .ok, fields: Fields((.contentType, "application/json")),
            body: .bytes(out.array()))
    }
}
