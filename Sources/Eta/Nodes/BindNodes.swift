import API

extension Registry {
    /// Binds what is remembered of other nodes.
    func bindNodes(_ router: inout Router) {
        let nodes = NodeController(self)
        router.on(RegistryAPI.node, nodes.fetch)
        router.on(RegistryAPI.saveNode, nodes.save)
        router.on(RegistryAPI.useNonce, nodes.useNonce)
    }
}
