import API

extension Registry {
    /// Binds the endpoints of this feature.
    func bindInstances(_ router: inout Router) {}
}
