import API
import Base
import Domain
import HTTP

extension Registry {
    /// Binds the registry link.
    func bindLink(_ router: inout Router) {
        router.on(RegistryAPI.link, LinkController(watch: watch).link)
    }
}

/// Makes a Reil's request its link.
struct LinkController: Sendable {
    let watch: LinkWatch

    func link(
        _ path: RegistryAPI.LinkPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Response {
        let head = context.request.head
        let link = LinkProtocol.registry
        guard Handshake.subprotocols(of: head).contains(link.name) else {
            throw APIError(.malformedRequest, context: "a link of another protocol")
        }
        let watch = watch
        return Response(
            status: .switchingProtocols,
            body: .webSocket(
                WebSocketUpgrade(subprotocol: link.name, limits: link.limits) { sink in
                    ReilLink(sink, watch)
                }))
    }
}
