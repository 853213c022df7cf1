import API

extension Registry {
    /// Binds challenges of other nodes.
    func bindChallenges(_ router: inout Router) {
        let challenges = ChallengeController(self)
        router.on(ChallengeAPI.list, challenges.list)
        router.on(ChallengeAPI.fetch, challenges.fetch)
        router.on(ChallengeAPI.revoke, challenges.revoke)
        router.on(RegistryAPI.openChallenge, challenges.open)
        router.on(RegistryAPI.spendChallenge, challenges.spend)
        router.on(RegistryAPI.issueServerToken, challenges.issue)
    }
}
