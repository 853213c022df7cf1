import API
import Base
import Domain
import HTTP
import Net

/// The sockets of a Reil: who may open one, and what Eta's words mean for those that are open.
final class SocketHub: RegistryObserver {
    private let services: SocketServices
    private let loops: [SocketLoop]
    private let origins: [String]

    init(_ services: SocketServices, loops: [EventLoop], origins: [String]) {
        self.services = services
        self.origins = origins
        self.loops = loops.enumerated().map { index, loop in
            SocketLoop(loop, index: index, services: services)
        }
        services.roster.attach(self.loops)
    }

    /// `GET /api/ws`
    @Sendable func socket(
        _ path: ServerAPI.SocketPath, _ body: NoBody, _ context: RequestContext
    ) async throws(APIError) -> Response {
        let head = context.request.head
        guard Handshake.isAsked(by: head) else {
            throw APIError(.malformedRequest, context: "no upgrade to a WebSocket")
        }
        if !origins.isEmpty, let origin = head.text(.origin),
            !origins.contains(origin)
        {
            throw APIError(.userDontHavePermission, context: "origin \(origin)")
        }
        let offered = Handshake.subprotocols(of: head)
        let upgrade =
            offered.contains(LinkProtocol.ins.name)
            ? try insUpgrade(context)
            : try clientUpgrade(context, offered.contains("avr.1") ? "avr.1" : nil)
        return Response(status: .switchingProtocols, body: .webSocket(upgrade))
    }

    private func insUpgrade(_ context: RequestContext) throws(APIError) -> WebSocketUpgrade {
        switch context.caller {
        case .ins(let ins):
            let roster = services.roster
            let ambient = services.ambient
            return WebSocketUpgrade(
                subprotocol: LinkProtocol.ins.name, limits: LinkProtocol.ins.limits
            ) { sink in
                let link = InsLinkSession(
                    sink, credential: ins.name.text, roster: roster, ambient: ambient)
                roster.opened(link)
                return link
            }
        case .nobody: throw APIError(.userNotLogged)
        case .user where !context.caller.may(.instanceCreator):
            throw APIError(.userDontHavePermission)
        case .user: throw APIError(.notImplemented)
        case .visitor, .server, .gateway: throw APIError(.wrongCredential)
        }
    }

    private func clientUpgrade(
        _ context: RequestContext, _ subprotocol: String?
    ) throws(APIError) -> WebSocketUpgrade {
        if case .ins = context.caller { throw APIError(.wrongCredential) }
        let key: SocketCounts.Key =
            SocketCounts.Key(context.caller)
            ?? .address(context.client.rateUnit)
        guard let place = services.counts.enter(key),
            let sockets = loops.first(where: { $0.loop === context.request.loop })
        else { throw .tooManyRequests(retryAfter: .seconds(10)) }
        let credential = try CredentialFinder.find(in: context.request.head).credential()
        let opening = SocketLoop.Opening(
            credential: credential, place: place, client: context.client)
        var limits = WebSocketLimits()
        limits.pending = services.queue / 4
        return WebSocketUpgrade(subprotocol: subprotocol, limits: limits) { sink in
            sockets.open(sink, opening)
        }
    }

    /// The process goes down. Comes back when the rooms know who has left, as the links of their
    /// Ins are closed next.
    func goAway() async {
        let gateway = services.roster.otherGateway(than: services.eta.gateway)
        let server = services.eta.welcome.map { EncodedJSON($0.server) }
        for sockets in loops {
            await turn(of: sockets) { $0.goAway(to: gateway, server) }
        }
        // What the links are told leaves a turn later.
        for sockets in loops { await turn(of: sockets) { _ in } }
    }

    private func turn(
        of sockets: SocketLoop, _ body: @escaping @Sendable (isolated SocketLoop) -> Void
    ) async {
        await withCheckedContinuation { continuation in
            sockets.loop.execute {
                sockets.assumeIsolated { body($0) }
                continuation.resume()
            }
        }
    }

    func welcomed(_ welcome: Welcome) {
        services.roster.welcomed(welcome)
        services.counts.welcomed()
        for loop in loops { loop.onLoop { $0.etaBack() } }
    }

    func etaLost() {
        for loop in loops { loop.onLoop { $0.etaLost() } }
    }

    func received(_ push: RegistryPush) {
        let roster = services.roster
        switch push {
        case .revoke(let revocation):
            for loop in loops { loop.onLoop { $0.revoked(revocation) } }
            if case .ins(let credential) = revocation { roster.revoked(credential) }
        case .changed(let change):
            let event = roster.event(of: change)
            for loop in loops { loop.onLoop { $0.tell(event, change) } }
        case .rules(let set):
            let rules = set.clientRules
            for loop in loops { loop.onLoop { $0.deny(rules) } }
        case .reils(let gateways, let links): roster.reils(gateways: gateways, links: links)
        case .host(let hosting): roster.host(hosting)
        case .close(let instance): roster.close(instance)
        case .dismissed(let instance, let player, let type):
            roster.dismissed(instance, player, type)
        case .muted(let instance, let players, let isMuted):
            for player in players { roster.setMuted(player, in: instance, isMuted) }
        case .tell(let telling):
            guard let home = services.eta.welcome?.server.address else { return }
            let word = Word(telling, home: home)
            for loop in loops { loop.onLoop { $0.tell(word) } }
        case .queue(let report):
            guard let home = services.eta.welcome?.server.address else { return }
            let waiting = report.waiting.map { Person($0, home: home) }
            for loop in loops { loop.onLoop { $0.tellQueue(of: report.instance, waiting) } }
        case .welcome, .leased, .deliver, .endAbroad, .look, .forget, .mark, .clock: break
        }
    }
}
