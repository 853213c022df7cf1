import API

extension Registry {
    /// Binds the endpoints of this feature.
    func bindWorlds(_ router: inout Router) {}
}
