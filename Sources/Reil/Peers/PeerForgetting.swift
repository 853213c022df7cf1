import API
import Federation

/// Has the client of other nodes forget what Eta has forgotten.
final class PeerForgetting: RegistryObserver {
    private let peers: PeerClient

    init(peers: PeerClient) { self.peers = peers }

    /// What was forgotten while the link was down is not told again; Eta knows all that is left.
    func welcomed(_ welcome: Welcome) { peers.forgetAll() }

    func received(_ push: RegistryPush) {
        if case .forget(let address) = push { peers.forget(address) }
    }

    func etaLost() {}
}
