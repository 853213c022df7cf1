import API

extension Registry {
    /// Binds the endpoints of this feature.
    func bindChallenges(_ router: inout Router) {}
}
