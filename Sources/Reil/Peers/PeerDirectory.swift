import API
import Base
import Crypto
import Domain
import Federation
import Net

/// This node among others: who it is, as Eta's welcome says, and what it remembers of them, which
/// is Eta's to keep.
final class PeerDirectory: PeerMemory, RegistryObserver {
    private let eta: EtaLink
    private let group: EventLoopGroup
    private let known = Lock<NodeIdentity?>(nil)

    init(eta: EtaLink, group: EventLoopGroup) {
        self.eta = eta
        self.group = group
    }

    /// This node with its keys; nil before Eta has said who it is.
    var identity: NodeIdentity? {
        if let known = known.withLock({ $0 }) { return known }
        guard let welcome = eta.welcome, let gateway = eta.gateway else { return nil }
        let identity = NodeIdentity(
            address: welcome.server.address, secure: welcome.server.secure, gateway: gateway,
            gateways: welcome.gateways, version: welcome.server.version.text,
            keys: welcome.signingKeys.compactMap { key in
                guard let seed = Hex.decode(key.seed),
                    let pair = Ed25519PrivateKey(seed: Secret(seed))
                else { return nil }
                return NodeIdentity.Key(
                    pair: pair, createdAt: key.createdAt, expiresAt: key.expiresAt)
            })
        known.withLock { $0 = identity }
        return identity
    }

    private var loop: EventLoop { group.current ?? group.loops[0] }

    func recall(_ address: ServerAddress) async throws(APIError) -> RegistryAPI.NodeRecord? {
        do throws(APIError) {
            return try await eta.call(
                RegistryAPI.node, NoBody(), captures: [address.text], on: loop)
        } catch {
            if error.code == .serverNotFound { return nil }
            throw error
        }
    }

    func remember(_ record: RegistryAPI.NodeRecord) async throws(APIError) {
        _ = try await eta.call(
            RegistryAPI.saveNode, record, captures: [record.address.text], on: loop)
    }

    func note(_ address: ServerAddress, failure: ErrorCode?) async {
        do throws(APIError) {
            _ = try await eta.call(
                RegistryAPI.noteSighting, RegistryAPI.Sighting(failure: failure),
                captures: [address.text], on: loop)
        } catch {
            group.ambient.log.info("sighting lost", .peer(address.text), .text("error", "\(error)"))
        }
    }

    func welcomed(_ welcome: Welcome) { known.withLock { $0 = nil } }

    func received(_ push: RegistryPush) {
        switch push {
        case .reils, .changed(.server): known.withLock { $0 = nil }
        case .welcome, .leased, .revoke, .changed, .host, .close, .dismissed, .muted, .tell, .queue,
            .deliver,
            .endAbroad,
            .look, .rules, .forget, .mark, .clock:
            break
        }
    }

    func etaLost() {}
}
