import API

extension Registry {
    /// Binds the endpoints of this feature.
    func bindLink(_ router: inout Router) {}
}
