import API

extension Registry {
    /// Binds the endpoints of this feature.
    func bindUsers(_ router: inout Router) {}
}
