import Base
import Domain
import HTTP

/// Who follows whom.
public enum FollowAPI {
    /// `/api/users/:id/following`
    public struct FollowingPath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/users/:id/following"
        /// What path and query hold.
        public static let parameters = UserAPI.selectorParameters + PageQuery.parameters
        /// Whose list it is.
        public let user: UserSelector
        /// What `?server=` names.
        public let server: ServerAddress?
        /// Which part of the list.
        public let page: PageQuery
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            user = try arguments.capture(0, or: .userNotFound) { UserSelector($0) }
            server = Located.server(&arguments)
            page = PageQuery(&arguments)
        }
    }
    /// `/api/users/:id/followers`
    public struct FollowersPath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/users/:id/followers"
        /// What path and query hold.
        public static let parameters = UserAPI.selectorParameters + PageQuery.parameters
        /// Whose list it is.
        public let user: UserSelector
        /// What `?server=` names.
        public let server: ServerAddress?
        /// Which part of the list.
        public let page: PageQuery
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            user = try arguments.capture(0, or: .userNotFound) { UserSelector($0) }
            server = Located.server(&arguments)
            page = PageQuery(&arguments)
        }
    }
    /// `/api/users/@me/following/:user`
    public struct FollowPath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/users/@me/following/:user"
        /// What path and query hold.
        public static let parameters: [Parameter] = [
            .path("user", UserSelector.jsonSchema, "whom: an id or a name, and perhaps its node")
        ]
        /// Whom; nobody is asked elsewhere who it is.
        public let user: UserSelector
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            user = try arguments.capture(0, or: .userNotFound) { UserSelector($0) }
        }
    }

    /// Whom a user follows.
    public static let following = Endpoint<FollowingPath, NoBody, Page<UserView>>(
        .get, access: .themself, servedBy: .eta, invalid: .userInvalidInput,
        errors: [.userNotFound], "whom a user follows; of others how many")
    /// Who follows a user.
    public static let followers = Endpoint<FollowersPath, NoBody, Page<UserView>>(
        .get, access: .themself, servedBy: .eta, invalid: .userInvalidInput,
        errors: [.userNotFound], "who follows a user; of others how many")
    /// Follows a user.
    public static let follow = Endpoint<FollowPath, NoBody, UserView>(
        .put, access: .person, servedBy: .eta, invalid: .userInvalidInput,
        errors: [.userNotFound, .alreadyFollowing, .userCannotFetch] + ErrorCode.ofReadingAbroad,
        rate: .meeting,
        "follows a user")
    /// Follows a user no more.
    public static let unfollow = Endpoint<FollowPath, NoBody, UserView>(
        .delete, access: .person, servedBy: .eta, invalid: .userInvalidInput,
        errors: [.userNotFound], "follows a user no more")

    /// All of them.
    public static let all: [EndpointFacts] = [
        following.facts, followers.facts, follow.facts, unfollow.facts,
    ]
}
