import API

extension Registry {
    /// Binds what is remembered of other nodes.
    func bindNodes(_ router: inout Router) {
        router.on(ServerAPI.update, ServerController(self).update)
        let nodes = NodeController(self, tokens: peerTokens)
        router.on(RegistryAPI.node, nodes.fetch)
        router.on(RegistryAPI.saveNode, nodes.save)
        router.on(RegistryAPI.useNonce, nodes.useNonce)
        router.on(RegistryAPI.noteSighting, nodes.noteSighting)
        let known = KnownNodesController(self, tokens: peerTokens)
        router.on(NodesAPI.list, known.list)
        router.on(NodesAPI.fetch, known.fetch)
        router.on(NodesAPI.forget, known.forget)
    }
}
