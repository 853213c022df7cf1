import Base
import Domain
import HTTP

/// Worlds, their assets, and the assets' files.
public enum WorldAPI {
    /// `/api/worlds`
    public struct ListPath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/worlds"
        /// What path and query hold.
        public static let parameters =
            PageQuery.parameters + [
                .query("tag", Tag.jsonSchema, "only worlds with this tag"),
                .query("owner", UserReference.jsonSchema, "only worlds of this user"),
                Located.parameter,
            ]
        /// Which part of the list.
        public let page: PageQuery
        /// Only with this tag.
        public let tag: Tag?
        /// Only of this user.
        public let owner: UserReference?
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            page = PageQuery(&arguments)
            tag = arguments.value("tag", Tag.expectation) { Tag($0) }
            owner = arguments.value("owner", UserReference.expectation) { UserReference($0) }
            _ = Located.server(&arguments)
        }
    }
    /// `/api/worlds/:id`
    public struct WorldPath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/worlds/:id"
        /// What path and query hold.
        public static let parameters = [worldParameter, Located.parameter]
        /// The world.
        public let world: WorldReference
        /// What `?server=` names.
        public let server: ServerAddress?
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            world = try arguments.capture(0, or: .worldNotFound) { WorldReference($0) }
            server = Located.server(&arguments)
        }
    }
    /// `/api/worlds/:id/assets`
    public struct AssetsPath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/worlds/:id/assets"
        /// What path and query hold.
        public static let parameters =
            [worldParameter] + PageQuery.parameters + [
                .query("engine", AssetLabel.jsonSchema, "only for this engine"),
                .query("platform", AssetLabel.jsonSchema, "only for this platform"),
                .query("version", AssetLabel.jsonSchema, "only of this version"),
                .query("empty", ["type": "boolean"], "with those that have no file yet"),
                Located.parameter,
            ]
        /// The world.
        public let world: WorldReference
        /// What `?server=` names.
        public let server: ServerAddress?
        /// Which part of the list.
        public let page: PageQuery
        /// Only for this engine.
        public let engine: AssetLabel?
        /// Only for this platform.
        public let platform: AssetLabel?
        /// Only of this version.
        public let version: AssetLabel?
        /// With those that have no file yet.
        public let empty: Bool
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            world = try arguments.capture(0, or: .worldNotFound) { WorldReference($0) }
            page = PageQuery(&arguments)
            engine = arguments.value("engine", AssetLabel.expectation) { AssetLabel($0) }
            platform = arguments.value("platform", AssetLabel.expectation) { AssetLabel($0) }
            version = arguments.value("version", AssetLabel.expectation) { AssetLabel($0) }
            empty = arguments.flag("empty")
            server = Located.server(&arguments)
        }
    }
    /// `/api/worlds/:id/assets/:asset`
    public struct AssetPath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/worlds/:id/assets/:asset"
        /// What path and query hold.
        public static let parameters = [worldParameter, assetParameter, Located.parameter]
        /// The world.
        public let world: WorldReference
        /// What `?server=` names.
        public let server: ServerAddress?
        /// The asset.
        public let asset: AssetID
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            world = try arguments.capture(0, or: .worldNotFound) { WorldReference($0) }
            asset = try arguments.capture(1, or: .assetNotFound) { AssetID($0) }
            server = Located.server(&arguments)
        }
    }
    /// `/api/worlds/:id/assets/:asset/file`
    public struct FilePath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/worlds/:id/assets/:asset/file"
        /// What path and query hold.
        public static let parameters = [
            worldParameter, assetParameter,
            Parameter.query(
                "hash", ContentHash.jsonSchema, "the SHA-256 that the file has or must have"),
            Located.parameter,
        ]
        /// The world.
        public let world: WorldReference
        /// What `?server=` names.
        public let server: ServerAddress?
        /// The asset.
        public let asset: AssetID
        /// What `?hash=` says.
        public let hash: ContentHash?
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            world = try arguments.capture(0, or: .worldNotFound) { WorldReference($0) }
            asset = try arguments.capture(1, or: .assetNotFound) { AssetID($0) }
            hash = arguments.value("hash", ContentHash.expectation) { ContentHash($0) }
            server = Located.server(&arguments)
        }
    }

    static let worldParameter = Parameter.path("id", WorldReference.jsonSchema, "the world")
    static let assetParameter = Parameter.path("asset", AssetID.jsonSchema, "the asset")

    /// What a new world takes.
    public struct Creation: Codable, Sendable {
        /// Its id.
        public let id: WorldID?
        /// The title.
        public let title: WorldTitle
        /// The description.
        public let description: WorldDescription?
        /// The capacity.
        public let capacity: Capacity?
        /// The tags.
        public let tags: TagSet?
    }
    /// What changing a world takes; absent fields stay as they are.
    public struct Update: Codable, Sendable {
        /// The title.
        public let title: WorldTitle?
        /// The description.
        public let description: Patch<WorldDescription>
        /// The capacity.
        public let capacity: Capacity?
        /// The tags.
        public let tags: TagSet?
        /// The contributors.
        public let contributors: [UserReference]?
    }
    /// What a new asset takes; `url` with `hash` and `size`, for a file that lies elsewhere.
    public struct AssetCreation: Codable, Sendable {
        /// Its id.
        public let id: AssetID?
        /// The version.
        public let version: AssetLabel
        /// The engine.
        public let engine: AssetLabel
        /// The platform.
        public let platform: AssetLabel
        /// The url.
        public let url: SecureURL?
        /// The hash.
        public let hash: ContentHash?
        /// The size.
        public let size: FileSize?
    }
    /// What changing an asset takes; absent fields stay as they are.
    public struct AssetUpdate: Codable, Sendable {
        /// The version.
        public let version: AssetLabel?
        /// The engine.
        public let engine: AssetLabel?
        /// The platform.
        public let platform: AssetLabel?
        /// The url.
        public let url: Patch<SecureURL>
        /// The hash.
        public let hash: ContentHash?
        /// The size.
        public let size: FileSize?
    }
    /// The answer to an upload: the asset once its file is whole, else how much of it is there.
    public enum UploadState: Codable, Sendable, JSONDescribed {
        /// So many bytes have arrived, and more are to come.
        case received(Int64)
        /// The file is whole; the asset's fields, with `received` beside them.
        case complete(Asset)

        private enum CodingKeys: String, CodingKey { case received, id }

        /// Either object.
        public static var jsonSchema: JSONValue {
            [
                "anyOf": [
                    JSONCoder.schema(Asset.self),
                    [
                        "type": "object", "required": ["received"],
                        "properties": ["received": ["type": "integer", "minimum": 0]],
                    ],
                ]
            ]
        }
        /// Nothing yet.
        public static var sample: UploadState { .received(0) }
        /// What it is.
        public static var expectation: String { "an asset, or how many bytes of it arrived" }

        /// Reads the asset where there is one.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: CodingKeys.self)
            self =
                container.contains(.id)
                ? .complete(try Asset(from: decoder))
                : .received(try container.decode(Int64.self, forKey: .received))
        }

        /// Writes the asset's own fields and `received`, or `received` alone.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            switch self {
            case .received(let count): try container.encode(count, forKey: .received)
            case .complete(let asset):
                try asset.encode(to: encoder)
                try container.encode(asset.size?.number ?? 0, forKey: .received)
            }
        }
    }

    /// Lists worlds.
    public static let list = Endpoint<ListPath, NoBody, Page<World>>(
        .get, access: .anyone, servedBy: .eta, invalid: .worldInvalidInput, readsAbroad: true,
        "worlds of this node")
    /// Makes a world.
    public static let create = Endpoint<ListPath, Creation, World>(
        .put, access: .user(with: .worldCreator), servedBy: .eta, invalid: .worldInvalidInput,
        errors: [.worldAlreadyExists, .tagNotFound], rate: .create, created: true, "makes a world")
    /// A world.
    public static let fetch = Endpoint<WorldPath, NoBody, World>(
        .get, access: .anyone, servedBy: .eta, invalid: .worldInvalidInput,
        errors: [.worldNotFound], readsAbroad: true, "a world")
    /// Changes a world.
    public static let update = Endpoint<WorldPath, Update, World>(
        .post, access: .owner, servedBy: .eta, invalid: .worldInvalidInput,
        errors: [.worldNotFound, .tagNotFound], "changes a world")
    /// Deletes a world.
    public static let delete = Endpoint<WorldPath, NoBody, Nothing>(
        .delete, access: .owner, servedBy: .eta, invalid: .worldInvalidInput,
        errors: [.worldNotFound], "deletes a world and its assets")
    /// Lists assets.
    public static let assets = Endpoint<AssetsPath, NoBody, Page<Asset>>(
        .get, access: .anyone, servedBy: .eta, invalid: .assetInvalidInput,
        errors: [.worldNotFound], readsAbroad: true, "assets of a world")
    /// Makes an asset.
    public static let createAsset = Endpoint<AssetsPath, AssetCreation, Asset>(
        .put, access: .owner, servedBy: .eta, invalid: .assetInvalidInput,
        errors: [.worldNotFound, .assetAlreadyExists, .assetUploadRefused], created: true,
        "makes an asset")
    /// An asset.
    public static let fetchAsset = Endpoint<AssetPath, NoBody, Asset>(
        .get, access: .anyone, servedBy: .eta, invalid: .assetInvalidInput,
        errors: [.worldNotFound, .assetNotFound], readsAbroad: true, "an asset")
    /// Changes an asset.
    public static let updateAsset = Endpoint<AssetPath, AssetUpdate, Asset>(
        .post, access: .owner, servedBy: .eta, invalid: .assetInvalidInput,
        errors: [.worldNotFound, .assetNotFound, .assetAlreadyExists, .assetUploadRefused],
        "changes an asset")
    /// Deletes an asset.
    public static let deleteAsset = Endpoint<AssetPath, NoBody, Nothing>(
        .delete, access: .owner, servedBy: .eta, invalid: .assetInvalidInput,
        errors: [.worldNotFound, .assetNotFound], "deletes an asset")
    /// The file of an asset.
    public static let file = Endpoint<FilePath, NoBody, Response>(
        raw: .get, access: .anyone, servedBy: .eta, invalid: .assetInvalidInput,
        errors: [.worldNotFound, .assetNotFound, .fileNotUploaded, .rangeNotSatisfiable],
        readsAbroad: true, "the bytes of an asset")
    /// Uploads the file of an asset.
    public static let upload = Endpoint<FilePath, RawBody, UploadState>(
        .post, access: .owner, servedBy: .eta, invalid: .assetInvalidInput,
        errors: [
            .worldNotFound, .assetNotFound, .assetUploadRefused, .assetInvalidFile,
            .payloadTooLarge, .insufficientStorage,
        ],
        rate: .upload, "uploads the bytes of an asset")

    /// All of them.
    public static let all: [EndpointFacts] = [
        list.facts, create.facts, fetch.facts, update.facts, delete.facts, assets.facts,
        createAsset.facts, fetchAsset.facts, updateAsset.facts, deleteAsset.facts, file.facts,
        upload.facts,
    ]
}
