import API

extension Registry {
    /// Binds the endpoints of this feature.
    func bindAssets(_ router: inout Router) {}
}
