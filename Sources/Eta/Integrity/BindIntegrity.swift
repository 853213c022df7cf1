import API

extension Registry {
    /// Binds grants of visitors and of our users abroad.
    func bindIntegrity(_ router: inout Router) {
        let integrity = IntegrityController(self)
        router.on(IntegrityAPI.list, integrity.list)
        router.on(IntegrityAPI.revoke, integrity.revoke)
        router.on(RegistryAPI.issueIntegrity, integrity.issue)
        router.on(RegistryAPI.recordIntegrity, integrity.record)
    }
}
