import API
import Domain
import HTTP

/// An endpoint that Eta answers: Reil has let the request through its gate and passes it on.
struct RelayEndpoint: BoundEndpoint {
    let facts: EndpointFacts
    let eta: EtaLink

    /// A request without a body needs nobody to feed it.
    func following(_ exchange: Exchange) -> AnswerStart<Result<Response, APIError>>? {
        guard exchange.passage.request.head.bodyLength == 0 else { return nil }
        return { give in eta.relay(exchange, give: give) }
    }

    func answer(_ exchange: Exchange) async throws(APIError) -> Response {
        try await eta.relay(exchange)
    }
}
