import API
import Domain

extension Registry {
    /// Binds the endpoints of assets and their files.
    func bindAssets(_ router: inout Router) {
        let assets = AssetController(self)
        router.on(WorldAPI.assets, assets.list)
        router.on(WorldAPI.createAsset, assets.create)
        router.on(WorldAPI.fetchAsset, assets.fetch)
        router.on(WorldAPI.updateAsset, assets.update)
        router.on(WorldAPI.deleteAsset, assets.delete)
        let files = FileController(self)
        router.on(WorldAPI.file, files.download)
        router.on(WorldAPI.upload, files.upload)
        let keeper = FileKeeper(self)
        let interval = settings.files.sweep
        sweeper.every(interval, "files", first: min(interval, .seconds(5))) {
            () async throws(APIError) in
            try await keeper.sweep()
        }
    }
}
