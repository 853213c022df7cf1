import API
import Base
import Domain
import Storage

extension Registry {
    /// Binds what nodes tell each other, and tells them.
    func bindDeliveries(_ router: inout Router) {
        let deliveries = DeliveryController(self)
        router.on(RegistryAPI.pendingDeliveries, deliveries.pending)
        router.on(RegistryAPI.settleDeliveries, deliveries.settle)
        router.on(RegistryAPI.takeDeliveries, deliveries.take)
        let (outbox, database, clock) = (Outbox(self), database, ambient.clock)
        sweeper.every(.seconds(1), "deliveries") { () async throws(APIError) in
            try await outbox.tryDue(database)
        }
        // The first soon after the start, when a Reil is there; not all nodes of a federation that
        // starts at once.
        let first = Duration.milliseconds(5_000 + Int64(ambient.random.next() % 15_000))
        sweeper.every(.seconds(3_600), "knocks", first: first) { () async throws(APIError) in
            try outbox.knock(database)
            let limit = clock.timestamp() - Outbox.age
            try await database.write { (transaction) throws(APIError) in
                try OutboxStore.expire(before: limit, transaction)
            }
        }
        let news = UserNews(self)
        sweeper.every(.milliseconds(500), "presence") { () async throws(APIError) in
            try await news.tellPresence()
        }
    }
}
