import Support

/// Nodes that several suites use; what a test changes there is its own users and worlds.
enum Shared {
    /// A node without rates.
    static let plain = Once { try await TestNode.start() }

    /// Another, for what needs two.
    static let other = Once { try await TestNode.start() }
}
