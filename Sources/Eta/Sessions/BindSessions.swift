import API

extension Registry {
    /// Binds the endpoints of this feature.
    func bindSessions(_ router: inout Router) {}
}
