import Base
import Domain
import HTTP

/// Who waits to enter an instance, who asks to, and who was asked to.
public enum WaitingAPI {
    /// `/api/instances/:id/queue`
    public struct QueuePath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/instances/:id/queue"
        /// What path and query hold.
        public static let parameters = InstanceAPI.InstancePath.parameters
        /// The instance.
        public let instance: InstanceSelector
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            instance = try arguments.capture(0, or: .instanceNotFound) { InstanceSelector($0) }
        }
    }
    /// `/api/instances/:id/candidate`
    public struct CandidatePath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/instances/:id/candidate"
        /// What path and query hold.
        public static let parameters = InstanceAPI.InstancePath.parameters
        /// The instance.
        public let instance: InstanceSelector
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            instance = try arguments.capture(0, or: .instanceNotFound) { InstanceSelector($0) }
        }
    }
    /// `/api/instances/:id/candidate`, the list
    public struct CandidatesPath: EndpointPath {
        /// Where it stands.
        public static let template = CandidatePath.template
        /// What path and query hold.
        public static let parameters = CandidatePath.parameters + PageQuery.parameters
        /// The instance.
        public let instance: InstanceSelector
        /// Which part of the list.
        public let page: PageQuery
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            instance = try arguments.capture(0, or: .instanceNotFound) { InstanceSelector($0) }
            page = PageQuery(&arguments)
        }
    }

    /// Whom a call is about; oneself where it names nobody.
    public struct About: Codable, Sendable {
        /// The user.
        public let user: UserReference?

        /// That user.
        public init(user: UserReference? = nil) { self.user = user }
    }

    /// The requests to enter as the staff sees them, or the queue as one who waits sees it.
    public enum Candidates: Codable, Sendable, JSONDescribed {
        /// For owner, moderators, administrators.
        case list(Page<Candidate>)
        /// For everybody else.
        case queue(InstanceQueue)

        private enum Keys: String, CodingKey { case total }

        /// Either.
        public static var jsonSchema: JSONValue {
            [
                "anyOf": [
                    JSONCoder.schema(Page<Candidate>.self), JSONCoder.schema(InstanceQueue.self),
                ]
            ]
        }
        /// An empty queue.
        public static var sample: Candidates { .queue(InstanceQueue(length: 0)) }
        /// What it is.
        public static var expectation: String { "candidates" }

        /// Reads a list where there is a total.
        public init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Keys.self)
            self =
                container.contains(.total)
                ? .list(try Page<Candidate>(from: decoder))
                : .queue(try InstanceQueue(from: decoder))
        }

        /// Writes the one that it is.
        public func encode(to encoder: any Encoder) throws {
            switch self {
            case .list(let page): try page.encode(to: encoder)
            case .queue(let queue): try queue.encode(to: encoder)
            }
        }
    }

    /// The queue.
    public static let queue = Endpoint<QueuePath, NoBody, InstanceQueue>(
        .get, access: .present, servedBy: .eta, invalid: .instanceInvalidInput,
        errors: [.instanceNotFound], volatile: true,
        "the queue: one's own place, and for its staff who waits")
    /// Who asked and who was invited.
    public static let candidates = Endpoint<CandidatesPath, NoBody, Candidates>(
        .get, access: .presentOwner, servedBy: .eta, invalid: .instanceInvalidInput,
        errors: [.instanceNotFound], volatile: true,
        "who asked to enter and who was invited; for who waits the queue")
    /// Joins the queue, asks, invites or lets in.
    public static let apply = Endpoint<CandidatePath, About, Candidate>(
        .post, access: .present, servedBy: .eta, invalid: .instanceInvalidInput,
        errors: [.instanceNotFound, .instanceIsFull, .userNotAllowed, .userNotFound],
        rate: .meeting, "joins the queue or asks to enter; with `user` invites or lets in")
    /// Leaves, or refuses.
    public static let withdraw = Endpoint<CandidatePath, About, Nothing>(
        .delete, access: .present, servedBy: .eta, invalid: .instanceInvalidInput,
        errors: [.instanceNotFound, .userNotFound],
        "leaves the queue, takes a request back; with `user` refuses one")

    /// All of them.
    public static let all: [EndpointFacts] = [
        queue.facts, candidates.facts, apply.facts, withdraw.facts,
    ]
}
