import Base
import Crypto
import Domain
import Federation
import HTTP
import Net

/// The way to other nodes over the network, with the limits of docs/federation §6: guarded
/// addresses, deadlines, few connections, short answers.
final class OutboundTransport: PeerTransport {
    /// The longest answer that is read.
    private static let answerLimit = 1 << 20

    private let client: HTTPClient
    private let group: EventLoopGroup
    private let outbound: OutboundGuard

    init(client: HTTPClient, group: EventLoopGroup, outbound: OutboundGuard) {
        self.client = client
        self.group = group
        self.outbound = outbound
    }

    func exchange(_ request: PeerRequest) async throws(PeerFailure) -> PeerAnswer {
        let sent = ClientRequest(
            request.method, secure: request.gateway.secure,
            host: request.gateway.address.hostText, port: request.gateway.address.port,
            target: Array(request.target.utf8), fields: request.fields,
            body: request.body.map { .bytes($0) } ?? .none, outbound: outbound)
        do throws(ClientError) {
            let response = try await client.send(sent, on: group.current ?? group.loops[0])
            return PeerAnswer(
                status: response.status, fields: response.fields,
                body: try await response.collect(limit: Self.answerLimit))
        } catch {
            throw PeerFailure(error)
        }
    }
}

extension PeerFailure {
    /// What the client's failure means for who asked another node.
    init(_ error: ClientError) {
        self =
            switch error {
            case .unresolved(.unknown): .unknown
            case .addressRefused: .refused
            case .unreachable, .timedOut(.connect): .unreachable("\(error)")
            case .unresolved, .timedOut, .closed, .body(.closed), .body(.tooSlow):
                .silent("\(error)")
            case .tls(let error): .untrusted(error.text)
            case .tlsNotConfigured: .untrusted("no TLS here")
            case .malformed, .headTooLarge, .body, .upgradeRefused, .badHandshake, .refusedField,
                .requestBody:
                .malformed("\(error)")
            case .overloaded: .busy
            case .cancelled: .cancelled
            }
    }
}

extension ClientLimits {
    /// To other nodes: few connections to each, shared by all loops so that the caps are exact.
    static var toPeers: ClientLimits {
        var limits = ClientLimits()
        limits.connectionsPerPeer = 8
        limits.connections = 256
        limits.waiting = 256
        limits.perLoop = false
        return limits
    }
}
