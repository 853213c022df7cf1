import API

extension Registry {
    /// Binds the endpoints of worlds.
    func bindWorlds(_ router: inout Router) {
        let worlds = WorldController(self)
        router.on(WorldAPI.list, worlds.list)
        router.on(WorldAPI.create, worlds.create)
        router.on(WorldAPI.fetch, worlds.fetch)
        router.on(WorldAPI.update, worlds.update)
        router.on(WorldAPI.delete, worlds.delete)
    }
}
