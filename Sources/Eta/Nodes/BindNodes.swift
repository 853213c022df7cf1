import API

extension Registry {
    /// Binds what is remembered of other nodes.
    func bindNodes(_ router: inout Router) {
        router.on(ServerAPI.update, ServerController(self).update)
        let nodes = NodeController(self)
        router.on(RegistryAPI.node, nodes.fetch)
        router.on(RegistryAPI.saveNode, nodes.save)
        router.on(RegistryAPI.useNonce, nodes.useNonce)
    }
}
