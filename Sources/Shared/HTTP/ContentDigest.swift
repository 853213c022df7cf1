import Base

/// The Content-Digest field, RFC 9530: a dictionary of byte sequences (RFC 9651). Only `sha-256`
/// counts here; other algorithms beside it are read over.
public enum ContentDigest: Sendable, Equatable {
    /// There is no field, or no `sha-256` in it.
    case absent
    /// The 32 bytes of SHA-256.
    case sha256([UInt8])
    /// A field that is not well-formed.
    case malformed

    /// What the field of a request's or response's values says.
    public static func parse(_ values: [ArraySlice<UInt8>]) -> ContentDigest {
        var found = ContentDigest.absent
        for member in values.flatMap(Octet.list) {
            let key = member.prefix { $0 != UInt8(ascii: "=") }
            guard key.count < member.count, let bytes = bytes(member.dropFirst(key.count + 1))
            else { return .malformed }
            // RFC 9651 §3.2: of several members of one key, the last counts.
            if key.elementsEqual("sha-256".utf8) {
                guard bytes.count == 32 else { return .malformed }
                found = .sha256(bytes)
            }
        }
        return found
    }

    /// What a request says.
    public static func of(_ head: RequestHead) -> ContentDigest { parse(head.all(.contentDigest)) }

    /// The field's value for a SHA-256.
    public static func field(sha256 bytes: [UInt8]) -> String {
        "sha-256=:\(Base64.encode(bytes)):"
    }

    /// A byte sequence, `:base64:`, with parameters that are read over.
    private static func bytes(_ item: ArraySlice<UInt8>) -> [UInt8]? {
        guard item.first == UInt8(ascii: ":") else { return nil }
        let coded = item.dropFirst().prefix { $0 != UInt8(ascii: ":") }
        let rest = item.dropFirst(coded.count + 1)
        guard rest.first == UInt8(ascii: ":"),
            rest.count == 1 || rest.dropFirst().first == UInt8(ascii: ";")
        else { return nil }
        return Base64.decode(String(decoding: coded, as: UTF8.self))
    }
}
