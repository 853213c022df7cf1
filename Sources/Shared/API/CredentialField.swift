import Base
import HTTP

/// The query fields that carry credentials, docs/client; never logged, never repeated, never
/// passed on.
public enum CredentialField {
    /// Their names.
    public static let names: Set<String> = ["authuser", "authserver", "integrityuser", "token"]

    /// What a query holds of them.
    public struct Found: Sendable {
        /// The first, decoded.
        public let first: (name: String, value: String)?
        /// Path and query without any.
        public let cleanTarget: [UInt8]
    }

    /// Looks through the query of a request; nil when it holds none.
    public static func find(in head: RequestHead) -> Found? {
        guard let query = head.query, query.count >= 6 else { return nil }
        let pairs = query.split(separator: UInt8(ascii: "&"))
        guard pairs.contains(where: isCredential) else { return nil }
        var first: (String, String)?
        var target = Array(head.path)
        var separator = UInt8(ascii: "?")
        for pair in pairs {
            guard isCredential(pair) else {
                target.append(separator)
                target.append(contentsOf: pair)
                separator = UInt8(ascii: "&")
                continue
            }
            let value = pair.drop { $0 != UInt8(ascii: "=") }.dropFirst()
            if first == nil, let name = name(of: pair),
                let text = Percent.decode(value, plusIsSpace: true)
            {
                first = (name, text)
            }
        }
        return Found(first: first, cleanTarget: target)
    }

    /// Fields of a query that are secrets and no credentials: a DELETE may bring its body there.
    private static let secrets: Set<String> = ["password", "current", "new", "refresh"]

    /// Path and query without secrets; nil where there are none.
    public static func withoutSecrets(_ target: ArraySlice<UInt8>) -> [UInt8]? {
        guard let mark = target.firstIndex(of: UInt8(ascii: "?")) else { return nil }
        let pairs = target[(mark + 1)...].split(separator: UInt8(ascii: "&"))
        let shown = pairs.filter { pair in name(of: pair).map { !secrets.contains($0) } ?? true }
        if shown.count == pairs.count { return nil }
        let query = shown.joined(separator: [UInt8(ascii: "&")])
        return Array(target[..<mark]) + (shown.isEmpty ? [] : [UInt8(ascii: "?")] + Array(query))
    }

    private static func isCredential(_ pair: ArraySlice<UInt8>) -> Bool {
        name(of: pair).map(names.contains) ?? false
    }

    private static func name(of pair: ArraySlice<UInt8>) -> String? {
        Percent.decode(pair.prefix { $0 != UInt8(ascii: "=") }, plusIsSpace: true)
    }
}
