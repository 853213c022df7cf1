import API

extension Registry {
    /// Binds the endpoints of images.
    func bindImages(_ router: inout Router) {
        let thumbnails = UserImageController(self, \.thumbnail)
        router.on(ImageAPI.thumbnail, thumbnails.fetch)
        router.on(ImageAPI.setThumbnail, thumbnails.set)
        router.on(ImageAPI.deleteThumbnail, thumbnails.delete)
        let banners = UserImageController(self, \.banner)
        router.on(ImageAPI.banner, banners.fetch)
        router.on(ImageAPI.setBanner, banners.set)
        router.on(ImageAPI.deleteBanner, banners.delete)
        let worlds = WorldImageController(self)
        router.on(ImageAPI.worldThumbnail, worlds.fetch)
        router.on(ImageAPI.setWorldThumbnail, worlds.set)
        router.on(ImageAPI.deleteWorldThumbnail, worlds.delete)
    }
}
