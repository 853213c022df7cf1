import API
import Domain

extension Registry {
    /// Binds the registry of services, and has them watched.
    func bindServices(_ router: inout Router) {
        let watch = ServiceWatch(self)
        let services = ServiceController(self, watch: watch)
        router.on(ServiceAPI.list, services.list)
        router.on(ServiceAPI.create, services.create)
        router.on(ServiceAPI.fetch, services.fetch)
        router.on(ServiceAPI.update, services.update)
        router.on(ServiceAPI.delete, services.delete)
        router.on(RegistryAPI.serviceChecked, services.checked)
        sweeper.every(min(settings.services.interval, .seconds(1)), "services") {
            () async throws(APIError) in
            try await watch.lookAround()
        }
    }
}
