import API
import Base
import Domain
import HTTP

/// What of a request goes to a service, and what of its answer comes back: pure rules of
/// docs/client/services.md.
enum ServiceFields {
    /// What a service learns of a request: nothing that only the node may say, and no credential of
    /// the node's.
    static func passed(of head: RequestHead, isSigned: Bool) -> Fields {
        let hasOwnToken = CredentialFinder.isOwn(head.field(.authorization))
        return head.endToEndFields(without: [.host], extra: 512).keeping { name in
            if isReserved(name) { return false }
            if hasOwnToken, FieldName.authorization.matches(name) { return false }
            // What proves another node to this one proves nothing to a service.
            if isSigned, FieldName.signature.matches(name) || FieldName.signatureInput.matches(name)
            {
                return false
            }
            return true
        }
    }

    private static func isReserved(_ name: ArraySlice<UInt8>) -> Bool {
        let name = String(decoding: name, as: UTF8.self).lowercased()
        return name == "forwarded" || name.hasPrefix("avr-") || name.hasPrefix("x-forwarded-")
    }

    /// The fields of a service's answer as they come back: what would speak for the whole node is
    /// dropped, what the node says itself comes from it alone.
    static func answered(_ fields: Fields, by id: ServiceID) -> Fields {
        var kept = Fields()
        fields.forEach { name, value in
            if dropped.contains(where: { $0.matches(name) }) { return }
            guard let known = FieldName(String(decoding: name, as: UTF8.self)) else { return }
            if known == setCookie {
                kept.append(known, SetCookie.confined(value, to: "/services/\(id.text)"))
            } else {
                kept.append(known, value)
            }
        }
        kept.append(contentSecurityPolicy, "sandbox allow-scripts allow-forms")
        return kept
    }

    private static let setCookie = known("Set-Cookie")
    private static let contentSecurityPolicy = known("Content-Security-Policy")
    private static let dropped: [FieldName] =
        [
            known("Service-Worker-Allowed"), known("Clear-Site-Data"), known("Alt-Svc"),
            .strictTransportSecurity, .avrGateway, .xContentTypeOptions, .referrerPolicy,
            .accessControlAllowOrigin, .accessControlAllowHeaders, .accessControlAllowMethods,
            .accessControlExposeHeaders, known("Access-Control-Allow-Credentials"),
            known("Access-Control-Max-Age"),
        ]

    private static func known(_ name: String) -> FieldName {
        guard let name = FieldName(name) else { preconditionFailure("\(name) is no field's name") }
        return name
    }
}

/// What a service is asked for.
struct ServiceTargetPath: Equatable {
    /// Path and query on the service's own server.
    let bytes: [UInt8]

    /// The part of a request's target that is the service's, below the path of its address, without
    /// credentials of the node.
    ///
    /// - Throws: 56 for a path with a segment `.` or `..`, however it is written.
    init(_ head: RequestHead, below address: ServiceAddress) throws(APIError) {
        let path = head.path
        guard Self.isStraight(path) else {
            throw APIError(.malformedRequest, context: "a path with . or .. in it")
        }
        // `/services/<id>` and what follows.
        var rest = path.dropFirst("/services/".utf8.count)
        rest = rest[(rest.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex)...]
        var bytes = Array(address.path.utf8)
        bytes.append(contentsOf: rest)
        if bytes.isEmpty { bytes = [UInt8(ascii: "/")] }
        if let query = head.query {
            let kept = query.split(separator: UInt8(ascii: "&"), omittingEmptySubsequences: false)
                .filter { !CredentialFinder.isOwnCredential(pair: $0) }
            if !(kept.isEmpty && !query.isEmpty) {
                bytes.append(UInt8(ascii: "?"))
                bytes.append(contentsOf: kept.joined(separator: [UInt8(ascii: "&")]))
            }
        }
        self.bytes = bytes
    }

    /// Whether it is UTF-8 and no segment, decoded, is `.` or `..`; a backslash parts segments for
    /// some servers.
    static func isStraight(_ path: ArraySlice<UInt8>) -> Bool {
        guard let decoded = Percent.decode(path) else { return false }
        return decoded.utf8.split { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\") }
            .allSatisfy { !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8) }
    }
}
