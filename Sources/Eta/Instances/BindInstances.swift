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
        let waiting = WaitingController(self)
        router.on(WaitingAPI.queue, waiting.queue)
        router.on(WaitingAPI.candidates, waiting.candidates)
        router.on(WaitingAPI.apply, waiting.apply)
        router.on(WaitingAPI.withdraw, waiting.withdraw)
        let sanctions = SanctionController(self)
        router.on(SanctionAPI.list, sanctions.list)
        router.on(SanctionAPI.impose, sanctions.impose)
        router.on(SanctionAPI.lift, sanctions.lift)
        router.on(RegistryAPI.moderate, sanctions.moderate)
        let keeper = InstanceKeeper(self)
        watch.observe(keeper)
        sweeper.every(min(.milliseconds(500), settings.emptyGrace), "empty instances") {
            () async throws(APIError) in
            try await keeper.endEmpty()
        }
        let queues = WaitingKeeper(self)
        sweeper.every(min(WaitingKeeper.pace, settings.waiting.hold), "queues") {
            () async throws(APIError) in
            try await queues.look()
        }
    }
}
