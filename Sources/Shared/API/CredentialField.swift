import Base
import HTTP

/// The query fields that carry secrets, docs/client. Credentials are never logged, never repeated and
/// never passed on; what else is secret goes to whom it is meant for, and is shown nowhere.
public enum CredentialField {
    /// The names of credentials.
    public static let names: Set<String> = ["authuser", "authserver", "integrityuser", "token"]
    /// Other secrets: a DELETE may bring its body in the query.
    private static let secrets: Set<String> = ["password", "current", "new", "refresh"]

    /// What a query holds of them.
    public struct Found: Sendable {
        /// The first credential, decoded.
        public private(set) var first: (name: String, value: String)?
        /// Path and query without credentials; nil where there were none.
        public private(set) var cleanTarget: [UInt8]?
        /// Path and query as they may be shown.
        public fileprivate(set) var shownTarget: [UInt8]

        fileprivate init(_ head: RequestHead, _ fields: [Field]) {
            func target(without isLeftOut: (Field) -> Bool) -> [UInt8] {
                var target = Array(head.path)
                var separator = UInt8(ascii: "?")
                for field in fields where !isLeftOut(field) {
                    target.append(separator)
                    target.append(contentsOf: field.pair)
                    separator = UInt8(ascii: "&")
                }
                return target
            }
            shownTarget = target { $0.isCredential || $0.isSecret }
            guard fields.contains(where: \.isCredential) else { return }
            cleanTarget = target(without: \.isCredential)
            for field in fields where first == nil && field.isCredential {
                let value = field.pair.drop { $0 != UInt8(ascii: "=") }.dropFirst()
                if let text = Percent.decode(value, plusIsSpace: true) {
                    first = (field.name, text)
                }
            }
        }
    }

    fileprivate struct Field {
        let pair: ArraySlice<UInt8>
        /// Decoded; empty where that is not possible.
        let name: String
        var isCredential: Bool { names.contains(name) }
        var isSecret: Bool { secrets.contains(name) }
    }

    /// Looks through the query of a request; nil when it holds none.
    public static func find(in head: RequestHead) -> Found? {
        guard let query = head.query, query.count >= 4 else { return nil }
        let fields = query.split(separator: UInt8(ascii: "&")).map { pair in
            let name = pair.prefix { $0 != UInt8(ascii: "=") }
            return Field(pair: pair, name: Percent.decode(name, plusIsSpace: true) ?? "")
        }
        guard fields.contains(where: { $0.isCredential || $0.isSecret }) else { return nil }
        return Found(head, fields)
    }
}
