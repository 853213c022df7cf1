import Base
import Domain
import HTTP

/// Images of users and worlds: PNG, named by their hash in the objects that have them.
public enum ImageAPI {
    /// `/api/users/:id/thumbnail`
    public struct ThumbnailPath: UserImagePath {
        /// Where it stands.
        public static let template = "/api/users/:id/thumbnail"
        /// Whose it is.
        public let user: UserSelector
        /// What `?server=` names.
        public let server: ServerAddress?
        /// Which image is meant.
        public let hash: ContentHash?
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            (user, server, hash) = try Self.read(&arguments)
        }
    }
    /// `/api/users/:id/banner`
    public struct BannerPath: UserImagePath {
        /// Where it stands.
        public static let template = "/api/users/:id/banner"
        /// Whose it is.
        public let user: UserSelector
        /// What `?server=` names.
        public let server: ServerAddress?
        /// Which image is meant.
        public let hash: ContentHash?
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            (user, server, hash) = try Self.read(&arguments)
        }
    }
    /// `/api/worlds/:id/thumbnail`
    public struct WorldThumbnailPath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/worlds/:id/thumbnail"
        /// What path and query hold.
        public static let parameters = [
            WorldAPI.worldParameter, ImageAPI.hashParameter, Located.parameter,
        ]
        /// Whose it is.
        public let world: WorldReference
        /// What `?server=` names.
        public let server: ServerAddress?
        /// Which image is meant.
        public let hash: ContentHash?
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            world = try arguments.capture(0, or: .worldNotFound) { WorldReference($0) }
            hash = arguments.value("hash", ContentHash.expectation) { ContentHash($0) }
            server = Located.server(&arguments)
        }
    }

    fileprivate static let hashParameter = Parameter.query(
        "hash", ContentHash.jsonSchema,
        "the SHA-256 of the image that is meant; with it the answer never changes")

    private static let upload: [ErrorCode] = [
        .unsupportedMediaType, .payloadTooLarge, .insufficientStorage,
    ]

    /// A user's thumbnail.
    public static let thumbnail = Endpoint<ThumbnailPath, NoBody, Response>(
        raw: .get, access: .anyone, servedBy: .eta, invalid: .userInvalidInput,
        errors: [.userNotFound, .rangeNotSatisfiable], readsAbroad: true,
        "a user's thumbnail, a PNG")
    /// Sets it.
    public static let setThumbnail = Endpoint<ThumbnailPath, RawBody, UserView>(
        .post, access: .themself, servedBy: .eta, invalid: .userInvalidInput,
        errors: [.userNotFound, .userCannotUpdate] + upload, rate: .upload,
        "sets a user's thumbnail")
    /// Takes it away.
    public static let deleteThumbnail = Endpoint<ThumbnailPath, NoBody, UserView>(
        .delete, access: .themself, servedBy: .eta, invalid: .userInvalidInput,
        errors: [.userNotFound, .userCannotUpdate], "takes a user's thumbnail away")
    /// A user's banner.
    public static let banner = Endpoint<BannerPath, NoBody, Response>(
        raw: .get, access: .anyone, servedBy: .eta, invalid: .userInvalidInput,
        errors: [.userNotFound, .rangeNotSatisfiable], readsAbroad: true,
        "a user's banner, a PNG")
    /// Sets it.
    public static let setBanner = Endpoint<BannerPath, RawBody, UserView>(
        .post, access: .themself, servedBy: .eta, invalid: .userInvalidInput,
        errors: [.userNotFound, .userCannotUpdate] + upload, rate: .upload,
        "sets a user's banner")
    /// Takes it away.
    public static let deleteBanner = Endpoint<BannerPath, NoBody, UserView>(
        .delete, access: .themself, servedBy: .eta, invalid: .userInvalidInput,
        errors: [.userNotFound, .userCannotUpdate], "takes a user's banner away")
    /// A world's thumbnail.
    public static let worldThumbnail = Endpoint<WorldThumbnailPath, NoBody, Response>(
        raw: .get, access: .anyone, servedBy: .eta, invalid: .worldInvalidInput,
        errors: [.worldNotFound, .rangeNotSatisfiable], readsAbroad: true,
        "a world's thumbnail, a PNG")
    /// Sets it.
    public static let setWorldThumbnail = Endpoint<WorldThumbnailPath, RawBody, World>(
        .post, access: .owner, servedBy: .eta, invalid: .worldInvalidInput,
        errors: [.worldNotFound] + upload, rate: .upload, "sets a world's thumbnail")
    /// Takes it away.
    public static let deleteWorldThumbnail = Endpoint<WorldThumbnailPath, NoBody, World>(
        .delete, access: .owner, servedBy: .eta, invalid: .worldInvalidInput,
        errors: [.worldNotFound], "takes a world's thumbnail away")

    /// All of them.
    public static let all: [EndpointFacts] = [
        thumbnail.facts, setThumbnail.facts, deleteThumbnail.facts, banner.facts, setBanner.facts,
        deleteBanner.facts, worldThumbnail.facts, setWorldThumbnail.facts,
        deleteWorldThumbnail.facts,
    ]
}

/// The path of an image of a user.
public protocol UserImagePath: EndpointPath {
    /// Whose it is.
    var user: UserSelector { get }
    /// What `?server=` names.
    var server: ServerAddress? { get }
    /// Which image is meant.
    var hash: ContentHash? { get }
}

extension UserImagePath {
    /// What path and query hold.
    public static var parameters: [Parameter] {
        UserAPI.selectorParameters + [ImageAPI.hashParameter]
    }

    fileprivate static func read(
        _ arguments: inout PathArguments
    ) throws(APIError) -> (UserSelector, ServerAddress?, ContentHash?) {
        (
            try arguments.capture(0, or: .userNotFound) { UserSelector($0) },
            Located.server(&arguments),
            arguments.value("hash", ContentHash.expectation) { ContentHash($0) }
        )
    }
}
