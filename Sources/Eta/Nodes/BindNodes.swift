import API

extension Registry {
    /// Binds the endpoints of this feature.
    func bindNodes(_ router: inout Router) {}
}
