import Base
import Domain
import HTTP

/// Accounts opened, logins and their sessions.
public enum AuthAPI {
    /// `/api/auth/register`
    public struct RegisterPath: FixedPath {
        /// Where it stands.
        public static let template = "/api/auth/register"
        /// The only value.
        public init() {}
    }
    /// `/api/auth/login`
    public struct LoginPath: FixedPath {
        /// Where it stands.
        public static let template = "/api/auth/login"
        /// The only value.
        public init() {}
    }
    /// `/api/auth/refresh`
    public struct RefreshPath: FixedPath {
        /// Where it stands.
        public static let template = "/api/auth/refresh"
        /// The only value.
        public init() {}
    }
    /// `/api/auth/sessions`
    public struct SessionsPath: FixedPath {
        /// Where it stands.
        public static let template = "/api/auth/sessions"
        /// The only value.
        public init() {}
    }
    /// `/api/auth/sessions/:id`
    public struct SessionPath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/auth/sessions/:id"
        /// What path and query hold.
        public static let parameters = [
            Parameter.path("id", SessionID.jsonSchema, "the session")
        ]
        /// The session.
        public let id: SessionID
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            id = try arguments.capture(0, or: .sessionNotFound) { SessionID($0) }
        }
    }
    /// `/api/auth/logout`
    public struct LogoutPath: FixedPath {
        /// Where it stands.
        public static let template = "/api/auth/logout"
        /// The only value.
        public init() {}
    }
    /// `/api/auth/password`
    public struct PasswordPath: FixedPath {
        /// Where it stands.
        public static let template = "/api/auth/password"
        /// The only value.
        public init() {}
    }

    /// What opening an account takes.
    public struct Registration: Codable, Sendable {
        /// The username.
        public let username: Username
        /// The password.
        public let password: Password
        /// The displayname.
        public let displayname: DisplayName?
        /// The email.
        public let email: EmailAddress?
        /// The invite.
        public let invite: String?
    }
    /// What a login takes.
    public struct Credentials: Codable, Sendable {
        /// The username.
        public let username: LoginName
        /// The password.
        public let password: PasswordAttempt
    }
    /// What a refresh takes.
    public struct Refresh: Codable, Sendable {
        /// The refresh.
        public let refresh: RefreshToken
    }
    /// What a change of password takes.
    public struct PasswordChange: Codable, Sendable {
        /// The current.
        public let current: PasswordAttempt
        /// The new.
        public let new: Password
    }

    /// Opens an account.
    public static let register = Endpoint<RegisterPath, Registration, Login>(
        .post, access: .anyone, servedBy: .eta, invalid: .authInvalidInput,
        errors: [.alreadyExists, .serviceDisabled], rate: .register, credentials: .ignored,
        created: true, holdsToken: true, "opens an account and logs in")
    /// Logs in.
    public static let login = Endpoint<LoginPath, Credentials, Login>(
        .post, access: .anyone, servedBy: .eta, invalid: .authInvalidInput,
        errors: [.authInvalidLogin, .userSuspended], credentials: .ignored, holdsToken: true,
        "logs in")
    /// Renews a pair of tokens.
    public static let refresh = Endpoint<RefreshPath, Refresh, Login>(
        .post, access: .anyone, servedBy: .eta, invalid: .authInvalidInput,
        errors: [.userNotLogged], credentials: .ignored, holdsToken: true,
        "new tokens for a refresh token")
    /// Lists one's sessions.
    public static let sessions = Endpoint<Paged<SessionsPath>, NoBody, Page<SessionView>>(
        .get, access: .person, servedBy: .eta, invalid: .sessionInvalidInput, "one's own sessions")
    /// Ends all of one's sessions.
    public static let endSessions = Endpoint<SessionsPath, NoBody, Nothing>(
        .delete, access: .person, servedBy: .eta, invalid: .sessionInvalidInput,
        "ends all of one's sessions")
    /// Ends one session.
    public static let endSession = Endpoint<SessionPath, NoBody, Nothing>(
        .delete, access: .person, servedBy: .eta, invalid: .sessionInvalidInput,
        errors: [.sessionNotFound], "ends one session")
    /// Logs out.
    public static let logout = Endpoint<LogoutPath, NoBody, Nothing>(
        .delete, access: .person, servedBy: .eta, invalid: .sessionInvalidInput,
        "ends the current session")
    /// Logs out, as older clients do it.
    public static let logoutByGet = Endpoint<LogoutPath, NoBody, Nothing>(
        .get, access: .person, servedBy: .eta, invalid: .sessionInvalidInput,
        "ends the current session")
    /// Changes the password.
    public static let password = Endpoint<PasswordPath, PasswordChange, Nothing>(
        .post, access: .person, servedBy: .eta, invalid: .authInvalidInput,
        errors: [.authInvalidLogin], "changes the password and ends all other sessions")

    /// All of them.
    public static let all: [EndpointFacts] = [
        register.facts, login.facts, refresh.facts, sessions.facts, endSessions.facts,
        endSession.facts, logout.facts, logoutByGet.facts, password.facts,
    ]
}
