import Base
import Domain
import HTTP

/// The node itself, its clock, its health and its documents.
public enum ServerAPI {
    /// `/api/server`
    public struct ServerPath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/server"
        /// What path and query hold.
        public static let parameters = [Located.parameter]
        /// The node that is asked, where `?server=` names one.
        public let server: ServerAddress?
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            server = Located.server(&arguments)
        }
    }
    /// `/api/server@:server`
    public struct ServerAtPath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/server@:server"
        /// What path and query hold.
        public static let parameters = [
            Parameter.path("server", ServerAddress.jsonSchema, "the node that is asked")
        ]
        /// The node that is asked.
        public let server: ServerAddress
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            server = try arguments.capture(0, or: .serverNotFound) { ServerAddress($0) }
        }
    }
    /// `/api/time`
    public struct TimePath: FixedPath {
        /// Where it stands.
        public static let template = "/api/time"
        /// The only value.
        public init() {}
    }
    /// `/api/health`
    public struct HealthPath: FixedPath {
        /// Where it stands.
        public static let template = "/api/health"
        /// The only value.
        public init() {}
    }
    /// `/.well-known/avr`
    public struct DiscoveryPath: FixedPath {
        /// Where it stands.
        public static let template = "/.well-known/avr"
        /// The only value.
        public init() {}
    }
    /// `/api/openapi.json`
    public struct OpenAPIPath: FixedPath {
        /// Where it stands.
        public static let template = "/api/openapi.json"
        /// The only value.
        public init() {}
    }
    /// `/api/ws`
    public struct SocketPath: FixedPath {
        /// Where it stands.
        public static let template = "/api/ws"
        /// The only value.
        public init() {}
    }

    /// What an administrator says of the node; absent fields stay as they are.
    public struct Update: Codable, Sendable {
        /// What it is called.
        public let title: ServerTitle?
        /// What it says of itself.
        public let description: Patch<Description>
        /// Its picture.
        public let icon: Patch<WebURL>
    }

    /// Whether each role can work.
    public struct Health: Codable, Sendable {
        /// `up`, or `down` while a credential could not be checked.
        public let reil: String
        /// `up`, or `down` while it is out of reach.
        public let eta: String
        /// How many Ins are linked here.
        public let ins: Int

        /// A state of health.
        public init(reil: String, eta: String, ins: Int) {
            self.reil = reil
            self.eta = eta
            self.ins = ins
        }
    }

    /// The node.
    public static let fetch = Endpoint<ServerPath, NoBody, Server>(
        .get, access: .anyone, servedBy: .reil, invalid: .serverInvalidInput,
        readsAbroad: true, "the node, or with `server` another one")
    /// Another node.
    public static let fetchAt = Endpoint<ServerAtPath, NoBody, Server>(
        .get, access: .user, servedBy: .reil, invalid: .serverInvalidInput,
        errors: [.userCannotFetch], readsAbroad: true, "another node")
    /// Changes what is said of the node.
    public static let update = Endpoint<ServerPath, Update, Server>(
        .post, access: .administrators, servedBy: .eta, invalid: .serverInvalidInput,
        errors: [.objectNotInternal], "changes the node's title, description and icon")
    /// The clock.
    public static let time = Endpoint<TimePath, NoBody, Timestamp>(
        .get, access: .anyone, servedBy: .reil, invalid: .malformedRequest, volatile: true,
        "the node's clock in milliseconds")
    /// Readiness. It looks at no credential: where Eta cannot be asked about one it says so all the
    /// same.
    public static let health = Endpoint<HealthPath, NoBody, Health>(
        .get, access: .anyone, servedBy: .reil, invalid: .malformedRequest,
        errors: [.overloaded], credentials: .ignored, volatile: true, "readiness of each role")
    /// The discovery document.
    public static let discovery = Endpoint<DiscoveryPath, NoBody, Response>(
        raw: .get, access: .anyone, servedBy: .reil, invalid: .malformedRequest,
        credentials: .ignored, "the discovery document, without an envelope")
    /// The OpenAPI document.
    public static let openAPI = Endpoint<OpenAPIPath, NoBody, Response>(
        raw: .get, access: .anyone, servedBy: .reil, invalid: .malformedRequest,
        "this document, without an envelope")
    /// The socket.
    public static let socket = Endpoint<SocketPath, NoBody, Response>(
        raw: .get, access: Access([.nobody, .user, .visitor, .ins], word: "–"), servedBy: .reil,
        invalid: .malformedRequest, "the WebSocket; 400 without an upgrade")

    /// All of them.
    public static let all: [EndpointFacts] = [
        fetch.facts, update.facts, fetchAt.facts, time.facts, health.facts, discovery.facts,
        openAPI.facts,
        socket.facts,
    ]
}

/// `?server=`, which means the same as `id@server`.
public enum Located {
    /// The parameter for the OpenAPI document.
    public static let parameter = Parameter.query(
        "server", ServerAddress.jsonSchema, "the node that holds it; the same as `id@server`")

    /// The node that the query names.
    public static func server(_ arguments: inout PathArguments) -> ServerAddress? {
        arguments.value("server", ServerAddress.expectation) { ServerAddress($0) }
    }
}
