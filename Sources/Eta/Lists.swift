import API
import Base
import Domain
import Storage

/// Several ids as one argument, so that what belongs to a page of objects is read by one query.
struct IDList<Kind: IDKind>: ColumnValue {
    let ids: [ID<Kind>]

    init(_ ids: [ID<Kind>]) { self.ids = ids }

    var stored: SQLValue { .blob(ids.flatMap(\.bytes)) }

    init?(stored: SQLValue) {
        guard case .blob(let bytes) = stored, bytes.count % 16 == 0 else { return nil }
        ids = stride(from: 0, to: bytes.count, by: 16).compactMap { at in
            ID(bytes: Array(bytes[at..<at + 16]))
        }
    }
}

extension SQL {
    /// The ids of an ``IDList`` in `?1` as a table of one column: `WHERE id IN (\(SQL.idList))`.
    static let idList = ids(in: "?1")

    /// The same of any argument.
    static func ids(in argument: SQL) -> SQL {
        """
        WITH RECURSIVE place (at) AS (
            SELECT 1 UNION ALL SELECT at + 16 FROM place WHERE at + 16 < length(\(argument)))
        SELECT substr(\(argument), at, 16) FROM place
        """
    }
}

/// People of any node as one text, each with a blank before and after it: whether one is among
/// them is `instr(contributors, ' ' || ?1 || ' ')`.
struct PersonList: ColumnValue, Equatable {
    let people: [UserReference]

    init(_ people: [UserReference]) { self.people = people }

    var stored: SQLValue {
        .text(people.isEmpty ? "" : " " + people.map(\.text).joined(separator: " ") + " ")
    }

    init?(stored: SQLValue) {
        guard case .text(let text) = stored else { return nil }
        let words = text.split(separator: " ")
        people = words.compactMap { UserReference(String($0)) }
        guard people.count == words.count else { return nil }
    }
}

extension PageQuery {
    /// What is searched for, in lower case; nil for everything.
    var folded: String? {
        guard let text = search?.text.lowercased(), !text.isEmpty else { return nil }
        return text
    }

    /// Behind which key the page begins; all keys come behind none.
    var start: [UInt8] { after?.key ?? [] }

    /// Behind which text the page begins, where keys are texts.
    var startText: String { String(decoding: start, as: UTF8.self) }

    /// One more than is shown, which tells whether anything follows.
    var reach: Int { limit + 1 }

    /// The page of `found`, of which there may be ``reach``.
    func page<Found, Item: Codable & Sendable>(
        _ found: [Found], total: Int, key: (Found) -> [UInt8], _ item: (Found) -> Item
    ) -> Page<Item> {
        let shown = found.prefix(limit)
        let next = found.count > limit ? shown.last.map { Cursor(key: key($0)).text } : nil
        return Page(items: shown.map(item), next: next, total: total)
    }
}

extension Reference {
    /// The object's id, where it is this node's; `query` is what `?server=` says.
    ///
    /// - Throws: 29 when the two differ, 41 when it is another node's.
    func own(_ query: ServerAddress?, _ node: Node) throws(APIError) -> ID<Kind> {
        guard try ServerAddress.agreed(server, query, home: node.address) == nil else {
            throw APIError(.objectNotInternal)
        }
        return id
    }
}
