import Base
import Domain
import HTTP

/// Addons for clients and for other servers: the registry of them, and the way to them.
public enum ServiceAPI {
    /// `/api/services`
    public struct ListPath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/services"
        /// What path and query hold.
        public static let parameters =
            PageQuery.parameters + [
                .query("tag", Tag.jsonSchema, "only services with this tag"), Located.parameter,
            ]
        /// Which part of the list.
        public let page: PageQuery
        /// Only with this tag.
        public let tag: Tag?
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            page = PageQuery(&arguments)
            tag = arguments.value("tag", Tag.expectation) { Tag($0) }
            _ = Located.server(&arguments)
        }
    }
    /// `/api/services/:id`
    public struct ServicePath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/services/:id"
        /// What path and query hold.
        public static let parameters = [
            Parameter.path("id", ServiceReference.jsonSchema, "the service"), Located.parameter,
        ]
        /// The service.
        public let service: ServiceReference
        /// What `?server=` names.
        public let server: ServerAddress?
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            service = try arguments.capture(0, or: .serviceNotFound) { ServiceReference($0) }
            server = Located.server(&arguments)
        }
    }
    /// `/services/:id/…`
    public struct ThroughPath: EndpointPath {
        /// Where it stands.
        public static let template = "/services/:id/…"
        /// What path and query hold: the rest is the service's.
        public static let parameters = [
            Parameter.path("id", ServiceID.jsonSchema, "the service")
        ]
        /// The service.
        public let service: ServiceID
        /// Reads the path.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            service = try arguments.capture(0, or: .serviceNotFound) { ServiceID($0) }
        }
    }

    /// What a new service takes.
    public struct Creation: Codable, Sendable {
        /// Its id, a reverse domain name.
        public let id: ServiceID
        /// The title.
        public let title: ServiceTitle
        /// The description.
        public let description: Description?
        /// Where it listens.
        public let address: ServiceAddress
        /// Whether it speaks TLS there.
        public let secure: Bool
        /// The tags.
        public let tags: TagSet?
    }
    /// What changing a service takes; absent fields stay as they are.
    public struct Update: Codable, Sendable {
        /// The title.
        public let title: ServiceTitle?
        /// The description.
        public let description: Patch<Description>
        /// Where it listens.
        public let address: ServiceAddress?
        /// Whether it speaks TLS there.
        public let secure: Bool?
        /// The tags.
        public let tags: TagSet?
        /// Whether it is to get a new credential in place of its own.
        public let renew: Bool?
    }

    /// Lists services.
    public static let list = Endpoint<ListPath, NoBody, Page<Service>>(
        .get, access: .anyone, servedBy: .eta, invalid: .serviceInvalidInput, readsAbroad: true,
        "services of this node")
    /// Registers a service.
    public static let create = Endpoint<ListPath, Creation, Service>(
        .put, access: .person(with: .serviceCreator), servedBy: .eta,
        invalid: .serviceInvalidInput,
        errors: [.serviceAlreadyExists, .tagNotFound, .insufficientStorage], rate: .create,
        created: true, holdsToken: true, "registers a service, and gives it its credential")
    /// A service.
    public static let fetch = Endpoint<ServicePath, NoBody, Service>(
        .get, access: .anyone, servedBy: .eta, invalid: .serviceInvalidInput,
        errors: [.serviceNotFound], readsAbroad: true, "a service")
    /// Changes a service.
    public static let update = Endpoint<ServicePath, Update, Service>(
        .post, access: .ownerInPerson, servedBy: .eta, invalid: .serviceInvalidInput,
        errors: [.serviceNotFound, .tagNotFound], holdsToken: true,
        "changes a service, or renews its credential")
    /// Deletes a service.
    public static let delete = Endpoint<ServicePath, NoBody, Nothing>(
        .delete, access: .ownerInPerson, servedBy: .eta, invalid: .serviceInvalidInput,
        errors: [.serviceNotFound], "deletes a service")
    /// Whatever the service makes of it.
    public static let through = Endpoint<ThroughPath, RawBody, Response>(
        raw: .other, access: .anyone, servedBy: .reil, invalid: .serviceInvalidInput,
        errors: [.serviceNotFound, .serviceUnavailable], credentials: .foreign,
        "passes a request of any method on to the service")

    /// All of them that have a method.
    public static let all: [EndpointFacts] = [
        list.facts, create.facts, fetch.facts, update.facts, delete.facts,
    ]
}
