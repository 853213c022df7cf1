import Base
import Domain

/// A list's answer: some items, and where to go on.
public struct Page<Item: Codable & Sendable>: Codable, Sendable {
    /// The items, in the list's order.
    public let items: [Item]
    /// What to pass as `after` for the next ones; nil at the end.
    public let next: String?
    /// How many there are in all.
    public let total: Int

    /// A page.
    public init(items: [Item], next: String?, total: Int) {
        self.items = items
        self.next = next
        self.total = total
    }
}

/// A position in a list: the sort key of the last item shown. Stable when others are inserted,
/// since it names a place in the order and not a count.
public struct Cursor: Sendable, Equatable {
    /// The key's bytes: an id, or an id with what is sorted by before it.
    public let key: [UInt8]

    /// The position behind the item with this key.
    public init(key: [UInt8]) { self.key = key }

    /// Reads what `text` wrote.
    public init?(_ text: String) {
        guard text.utf8.count <= 256, let key = Base64.decodeURL(text), !key.isEmpty else {
            return nil
        }
        self.key = key
    }

    /// The opaque text for clients.
    public var text: String { Base64.encodeURL(key) }
}

/// What every list takes: `limit`, `after`, `q`.
public struct PageQuery: Sendable {
    /// At most this many items, 1–100.
    public let limit: Int
    /// Only what comes behind.
    public let after: Cursor?
    /// Only what has this in its name or title.
    public let search: SearchText?

    /// The parameters for the OpenAPI document.
    public static let parameters: [Parameter] = [
        .query(
            "limit", ["type": "integer", "minimum": 1, "maximum": 100, "default": 20],
            "at most this many items"),
        .query("after", ["type": "string"], "the `next` of the page before"),
        .query("q", SearchText.jsonSchema, "only what has this in its name or title"),
    ]

    /// The first `limit` items.
    public init(limit: Int = 20, after: Cursor? = nil, search: SearchText? = nil) {
        self.limit = limit
        self.after = after
        self.search = search
    }

    /// Reads the three fields.
    public init(_ arguments: inout PathArguments) {
        limit =
            arguments.value("limit", "a number from 1 to 100") { text in
                Int(text).flatMap { (1...100).contains($0) ? $0 : nil }
            } ?? 20
        after = arguments.value("after", "the `next` of a page", Cursor.init)
        search = arguments.value("q", SearchText.expectation) { SearchText($0) }
    }
}

/// A path that holds nothing, asked for its list.
public struct Paged<Base: FixedPath>: EndpointPath {
    /// Where it stands.
    public static var template: String { Base.template }
    /// What the query holds.
    public static var parameters: [Parameter] { PageQuery.parameters }
    /// Which part of the list.
    public let page: PageQuery
    /// Reads the query.
    public init(_ arguments: inout PathArguments) throws(APIError) { page = PageQuery(&arguments) }
}
