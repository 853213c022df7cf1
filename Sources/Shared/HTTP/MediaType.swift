/// A media type, RFC 9110 §8.3.1: `type/subtype; name=value`.
public struct MediaType: Sendable, Equatable {
    /// A parameter; its name in lower case.
    public struct Parameter: Sendable, Equatable {
        /// The name.
        public let name: String
        /// The value, without the quotes it may have come in.
        public let value: String
    }

    /// `type/subtype`, in lower case.
    public let essence: String
    /// The parameters in their order.
    public let parameters: [Parameter]

    /// `application/json`
    public static let json = "application/json"
    /// `image/png`
    public static let png = "image/png"
    /// `application/octet-stream`
    public static let octetStream = "application/octet-stream"
    /// `multipart/form-data`
    public static let formData = "multipart/form-data"

    /// Reads a Content-Type; nil when it is not well-formed.
    public init?(_ value: ArraySlice<UInt8>) {
        let essence = Octet.trimmed(value.prefix { $0 != UInt8(ascii: ";") })
        guard let slash = essence.firstIndex(of: UInt8(ascii: "/")), slash > essence.startIndex,
            slash < essence.endIndex - 1, essence[..<slash].allSatisfy(Octet.isToken),
            essence[(slash + 1)...].allSatisfy(Octet.isToken),
            let parameters = Self.parameters(value[essence.endIndex...])
        else { return nil }
        self.essence = String(decoding: essence.map(Octet.lowercased), as: UTF8.self)
        self.parameters = parameters
    }

    /// The value of the parameter of that name (in lower case).
    public subscript(_ name: String) -> String? { parameters.first { $0.name == name }?.value }

    /// Reads `; name=value` as often as it comes, as Content-Disposition has them too.
    static func parameters(_ bytes: ArraySlice<UInt8>) -> [Parameter]? {
        var parameters: [Parameter] = []
        var rest = Octet.trimmed(bytes)
        while !rest.isEmpty {
            guard rest.removeFirst() == UInt8(ascii: ";") else { return nil }
            rest = Octet.trimmed(rest)
            // RFC 9110 §5.6.6: a semicolon with nothing behind it is overlooked.
            if rest.isEmpty || rest.first == UInt8(ascii: ";") { continue }
            let name = rest.prefix(while: Octet.isToken)
            rest = rest.dropFirst(name.count)
            guard !name.isEmpty, rest.first == UInt8(ascii: "=") else { return nil }
            rest = rest.dropFirst()
            var value: [UInt8] = []
            if rest.first == UInt8(ascii: "\"") {
                guard let end = quoted(rest.dropFirst(), into: &value) else { return nil }
                rest = rest[end...]
            } else {
                value = Array(rest.prefix(while: Octet.isToken))
                rest = rest.dropFirst(value.count)
                if value.isEmpty { return nil }
            }
            parameters.append(
                Parameter(
                    name: String(decoding: name.map(Octet.lowercased), as: UTF8.self),
                    value: String(decoding: value, as: UTF8.self)))
            rest = Octet.trimmed(rest)
        }
        return parameters
    }

    /// Unescapes up to the closing quote; says where it goes on behind it.
    private static func quoted(_ bytes: ArraySlice<UInt8>, into value: inout [UInt8]) -> Int? {
        var index = bytes.startIndex
        while index < bytes.endIndex {
            var byte = bytes[index]
            if byte == UInt8(ascii: "\"") { return index + 1 }
            if byte == UInt8(ascii: "\\") {
                index += 1
                if index == bytes.endIndex { return nil }
                byte = bytes[index]
            }
            value.append(byte)
            index += 1
        }
        return nil
    }
}

extension RequestHead {
    /// The body's media type; nil when it is not said, said twice, or not well-formed.
    public var mediaType: MediaType? {
        let values = all(.contentType)
        return values.count == 1 ? MediaType(values[0]) : nil
    }
}
