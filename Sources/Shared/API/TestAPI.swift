import Base
import Domain
import HTTP

/// What only a node that runs for tests answers, docs/operate/testing.md; it is in no OpenAPI document.
public enum TestAPI {
    /// `/api/test/echo`
    public struct EchoPath: FixedPath {
        /// Where it stands.
        public static let template = "/api/test/echo"
        /// The only value.
        public init() {}
    }
    /// `/api/test/clock`
    public struct ClockPath: FixedPath {
        /// Where it stands.
        public static let template = "/api/test/clock"
        /// The only value.
        public init() {}
    }
    /// `/internal/test/clock`
    public struct NodeClockPath: FixedPath {
        /// Where it stands.
        public static let template = "/internal/test/clock"
        /// The only value.
        public init() {}
    }

    /// How far the wall clock is moved.
    public struct Clock: Codable, Sendable {
        /// From where the machine has it, in milliseconds.
        public let offsetMilliseconds: Int64

        /// A clock moved that far.
        public init(offsetMilliseconds: Int64) { self.offsetMilliseconds = offsetMilliseconds }

        private enum CodingKeys: String, CodingKey { case offsetMilliseconds = "offset_ms" }
    }

    /// A WebSocket that says what it hears.
    public static let socket = Endpoint<EchoPath, NoBody, Response>(
        raw: .get, access: .anyone, servedBy: .reil, invalid: .malformedRequest,
        credentials: .ignored, "a WebSocket that says what it hears")
    /// JSON, read and written again.
    public static let echo = Endpoint<EchoPath, JSONValue, JSONValue>(
        .post, access: .anyone, servedBy: .reil, invalid: .malformedRequest,
        credentials: .ignored, "JSON, read and written again")
    /// Moves the node's wall clock.
    public static let clock = Endpoint<ClockPath, Clock, Clock>(
        .post, access: .anyone, servedBy: .reil, invalid: .malformedRequest,
        credentials: .ignored, "moves the node's wall clock")
    /// The same at Eta, which tells all Reil.
    public static let nodeClock = Endpoint<NodeClockPath, Clock, Clock>(
        .post, access: .gateway, servedBy: .eta, invalid: .malformedRequest,
        "moves the node's wall clock")
}
