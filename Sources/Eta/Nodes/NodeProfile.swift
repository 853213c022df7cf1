import Base
import Domain

/// What an administrator says of the node.
public struct NodeProfile: Sendable, Equatable {
    /// What it is called.
    public var title: ServerTitle
    /// What it says of itself.
    public var description: Description
    /// Its picture.
    public var icon: WebURL?
    /// When any of these last changed.
    public var updatedAt: Timestamp

    /// A profile of these.
    public init(
        title: ServerTitle, description: Description, icon: WebURL?, updatedAt: Timestamp
    ) {
        self.title = title
        self.description = description
        self.icon = icon
        self.updatedAt = updatedAt
    }
}
