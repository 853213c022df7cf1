import Base
import Domain

/// What a client may hear unasked, docs/client/socket.md. A group covers all events under it.
public enum SocketEvent: String, Codable, Sendable, CaseIterable {
    case all
    case ping
    case authentication
    case authenticated
    case unauthenticated
    case subscribed
    case unsubscribed
    case update
    case updateUser = "update-user"
    case updateServer = "update-server"
    case updateWorld = "update-world"
    case updateService = "update-service"
    case updateInstance = "update-instance"
    case instance
    case instanceJoined = "instance-joined"
    case instanceLeft = "instance-left"
    case instanceData = "instance-data"
    case instanceTransform = "instance-transform"
    case instanceObject = "instance-object"
    case instanceModeration = "instance-moderation"
    case instanceCandidate = "instance-candidate"
    case instanceQueue = "instance-queue"

    /// The group that covers it; nil for the group of everything.
    public var group: SocketEvent? {
        switch self {
        case .all: nil
        case .ping, .authentication, .subscribed, .unsubscribed, .update, .instance: .all
        case .authenticated, .unauthenticated: .authentication
        case .updateUser, .updateServer, .updateWorld, .updateService, .updateInstance: .update
        case .instanceJoined, .instanceLeft, .instanceData, .instanceTransform, .instanceObject,
            .instanceModeration, .instanceCandidate, .instanceQueue:
            .instance
        }
    }

    /// Whether it is sent to those whom it concerns without a subscription.
    public var isAlwaysSent: Bool {
        switch self {
        case .authenticated, .unauthenticated, .subscribed, .unsubscribed, .instanceJoined,
            .instanceLeft, .instanceData, .instanceTransform, .instanceObject,
            .instanceModeration, .instanceCandidate, .instanceQueue:
            true
        case .all, .ping, .authentication, .update, .updateUser, .updateServer, .updateWorld,
            .updateService, .updateInstance, .instance:
            false
        }
    }

    /// Whether a subscription to `events` covers it.
    public func isCovered(by events: Set<SocketEvent>) -> Bool {
        var at: SocketEvent? = self
        while let event = at {
            if events.contains(event) { return true }
            at = event.group
        }
        return false
    }
}
