import API
import Domain

extension Registry {
    /// Binds the endpoints of instances, and what keeps them.
    func bindInstances(_ router: inout Router) {
        let instances = InstanceController(self)
        router.on(InstanceAPI.list, instances.list)
        router.on(InstanceAPI.create, instances.create)
        router.on(InstanceAPI.fetch, instances.fetch)
        router.on(InstanceAPI.update, instances.update)
        router.on(InstanceAPI.delete, instances.delete)
        router.on(AdministrationAPI.ins, InsController(self).list)
        let seats = SeatController(self)
        router.on(RegistryAPI.takeSeat, seats.take)
        router.on(RegistryAPI.returnSeat, seats.giveBack)
        let keeper = InstanceKeeper(self)
        watch.observe(keeper)
        sweeper.every(min(.milliseconds(500), settings.emptyGrace), "empty instances") {
            () async throws(APIError) in
            try await keeper.endEmpty()
        }
    }
}
