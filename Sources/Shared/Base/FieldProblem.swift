/// One thing wrong with what somebody sent: where, and what would be right.
public struct FieldProblem: Sendable, Equatable, Codable {
    /// The field's path with dots, such as `assets.0.engine`; empty for the whole.
    public let field: String
    /// What is wrong with it, for people.
    public let message: String

    /// A problem of `field`.
    public init(field: String, message: String) {
        self.field = field
        self.message = message
    }
}

/// Every bad field of a body, not the first alone.
public struct InvalidFields: Error, Sendable, Equatable {
    /// In the order in which the fields were looked at.
    public let problems: [FieldProblem]

    /// These problems.
    public init(problems: [FieldProblem]) { self.problems = problems }
}
