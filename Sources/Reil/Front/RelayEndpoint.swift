import API
import Domain
import HTTP

/// An endpoint that Eta answers: Reil has let the request through its gate and passes it on.
struct RelayEndpoint: BoundEndpoint {
    let facts: EndpointFacts
    let eta: EtaLink

    func answer(_ exchange: Exchange) async throws(APIError) -> Response {
        try await eta.relay(exchange)
    }
}
