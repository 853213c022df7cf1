/// An entity tag, RFC 9110 §8.8.3.
public struct ETag: Sendable, Equatable {
    /// What stands between the quotes.
    public let opaque: [UInt8]
    /// Whether it is marked `W/`.
    public let isWeak: Bool

    /// A strong tag of these characters, which may not be quotes, blanks or controls.
    public init(strong text: String) {
        opaque = Array(text.utf8)
        isWeak = false
        precondition(opaque.allSatisfy(Self.isTagCharacter), "an entity tag of \(text)")
    }

    /// Reads one tag; nil when it is none.
    public init?(_ value: ArraySlice<UInt8>) {
        isWeak = value.starts(with: "W/".utf8)
        let quoted = isWeak ? value.dropFirst(2) : value
        guard quoted.count >= 2, quoted.first == UInt8(ascii: "\""),
            quoted.last == UInt8(ascii: "\"")
        else { return nil }
        opaque = Array(quoted.dropFirst().dropLast())
        guard opaque.allSatisfy(Self.isTagCharacter) else { return nil }
    }

    /// As it stands in a field.
    public var text: String {
        (isWeak ? "W/\"" : "\"") + String(decoding: opaque, as: UTF8.self) + "\""
    }

    /// Equal and both strong, RFC 9110 §8.8.3.2: what If-Match and If-Range ask for.
    public func matchesStrongly(_ other: ETag) -> Bool {
        !isWeak && !other.isWeak && opaque == other.opaque
    }

    /// Equal, weak or not: what If-None-Match asks for.
    public func matchesWeakly(_ other: ETag) -> Bool { opaque == other.opaque }

    private static func isTagCharacter(_ byte: UInt8) -> Bool {
        byte > 32 && byte != 34 && byte != 127
    }
}

/// What a request's If-Match and If-None-Match say of the representation as it is now,
/// RFC 9110 §13.2.2.
public enum Conditional: Sendable, Equatable {
    /// Go on.
    case proceed
    /// The client has it already (304); only for GET and HEAD.
    case notModified
    /// It is not what the client believes (412).
    case failed

    /// The verdict; `eTag` nil when there is no representation. A field that is not well-formed
    /// names no tag.
    public static func verdict(for head: RequestHead, eTag: ETag?) -> Conditional {
        let match = head.list(.ifMatch)
        if !match.isEmpty, !names(match, eTag, strongly: true) { return .failed }
        let noneMatch = head.list(.ifNoneMatch)
        if !noneMatch.isEmpty, names(noneMatch, eTag, strongly: false) {
            return head.method == .get || head.method == .head ? .notModified : .failed
        }
        return .proceed
    }

    /// Whether the If-Match (`strongly`) or If-None-Match of a request names `eTag`, or whatever there
    /// is; false where there is nothing.
    public static func isNamed(
        _ eTag: ETag?, by field: FieldName, of head: RequestHead, strongly: Bool
    ) -> Bool {
        names(head.list(field), eTag, strongly: strongly)
    }

    private static func names(
        _ list: [ArraySlice<UInt8>], _ eTag: ETag?, strongly: Bool
    ) -> Bool {
        guard let eTag else { return false }
        if list.count == 1, list[0].elementsEqual("*".utf8) { return true }
        return list.contains { element in
            guard let tag = ETag(element) else { return false }
            return strongly ? tag.matchesStrongly(eTag) : tag.matchesWeakly(eTag)
        }
    }
}
