import Base
import Domain
import HTTP

/// Records of live instances.
public enum InstanceAPI {
    /// `/api/instances`
    public struct ListPath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/instances"
        /// What path and query hold.
        public static let parameters =
            PageQuery.parameters + [
                .query("tag", Tag.jsonSchema, "only instances with this tag"),
                .query("owner", UserReference.jsonSchema, "only instances of this user"),
                .query("world", WorldReference.jsonSchema, "only instances of this world"),
            ]
        /// Which part of the list.
        public let page: PageQuery
        /// Only with this tag.
        public let tag: Tag?
        /// Only of this user.
        public let owner: UserReference?
        /// Only of this world.
        public let world: WorldReference?
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            page = PageQuery(&arguments)
            tag = arguments.value("tag", Tag.expectation) { Tag($0) }
            owner = arguments.value("owner", UserReference.expectation) { UserReference($0) }
            world = arguments.value("world", WorldReference.expectation) { WorldReference($0) }
        }
    }
    /// `/api/instances/:id`
    public struct InstancePath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/instances/:id"
        /// What path and query hold.
        public static let parameters = [
            Parameter.path("id", InstanceSelector.jsonSchema, "the instance, by id or name")
        ]
        /// The instance.
        public let instance: InstanceSelector
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            instance = try arguments.capture(0, or: .instanceNotFound) { InstanceSelector($0) }
        }
    }

    /// What a new instance takes.
    public struct Creation: Codable, Sendable {
        /// The world.
        public let world: WorldReference
        /// The name.
        public let name: InstanceName?
        /// The title.
        public let title: InstanceTitle?
        /// The description.
        public let description: Description?
        /// The capacity.
        public let capacity: Capacity?
        /// The tags.
        public let tags: TagSet?
        /// The moderators.
        public let moderators: [UserReference]?
        /// The ins.
        public let ins: InsName?
    }
    /// What changing an instance takes; absent fields stay as they are.
    public struct Update: Codable, Sendable {
        /// The name.
        public let name: InstanceName?
        /// The title.
        public let title: Patch<InstanceTitle>
        /// The description.
        public let description: Patch<Description>
        /// The capacity.
        public let capacity: Capacity?
        /// The tags.
        public let tags: TagSet?
        /// The moderators.
        public let moderators: [UserReference]?
        /// The owner.
        public let owner: UserReference?
    }

    /// Lists instances.
    public static let list = Endpoint<ListPath, NoBody, Page<Instance>>(
        .get, access: .anyone, servedBy: .eta, invalid: .instanceInvalidInput,
        "instances that the caller may see")
    /// Makes an instance.
    public static let create = Endpoint<ListPath, Creation, Instance>(
        .put, access: Access([.user, .visitor], tag: .instanceCreator, word: "X"),
        servedBy: .eta, invalid: .instanceInvalidInput,
        errors: [
            .worldNotFound, .instanceAlreadyExists, .noInstanceServer, .tagNotFound,
            .serviceDisabled,
        ] + ErrorCode.ofReadingAbroad,
        rate: .create, created: true, "makes an instance of a world")
    /// An instance.
    public static let fetch = Endpoint<InstancePath, NoBody, Instance>(
        .get, access: .anyone, servedBy: .eta, invalid: .instanceInvalidInput,
        errors: [.instanceNotFound], "an instance")
    /// Changes an instance.
    public static let update = Endpoint<InstancePath, Update, Instance>(
        .post, access: .presentOwner, servedBy: .eta, invalid: .instanceInvalidInput,
        errors: [.instanceNotFound, .instanceAlreadyExists, .tagNotFound], "changes an instance")
    /// Ends an instance.
    public static let delete = Endpoint<InstancePath, NoBody, Nothing>(
        .delete, access: .presentOwner, servedBy: .eta, invalid: .instanceInvalidInput,
        errors: [.instanceNotFound], "ends an instance")

    /// All of them.
    public static let all: [EndpointFacts] = [
        list.facts, create.facts, fetch.facts, update.facts, delete.facts,
    ]
}
