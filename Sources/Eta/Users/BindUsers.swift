import API

extension Registry {
    /// Binds the endpoints of users.
    func bindUsers(_ router: inout Router) {
        let users = UserController(self)
        router.on(UserAPI.list, users.list)
        router.on(UserAPI.fetch, users.fetch)
        router.on(UserAPI.update, users.update)
        router.on(UserAPI.delete, users.delete)
        let follows = FollowController(self)
        router.on(FollowAPI.following, follows.following)
        router.on(FollowAPI.followers, follows.followers)
        router.on(FollowAPI.follow, follows.follow)
        router.on(FollowAPI.unfollow, follows.unfollow)
        router.on(RegistryAPI.followAbroad, follows.follow)
        router.on(ExportAPI.export, ExportController(self).export)
        let homes = HomeController(self)
        router.on(UserAPI.home, homes.fetch)
        router.on(UserAPI.setHome, homes.set)
        router.on(UserAPI.deleteHome, homes.clear)
    }
}
