import Base

/// What one node tells another, docs/federation, "Deliveries".
public enum DeliveryWord: Sendable, Equatable {
    /// A user of the sender follows one of the receiver.
    case follow(user: UserReference, target: UserReference)
    /// And does no more.
    case unfollow(user: UserReference, target: UserReference)
    /// A user of the sender is not what they were.
    case user(User)
    /// A user of the sender is deleted.
    case userDeleted(UserReference)
    /// How a user of the sender is to their friends.
    case status(UserReference, UserStatus)
    /// What became of a user of the receiver at an instance of the sender.
    case candidate(
        instance: InstanceID, user: UserReference, by: UserReference, action: CandidateAction)
    /// Something at the receiver is reported to its administrators, by whom is not said.
    case report(ReportSubject, Reason)

    /// Its name on the wire.
    public var type: DeliveryType {
        switch self {
        case .follow: .follow
        case .unfollow: .unfollow
        case .user: .user
        case .userDeleted: .userDeleted
        case .status: .status
        case .candidate(_, _, _, let action): action == .invited ? .invite : .candidate
        case .report: .report
        }
    }
}

/// The kinds of ``DeliveryWord``.
public enum DeliveryType: String, Sendable, Codable, CaseIterable {
    case follow, unfollow, user, status, invite, candidate, report
    case userDeleted = "user-deleted"
}

/// One item of a stream of deliveries.
public struct Delivery: Sendable, Equatable {
    /// Rises by one in a stream, with gaps where something newer has replaced an item.
    public let id: Int64
    /// When it was so.
    public let at: Timestamp
    /// What is told.
    public let word: DeliveryWord

    /// That item.
    public init(id: Int64, at: Timestamp, _ word: DeliveryWord) {
        self.id = id
        self.at = at
        self.word = word
    }
}

extension Delivery: Codable {
    private enum CodingKeys: String, CodingKey {
        case id, type, at, user, target, status, instance, by, action, about, reason
    }

    /// Reads an item by its `type`.
    public init(from decoder: any Decoder) throws {
        let item = try decoder.container(keyedBy: CodingKeys.self)
        id = try item.decode(Int64.self, forKey: .id)
        at = try item.decode(Timestamp.self, forKey: .at)
        func user() throws -> UserReference {
            try item.decode(UserReference.self, forKey: .user)
        }
        switch try item.decode(DeliveryType.self, forKey: .type) {
        case .follow:
            word = .follow(
                user: try user(), target: try item.decode(UserReference.self, forKey: .target))
        case .unfollow:
            word = .unfollow(
                user: try user(), target: try item.decode(UserReference.self, forKey: .target))
        case .user: word = .user(try item.decode(User.self, forKey: .user))
        case .userDeleted: word = .userDeleted(try user())
        case .status:
            word = .status(try user(), try item.decode(UserStatus.self, forKey: .status))
        case .invite, .candidate:
            word = .candidate(
                instance: try item.decode(InstanceID.self, forKey: .instance), user: try user(),
                by: try item.decode(UserReference.self, forKey: .by),
                action: try item.decode(CandidateAction.self, forKey: .action))
        case .report:
            word = .report(
                try item.decode(ReportSubject.self, forKey: .about),
                try item.decode(Reason.self, forKey: .reason))
        }
    }

    /// Writes what `init(from:)` reads.
    public func encode(to encoder: any Encoder) throws {
        var item = encoder.container(keyedBy: CodingKeys.self)
        try item.encode(id, forKey: .id)
        try item.encode(word.type, forKey: .type)
        try item.encode(at, forKey: .at)
        switch word {
        case .follow(let user, let target), .unfollow(let user, let target):
            try item.encode(user, forKey: .user)
            try item.encode(target, forKey: .target)
        case .user(let user): try item.encode(user, forKey: .user)
        case .userDeleted(let user): try item.encode(user, forKey: .user)
        case .status(let user, let status):
            try item.encode(user, forKey: .user)
            try item.encode(status, forKey: .status)
        case .candidate(let instance, let user, let by, let action):
            try item.encode(instance, forKey: .instance)
            try item.encode(user, forKey: .user)
            try item.encode(by, forKey: .by)
            try item.encode(action, forKey: .action)
        case .report(let about, let reason):
            try item.encode(about, forKey: .about)
            try item.encode(reason, forKey: .reason)
        }
    }
}

/// The name of a stream of deliveries, random, as long-lived as the queue that it comes from.
public struct StreamName: TextScalar {
    /// As it was made.
    public let text: String

    /// 8 to 64 letters, digits, `-` and `_`.
    public init?(_ text: String) {
        guard Self.shape.accepts(text) else { return nil }
        self.text = text
    }

    /// `^[A-Za-z0-9_-]{8,64}$`
    public static let shape = TextShape(
        8...64,
        .ascii(
            any: .letters + .digits + ASCIISet("-_"), first: .letters + .digits + ASCIISet("-_")),
        pattern: "^[A-Za-z0-9_-]{8,64}$",
        expectation: "8 to 64 letters, digits, - or _", sample: "4cF1b2qZ")
}
