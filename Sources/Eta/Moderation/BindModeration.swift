import API
import Domain

extension Registry {
    /// Binds what administrators do to keep order.
    func bindModeration(_ router: inout Router) {
        let moderation = ModerationController(self)
        router.on(ModerationAPI.suspended, moderation.suspended)
        router.on(ModerationAPI.suspend, moderation.suspend)
        router.on(ModerationAPI.unsuspend, moderation.unsuspend)
        router.on(ModerationAPI.log, moderation.log)
        sweeper.every(.milliseconds(500), "suspensions") { () async throws(APIError) in
            try await moderation.sweep()
        }
    }
}
