import Base

/// Why a token is refused; for the log, since clients learn no more than that it is.
public enum JWTError: Error, Sendable, Equatable {
    /// Not three parts of canonical base64url with an object in the first two.
    case malformed
    /// Another algorithm, another type, or a header that asks for what we do not know.
    case foreign
    /// No key has this id.
    case unknownKey
    /// The signature is another's.
    case badSignature
    /// Past its `exp`, before its `nbf`, or without `exp`.
    case notValidNow
}

/// Access tokens: RFC 7519 with HS256 and the type `avr+jwt`, and nothing else.
///
/// The header's `alg` is compared, never obeyed: what it says decides only whether to go on.
public enum JWT {
    private static let algorithm: JSONValue = "HS256"
    private static let type: JSONValue = "avr+jwt"

    /// A token with these claims, among which `exp` has to be (whole seconds).
    public static func sign(claims: JSONObject, kid: String, key: Secret) -> String {
        precondition(claims["exp"]?.integerValue != nil, "a token without end")
        let header: JSONObject = ["alg": algorithm, "typ": type, "kid": .string(kid)]
        let signed = encode(header) + "." + encode(claims)
        return signed + "." + Base64.encodeURL(HMACSHA256.sign(Array(signed.utf8), key: key))
    }

    /// Whether a token says of itself that it is of the kind that is made here: others have three
    /// parts, too.
    public static func isOwn(_ token: some Collection<UInt8>) -> Bool {
        let header = token.prefix { $0 != UInt8(ascii: ".") }
        return (try? object(Array(header)[...]))?["typ"] == type
    }

    /// The claims of a token that one of `keys`, by their ids, has signed and that is valid `now`.
    public static func verify(
        _ token: [UInt8], keys: [String: Secret], now: Timestamp
    ) throws(JWTError) -> JSONObject {
        let parts = token.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 3 else { throw .malformed }
        let header = try object(parts[0])
        // RFC 7515 §4.1.11: an extension that is critical and unknown makes the token invalid.
        guard header["alg"] == algorithm, header["typ"] == type, header["crit"] == nil else {
            throw .foreign
        }
        guard let kid = header["kid"]?.stringValue, let key = keys[kid] else { throw .unknownKey }
        let signature = try decode(parts[2])
        let signed = Array(token[..<(parts[2].startIndex - 1)])
        guard HMACSHA256.verify(signature, message: signed, key: key) else { throw .badSignature }
        let claims = try object(parts[1])
        let seconds = Double(now.milliseconds) / 1000
        guard let end = claims["exp"]?.doubleValue, seconds < end else { throw .notValidNow }
        if let start = claims["nbf"] {
            guard let start = start.doubleValue, seconds >= start else { throw .notValidNow }
        }
        return claims
    }

    private static func encode(_ object: JSONObject) -> String {
        var writer = ByteWriter()
        writer.append(json: .object(object))
        return Base64.encodeURL(writer.array())
    }

    private static func decode(_ part: ArraySlice<UInt8>) throws(JWTError) -> [UInt8] {
        guard let text = String(validating: part, as: UTF8.self),
            let bytes = Base64.decodeURL(text)
        else { throw .malformed }
        return bytes
    }

    private static func object(_ part: ArraySlice<UInt8>) throws(JWTError) -> JSONObject {
        guard let value = try? JSONParser.parse(try decode(part), depth: 8),
            let object = value.objectValue
        else { throw .malformed }
        return object
    }
}
