import API
import Base
import Domain
import HTTP
import Support

/// The endpoint table as the tests walk it.
enum EndpointTable {
    /// `GET /api/users/:id` of each row, as test arguments.
    static let names = AllEndpoints.all.map(\.name)

    /// The row of that name.
    static func row(_ name: String) -> EndpointFacts {
        guard let row = AllEndpoints.all.first(where: { $0.name == name }) else {
            preconditionFailure("no endpoint \(name)")
        }
        return row
    }
}

extension EndpointFacts {
    var name: String { "\(method.name) \(template)" }

    /// Ids of the right kind that are nobody's, for all captures.
    var unknownTarget: String { target(kinds.map { Self.unknown($0) }) }

    /// Ids of another kind than the path wants.
    var foreignKindTarget: String {
        target(kinds.map { $0 == "u" ? Self.unknown("w") : Self.unknown("u") })
    }

    /// The prefix of the id that each capture wants; `server` is an address, `service` a domain
    /// name, `number` a number.
    var kinds: [String] {
        template.split(separator: "/").filter { $0.contains(":") }.map { part in
            if part.hasPrefix("server@") { return "server" }
            if part == ":asset" { return "f" }
            let resource = template.split(separator: "/")[1]
            switch resource {
            case "users": return "u"
            case "worlds": return "w"
            case "instances": return "i"
            case "challenges": return "c"
            case "integrity": return "t"
            case "auth": return "s"
            case "services": return "service"
            case "moderation": return "number"
            case _: return "u"
            }
        }
    }

    /// Whether it takes JSON.
    var takesJSON: Bool { if case .json = body { true } else { false } }

    /// The schema of its body.
    var bodySchema: JSONObject? {
        if case .json(let schema) = body { schema.objectValue } else { nil }
    }

    /// An id in the right form that nobody has.
    static func unknown(_ kind: String) -> String {
        switch kind {
        case "server": "203.0.113.9:4443"
        case "service": "org.example.nobodys"
        case "number": "999999999"
        case _: FakePeer.id(kind)
        }
    }
}
