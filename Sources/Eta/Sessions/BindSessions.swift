import API

extension Registry {
    /// Binds accounts opened, logins and their ends.
    func bindSessions(_ router: inout Router) {
        let sessions = SessionController(self)
        router.on(AuthAPI.register, sessions.register)
        router.on(AuthAPI.login, sessions.login)
        router.on(AuthAPI.refresh, sessions.refresh)
        router.on(AuthAPI.sessions, sessions.sessions)
        router.on(AuthAPI.endSessions, sessions.endSessions)
        router.on(AuthAPI.endSession, sessions.endSession)
        router.on(AuthAPI.logout, sessions.logout)
        router.on(AuthAPI.logoutByGet, sessions.logout)
        router.on(AuthAPI.password, sessions.changePassword)

        let credentials = CredentialController(self)
        router.on(RegistryAPI.resolve, credentials.resolve)
        router.on(RegistryAPI.standing, credentials.standing)
    }
}
