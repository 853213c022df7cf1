import API
import Base
import Domain

/// The services of the node, as Eta tells them.
final class ServiceDirectory: RegistryObserver {
    private let routes = Lock<[ServiceID: ServiceRoute]>([:])

    /// The way to a service; nil where there is none of that id.
    func route(to id: ServiceID) -> ServiceRoute? { routes.withLock { $0[id] } }

    func welcomed(_ welcome: Welcome) {
        let all = Dictionary(
            welcome.services.map { ($0.target.id, $0) }, uniquingKeysWith: { _, last in last })
        routes.withLock { $0 = all }
    }

    func received(_ push: RegistryPush) {
        guard case .changed(let change) = push else { return }
        switch change {
        case .service(let service):
            routes.withLock { $0[service.id] = ServiceRoute(service) }
        case .serviceDeleted(let service): routes.withLock { $0[service.id] = nil }
        case .server, .user, .userDeleted, .world, .worldDeleted, .instance, .instanceDeleted:
            break
        }
    }

    func etaLost() {}
}
