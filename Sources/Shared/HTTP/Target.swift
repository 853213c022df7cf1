import Base

/// A query's `name=value` pairs, decoded.
public struct Query: Sendable, Equatable {
    /// One pair; without an equals sign the value is empty.
    public struct Pair: Sendable, Equatable {
        /// The name.
        public let name: String
        /// The value.
        public let value: String
    }

    /// The pairs in their order; names may come more than once.
    public let pairs: [Pair]

    /// The pairs in the bytes after the question mark: `application/x-www-form-urlencoded`, where a
    /// plus is a space. Nil for a broken escape, for NUL, and for what is not UTF-8.
    public init?(_ bytes: ArraySlice<UInt8>) {
        var pairs: [Pair] = []
        for part in bytes.split(separator: UInt8(ascii: "&")) {
            let equals = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
            guard let name = Percent.decode(part[..<equals], plusIsSpace: true),
                let value = Percent.decode(part[equals...].dropFirst(), plusIsSpace: true),
                !name.utf8.contains(0), !value.utf8.contains(0)
            else { return nil }
            pairs.append(Pair(name: name, value: value))
        }
        self.pairs = pairs
    }

    /// The value of the first pair of that name.
    public subscript(_ name: String) -> String? { pairs.first { $0.name == name }?.value }
}

extension RequestHead {
    /// The decoded query; empty without one, nil when it is malformed.
    public func decodedQuery() -> Query? { Query(query ?? []) }

    /// The path's segments, decoded one by one, so that an escaped slash is none: `/a/b%2Fc` has
    /// `a` and `b/c`. The root has none; a slash at the end leaves an empty one.
    public func pathSegments() -> [String] {
        path.dropFirst().isEmpty
            ? []
            : path.dropFirst().split(
                separator: UInt8(ascii: "/"), omittingEmptySubsequences: false
            ).map { Percent.decode($0) ?? "" }
    }
}
