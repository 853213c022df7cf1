import API

extension Registry {
    /// Binds the endpoints of this feature.
    func bindIntegrity(_ router: inout Router) {}
}
