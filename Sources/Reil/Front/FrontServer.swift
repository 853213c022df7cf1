import API
import Base
import Domain
import HTTP

/// The outermost responder: whatever the router answers leaves with the fields that every answer
/// of a node has.
final class FrontServer: Responder {
    private let router: Router
    private let eta: EtaLink
    private let secure: Bool
    /// The fields as bytes, made again only when the gateway changes.
    private let common: Lock<(gateway: Gateway?, fields: Fields)>

    init(router: Router, eta: EtaLink, secure: Bool) {
        self.router = router
        self.eta = eta
        self.secure = secure
        common = Lock((nil, Self.fields(gateway: nil, secure: secure)))
    }

    func begin(_ request: Request) -> Beginning {
        switch router.begin(request) {
        case .answered(let response): .answered(complete(response))
        case .waits(let rest): .waits { self.complete(await rest()) }
        case .follows(let start): .follows { give in start { give(self.complete($0)) } }
        }
    }

    func response(to rejection: RequestRejection) -> Response {
        complete(router.response(to: rejection))
    }

    private func complete(_ response: consuming Response) -> Response {
        var response = response
        response.common = commonFields()
        return response
    }

    private func commonFields() -> Fields {
        let gateway = eta.gateway
        let known = common.withLock { $0 }
        if known.gateway == gateway { return known.fields }
        let fields = Self.fields(gateway: gateway, secure: secure)
        common.withLock { $0 = (gateway, fields) }
        return fields
    }

    /// Before Eta's first word a Reil without an address of its own has no gateway to name.
    static func fields(gateway: Gateway?, secure: Bool) -> Fields {
        var fields = Fields(
            (.xContentTypeOptions, "nosniff"),
            (.referrerPolicy, "no-referrer"),
            (.accessControlAllowOrigin, "*"),
            (
                .accessControlExposeHeaders,
                "AVR-Gateway, ETag, Retry-After, Deprecation, Content-Range"
            ),
            (
                .accessControlAllowHeaders,
                "Authorization, Content-Type, If-Match, If-None-Match, Range, Content-Range, "
                    + "Content-Digest"
            ),
            (.accessControlAllowMethods, "GET, HEAD, POST, PUT, DELETE, OPTIONS"))
        if let gateway { fields.append(.avrGateway, gateway.field) }
        if secure { fields.append(.strictTransportSecurity, "max-age=31536000") }
        return fields
    }
}
