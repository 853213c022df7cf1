/// A `Set-Cookie` field, RFC 6265 §4.1, of a server that shares its origin with others.
public enum SetCookie {
    /// The same cookie for `path` of the answering host alone, whatever it asked for.
    public static func confined(_ value: ArraySlice<UInt8>, to path: String) -> [UInt8] {
        var confined: [UInt8] = []
        for part in value.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false) {
            let attribute = Octet.trimmed(part)
            let name = Octet.trimmed(attribute.prefix { $0 != UInt8(ascii: "=") })
            // The first part is the cookie itself, whatever it is called.
            if part.startIndex != value.startIndex {
                let isPlace =
                    Octet.equal(name, ignoringCase: "path")
                    || Octet.equal(name, ignoringCase: "domain")
                if attribute.isEmpty || isPlace { continue }
                confined.append(contentsOf: "; ".utf8)
            }
            confined.append(contentsOf: attribute)
        }
        confined.append(contentsOf: "; Path=\(path)".utf8)
        return confined
    }
}
