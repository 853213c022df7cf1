import Base
import Domain
import HTTP

/// Users of this node, and through it of others.
public enum UserAPI {
    /// `/api/users`
    public struct ListPath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/users"
        /// What path and query hold.
        public static let parameters =
            PageQuery.parameters + [
                .query("tag", Tag.jsonSchema, "only users with this tag"),
                .query("online", ["type": "boolean"], "only friends who are online"),
                Located.parameter,
            ]
        /// Which part of the list.
        public let page: PageQuery
        /// Only with this tag.
        public let tag: Tag?
        /// Only those of the caller's friends who are online.
        public let online: Bool
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            page = PageQuery(&arguments)
            tag = arguments.value("tag", Tag.expectation) { Tag($0) }
            online = arguments.flag("online")
            _ = Located.server(&arguments)
        }
    }
    /// `/api/users/:id`
    public struct UserPath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/users/:id"
        /// What path and query hold.
        public static let parameters = UserAPI.selectorParameters
        /// Whom it is about.
        public let user: UserSelector
        /// What `?server=` names.
        public let server: ServerAddress?
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            user = try arguments.capture(0, or: .userNotFound) { UserSelector($0) }
            server = Located.server(&arguments)
        }
    }
    /// `/api/users/:id/home`
    public struct HomePath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/users/:id/home"
        /// What path and query hold.
        public static let parameters = UserAPI.selectorParameters
        /// Whom it is about.
        public let user: UserSelector
        /// What `?server=` names.
        public let server: ServerAddress?
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            user = try arguments.capture(0, or: .userNotFound) { UserSelector($0) }
            server = Located.server(&arguments)
        }
    }

    static let selectorParameters: [Parameter] = [
        .path("id", UserSelector.jsonSchema, "an id, a name, `@me`, `@server` or `@admin`"),
        Located.parameter,
    ]

    /// What an update takes; absent fields stay as they are.
    public struct Update: Codable, Sendable {
        /// The username.
        public let username: Username?
        /// The displayname.
        public let displayname: DisplayName?
        /// The display.
        public let display: DisplayName?
        /// The description.
        public let description: Patch<Description>
        /// The status.
        public let status: UserStatus?
        /// The email.
        public let email: Patch<EmailAddress>
        /// The password.
        public let password: Password?
        /// The current.
        public let current: PasswordAttempt?
        /// The tags.
        public let tags: TagSet?
    }
    /// What a deletion takes.
    public struct Deletion: Codable, Sendable {
        /// The password.
        public let password: PasswordAttempt?
    }
    /// What setting the home takes.
    public struct HomeChoice: Codable, Sendable {
        /// The world.
        public let world: WorldReference
    }

    /// Lists users.
    public static let list = Endpoint<ListPath, NoBody, Page<User>>(
        .get, access: .anyone, servedBy: .eta, invalid: .userInvalidInput, readsAbroad: true,
        "users of this node")
    /// A user.
    public static let fetch = Endpoint<UserPath, NoBody, UserView>(
        .get, access: .anyone, servedBy: .eta, invalid: .userInvalidInput,
        errors: [.userNotFound], readsAbroad: true, "a user; with more about oneself")
    /// Changes a user.
    public static let update = Endpoint<UserPath, Update, UserView>(
        .post, access: .themself, servedBy: .eta, invalid: .userInvalidInput,
        errors: [
            .userNotFound, .userCannotUpdate, .alreadyExists, .authInvalidLogin, .tagNotFound,
        ],
        "changes a user")
    /// Deletes a user.
    public static let delete = Endpoint<UserPath, Deletion, Nothing>(
        .delete, access: .themself, servedBy: .eta, invalid: .userInvalidInput,
        errors: [.userNotFound, .userCannotDelete, .authInvalidLogin],
        "deletes an account and all it owns")
    /// A user's home world.
    public static let home = Endpoint<HomePath, NoBody, HomeView>(
        .get, access: .themself, servedBy: .eta, invalid: .userInvalidInput,
        errors: [.userNotFound, .userDontHaveHome] + ErrorCode.ofReadingAbroad, "the home world")
    /// Sets the home world.
    public static let setHome = Endpoint<HomePath, HomeChoice, HomeView>(
        .post, access: .themself, servedBy: .eta, invalid: .userInvalidInput,
        errors: [.userNotFound, .userCannotUpdate, .worldNotFound] + ErrorCode.ofReadingAbroad,
        "sets the home world")
    /// Forgets the home world.
    public static let deleteHome = Endpoint<HomePath, NoBody, Nothing>(
        .delete, access: .themself, servedBy: .eta, invalid: .userInvalidInput,
        errors: [.userNotFound, .userCannotUpdate], "forgets the home world")

    /// All of them.
    public static let all: [EndpointFacts] = [
        list.facts, fetch.facts, update.facts, delete.facts, home.facts, setHome.facts,
        deleteHome.facts,
    ]
}

/// A user as the caller may see them.
public enum UserView: Codable, Sendable, JSONDescribed {
    /// Anybody.
    case user(User)
    /// Somebody who follows one, and whom one follows.
    case friend(UserFriend)
    /// Oneself.
    case themself(UserMe)

    private enum Keys: String, CodingKey { case following, isFriend }

    /// Whatever the object itself is.
    public static var jsonSchema: JSONValue {
        [
            "anyOf": [
                JSONCoder.schema(UserMe.self), JSONCoder.schema(UserFriend.self),
                JSONCoder.schema(User.self),
            ]
        ]
    }
    /// A user.
    public static var sample: UserView {
        .user(
            User(
                id: .sample, username: .sample, displayname: .sample, description: nil,
                thumbnail: nil, banner: nil, tags: [], server: .sample,
                createdAt: Timestamp(milliseconds: 0), updatedAt: Timestamp(milliseconds: 0)))
    }
    /// What it is.
    public static var expectation: String { "a user" }

    /// Reads the fuller one where its fields are there.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Keys.self)
        self =
            if container.contains(.following) {
                .themself(try UserMe(from: decoder))
            } else if container.contains(.isFriend) {
                .friend(try UserFriend(from: decoder))
            } else {
                .user(try User(from: decoder))
            }
    }

    /// Writes the object itself.
    public func encode(to encoder: any Encoder) throws {
        switch self {
        case .user(let user): try user.encode(to: encoder)
        case .friend(let user): try user.encode(to: encoder)
        case .themself(let user): try user.encode(to: encoder)
        }
    }
}

/// A home world: the world, the version to load, and whether it is only the node's fallback.
public struct HomeView: Codable, Sendable {
    /// The world; its fields stand beside the two below.
    public let world: World
    /// The version that was chosen.
    public let version: AssetLabel?
    /// Whether it is the node's fallback and not the user's choice.
    public let fallback: Bool

    private enum CodingKeys: String, CodingKey { case version, fallback }

    /// A home.
    public init(world: World, version: AssetLabel?, fallback: Bool) {
        self.world = world
        self.version = version
        self.fallback = fallback
    }

    /// Reads the world and the two fields beside it.
    public init(from decoder: any Decoder) throws {
        world = try World(from: decoder)
        let container = try decoder.container(keyedBy: CodingKeys.self)
        version = try container.decodeIfPresent(AssetLabel.self, forKey: .version)
        fallback = try container.decode(Bool.self, forKey: .fallback)
    }

    /// Writes the world with the two fields beside its own.
    public func encode(to encoder: any Encoder) throws {
        try world.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encodeIfPresent(version, forKey: .version)
        try container.encode(fallback, forKey: .fallback)
    }
}
