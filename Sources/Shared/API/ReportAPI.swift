import Base
import Domain
import HTTP

/// What users want administrators to look at.
public enum ReportAPI {
    /// `/api/moderation/reports`
    public struct ListPath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/moderation/reports"
        /// What path and query hold.
        public static let parameters =
            PageQuery.parameters + [
                .query(
                    "state", JSONCoder.schema(ReportState.self), "only those that have come so far")
            ]
        /// Which part of the list.
        public let page: PageQuery
        /// Only those that have come so far.
        public let state: ReportState?
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            page = PageQuery(&arguments)
            state = arguments.value("state", "open, taken or closed") {
                ReportState(rawValue: $0)
            }
        }
    }
    /// `/api/moderation/reports`, for who makes one.
    public struct MakePath: FixedPath {
        /// Where it stands.
        public static let template = ListPath.template
        /// The only value.
        public init() {}
    }
    /// `/api/moderation/reports/:id`
    public struct ReportPath: EndpointPath {
        /// Where it stands.
        public static let template = "/api/moderation/reports/:id"
        /// What path and query hold.
        public static let parameters = [
            Parameter.path("id", ["type": "integer", "minimum": 1], "the report")
        ]
        /// The report.
        public let id: Int64
        /// Reads path and query.
        public init(_ arguments: inout PathArguments) throws(APIError) {
            id = try arguments.capture(0, or: .requestNotFound) { Int64($0) }
        }
    }

    /// What a report takes.
    public struct Making: Codable, Sendable {
        /// What it is about.
        public let about: ReportSubject
        /// What is wrong.
        public let reason: Reason
        /// Whether the administrators of its node are told, too, where that is another one; not by
        /// whom.
        public let forward: Bool?
    }
    /// What becomes of a report.
    public struct Handling: Codable, Sendable {
        /// How far it has come.
        public let state: ReportState
        /// What is said of it; absent: as before.
        public let note: Patch<Reason>
    }

    /// Reports something.
    public static let make = Endpoint<MakePath, Making, Report>(
        .put, access: .present, servedBy: .eta, invalid: .userInvalidInput,
        errors: [.insufficientStorage], rate: .report, created: true,
        "reports something to the administrators")
    /// What was reported, the newest first.
    public static let list = Endpoint<ListPath, NoBody, Page<Report>>(
        .get, access: .administrators, servedBy: .eta, invalid: .userInvalidInput,
        "what was reported, the newest first")
    /// Says what becomes of a report.
    public static let handle = Endpoint<ReportPath, Handling, Report>(
        .post, access: .administrators, servedBy: .eta, invalid: .userInvalidInput,
        errors: [.requestNotFound], "says what becomes of a report")

    /// All of them.
    public static let all: [EndpointFacts] = [make.facts, list.facts, handle.facts]
}
