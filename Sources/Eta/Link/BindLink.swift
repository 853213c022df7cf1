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

    private static let subprotocol = "avr.registry.1"
    /// A report names every player of a Reil.
    private static let limits = WebSocketLimits(message: 16 << 20)

    func link(
        _ path: RegistryAPI.LinkPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Response {
        let head = context.request.head
        guard Handshake.subprotocols(of: head).contains(Self.subprotocol) else {
            throw APIError(.malformedRequest, context: "a link of another protocol")
        }
        let watch = watch
        return Response(
            status: .switchingProtocols,
            body: .webSocket(
                WebSocketUpgrade(subprotocol: Self.subprotocol, limits: Self.limits) { sink in
                    ReilLink(sink, watch)
                }))
    }
}
