import Base

/// A failure that somebody outside is told of: `code`, `details` and what else stands beside them
/// go to the client; `context` goes to the log alone.
///
/// It has no description on purpose: which half goes where is decided by who writes it out.
public struct APIError: Error, Sendable {
    /// Which row of the table.
    public let code: ErrorCode
    /// What is wrong with which field.
    public let details: [FieldProblem]
    /// After how long to try again, for `Retry-After`.
    public var retryAfter: Duration?
    /// The gateway to repeat the request at, with `.retryWithNewGateway`.
    public var redirect: Gateway?
    /// The methods that the path knows, for `Allow`; with them `.requestNotFound` is 405.
    public var allow: [String] = []
    /// The caller's place, with `.instanceIsFull`.
    public var place: QueuePlace?
    /// The size of the file, with `.rangeNotSatisfiable`.
    public var fileSize: Int64?
    /// A home world on another node, which Reil reads there; with `.serverNotFound`.
    public var world: WorldAbroad?
    /// Why it happened, with words that are nobody's business outside.
    public let context: String
    private var exactStatus: UInt16?

    /// A failure of that row.
    public init(
        _ code: ErrorCode, details: [FieldProblem] = [], retryAfter: Duration? = nil,
        context: String = ""
    ) {
        self.code = code
        self.details = details
        self.retryAfter = retryAfter
        self.context = context
    }

    /// A body or a query that is not valid: `code` is the object's own, such as
    /// `.worldInvalidInput`.
    public init(_ code: ErrorCode, _ invalid: InvalidFields) {
        self.init(code, details: invalid.problems)
    }

    /// One field that is not valid.
    public init(_ code: ErrorCode, field: String, _ message: String) {
        self.init(code, details: [FieldProblem(field: field, message: message)])
    }

    /// The HTTP status to answer with.
    public var status: UInt16 {
        if let exactStatus { return exactStatus }
        return code == .requestNotFound && !allow.isEmpty ? 405 : code.status
    }

    /// The path is known, but not with this method.
    public static func methodNotAllowed(_ allow: [String]) -> APIError {
        var error = APIError(.requestNotFound)
        error.allow = allow
        return error
    }

    /// A bug or a broken disk: the client learns nothing, the log `context`.
    public static func internalError(_ context: String) -> APIError {
        APIError(.internalError, context: context)
    }

    /// More than the rates allow.
    public static func tooManyRequests(retryAfter: Duration) -> APIError {
        APIError(.tooManyRequests, retryAfter: retryAfter)
    }

    /// Refused before work was begun, since there is too much of it or its doer is out of reach.
    public static func overloaded(
        retryAfter: Duration = .seconds(1), context: String = ""
    ) -> APIError {
        APIError(.overloaded, retryAfter: retryAfter, context: context)
    }

    /// Repeat the request once at `gateway`.
    public static func retry(at gateway: Gateway) -> APIError {
        var error = APIError(.retryWithNewGateway)
        error.redirect = gateway
        return error
    }

    /// No place is free; the caller waits at `place`.
    public static func instanceIsFull(_ place: QueuePlace) -> APIError {
        var error = APIError(.instanceIsFull)
        error.place = place
        return error
    }

    /// The world is another node's. A Reil that is told so reads it there; whoever else sees this
    /// has nobody to ask.
    public static func worldAbroad(
        _ world: WorldReference, for purpose: WorldAbroad.Purpose
    ) -> APIError {
        var error = APIError(.serverNotFound)
        error.world = WorldAbroad(world: world, for: purpose)
        return error
    }

    /// The file has not what the range asks for.
    public static func rangeNotSatisfiable(fileSize: Int64) -> APIError {
        var error = APIError(.rangeNotSatisfiable)
        error.fileSize = fileSize
        return error
    }
}

/// Where somebody stands in the queue of a full instance.
public struct QueuePlace: Sendable, Equatable, Codable {
    /// 1 for the next; 0 when a place is held.
    public let position: Int
    /// How many wait.
    public let length: Int

    /// That place of that many.
    public init(position: Int, length: Int) {
        self.position = position
        self.length = length
    }
}
