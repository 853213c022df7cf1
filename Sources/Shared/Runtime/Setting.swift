import Base
import Domain
import Net

/// One thing that an operator can set, declared once: reading it, `--help`, `--print-config`, the
/// page docs/operate/configuration.md and the errors at start are all made from this value.
///
/// `static let data = Setting("eta.data", .path, default: "data", help: "the folder of …")`
public struct Setting<Value: Sendable>: AnySetting {
    /// The dotted key: `eta.listen` is `--eta-listen`, `REILETA_ETA_LISTEN` and, in a file,
    /// `{"eta": {"listen": …}}`.
    public let key: String
    /// What texts it takes.
    public let kind: SettingKind<Value>
    /// What it is when nobody sets it, spelled as an operator would.
    public let standardText: String
    /// What a reader is told of the default, where it depends on something else.
    public let standardHelp: String
    /// What a bare number counts, where the type does not say it.
    public let unit: String?
    /// A sentence without its full stop.
    public let help: String
    /// The default itself.
    public let standard: Value

    /// A setting; a default that its own kind refuses is a bug and traps.
    public init(
        _ key: String, _ kind: SettingKind<Value>, default text: String, described: String? = nil,
        unit: String? = nil, help: String
    ) {
        guard let standard = kind.parse(text) else {
            preconditionFailure("the default of \(key), \"\(text)\", is none: \(kind.accepted)")
        }
        self.key = key
        self.kind = kind
        self.standardText = text
        self.standardHelp = described ?? text
        self.unit = unit
        self.help = help
        self.standard = standard
    }

    /// The kind's name for people.
    public var kindName: String { kind.name }
    /// What would be accepted.
    public var accepted: String { kind.accepted }
    /// How its value is written in JSON.
    public var form: SettingForm { kind.form }
    /// Whether `text` is a value of it.
    public func accepts(_ text: String) -> Bool { kind.parse(text) != nil }
}

/// A setting of whatever type.
public protocol AnySetting: Sendable {
    /// The dotted key.
    var key: String { get }
    /// The kind's name for people.
    var kindName: String { get }
    /// What would be accepted, to follow "give ".
    var accepted: String { get }
    /// How its value is written in JSON.
    var form: SettingForm { get }
    /// The default as text.
    var standardText: String { get }
    /// The default as a reader is told of it.
    var standardHelp: String { get }
    /// What a bare number counts.
    var unit: String? { get }
    /// A sentence without its full stop.
    var help: String { get }
    /// Whether `text` is a value of it.
    func accepts(_ text: String) -> Bool
}

extension AnySetting {
    /// Its flag, without the dashes in front.
    public var flag: String {
        String(key.map { $0 == "." || $0 == "_" ? "-" : $0 })
    }
    /// Its environment variable.
    public var variable: String { SettingName.variable(of: key) }
}

/// How the key of a setting is spelled elsewhere.
enum SettingName {
    /// In the environment.
    static func variable(of key: String) -> String {
        "REILETA_" + String(key.map { $0 == "." ? "_" : $0 }).uppercased()
    }
}

/// How a setting's value is written in a configuration file.
public enum SettingForm: Sendable {
    case text, number, boolean, list
    /// Read from the environment or a file alone, and never shown.
    case secret
}

/// A type of settings: how a text becomes a value, and what to tell when it does not.
public struct SettingKind<Value: Sendable>: Sendable {
    /// The name for people, such as `duration`.
    public let name: String
    /// What would be accepted, to follow "give ".
    public let accepted: String
    /// How it is written in JSON.
    public let form: SettingForm
    /// The value of a text.
    public let parse: @Sendable (String) -> Value?

    /// A kind; the modules of the roles may make their own.
    public init(
        _ name: String, accepted: String, form: SettingForm = .text,
        parse: @escaping @Sendable (String) -> Value?
    ) {
        self.name = name
        self.accepted = accepted
        self.form = form
        self.parse = parse
    }
}

extension SettingKind where Value == Bool {
    /// Yes or no.
    public static let bool = SettingKind(
        "yes or no", accepted: "true or false", form: .boolean
    ) { text in
        switch text {
        case "true": true
        case "false": false
        case _: nil
        }
    }
}

extension SettingKind where Value == Int {
    /// A whole number within `range`.
    public static func int(_ range: ClosedRange<Int>) -> Self {
        let bounds = "from \(range.lowerBound) to \(range.upperBound)"
        return SettingKind("number", accepted: "a whole number \(bounds)", form: .number) { text in
            // `Int` also reads "+5", which nobody means.
            guard text.first != "+", let number = Int(text) else { return nil }
            return range.contains(number) ? number : nil
        }
    }
}

extension SettingKind where Value == ByteCount {
    /// A size within `range`.
    public static func byteCount(_ range: ClosedRange<ByteCount>) -> Self {
        let bounds = "from \(range.lowerBound) to \(range.upperBound)"
        return SettingKind("size", accepted: "a size such as 512KiB or 64MiB, \(bounds)") { text in
            guard let count = ByteCount(text) else { return nil }
            return range.contains(count) ? count : nil
        }
    }
}

extension SettingKind where Value == Duration {
    /// A span of time within `range`.
    public static func duration(_ range: ClosedRange<Duration>) -> Self {
        let bounds = "from \(range.lowerBound.setting) to \(range.upperBound.setting)"
        let accepted = "a duration such as 500ms, 30s or 10min, \(bounds)"
        return SettingKind("duration", accepted: accepted) { text in
            guard let duration = Duration(setting: text) else { return nil }
            return range.contains(duration) ? duration : nil
        }
    }
}

extension SettingKind where Value == String {
    /// A text of so many characters, none of them a control character.
    public static func text(_ length: ClosedRange<Int> = 1...256) -> Self {
        let bounds = "\(length.lowerBound) to \(length.upperBound) characters"
        return SettingKind("text", accepted: "a text of \(bounds), on one line") { text in
            guard length.contains(text.count), !text.hasControlCharacter else { return nil }
            return text
        }
    }

    /// A file or folder.
    public static let path = SettingKind("path", accepted: "a path") { readPath($0) }

    /// A file that holds a secret; see `KeyFiles`.
    public static let secretFile = SettingKind(
        "path of a secret", accepted: "the path of a file that its owner alone may read"
    ) { readPath($0) }

    private static func readPath(_ text: String) -> String? {
        text.isEmpty || text.hasControlCharacter ? nil : text
    }
}

extension SettingKind where Value == Secret? {
    /// A secret given by the environment or a file, never by a flag.
    public static let secret = SettingKind(
        "secret", accepted: "a text, by the environment or a file", form: .secret
    ) { text in
        .some(text.isEmpty ? nil : Secret(text))
    }
}

extension SettingKind where Value == HostAndPort {
    /// Where another process is: a name or an address, and a port.
    public static let hostAndPort = SettingKind(
        "host and port",
        accepted: "a host and a port such as 127.0.0.1:3033, [::1]:3033 or eta.internal:3033"
    ) { text in
        guard let value = HostAndPort(text), value.port > 0 else { return nil }
        return value
    }
}

extension SettingKind where Value == SocketAddress {
    /// Where this process listens: an address in digits and a port, 0 for any free one.
    public static let listenAddress = SettingKind(
        "address and port",
        accepted:
            "an address of this machine and a port (0: any free one), such as 127.0.0.1:3033 or "
            + "[::]:3033"
    ) { SocketAddress($0) }
}

extension SettingKind where Value == ServerAddress {
    /// A node's own address, or a peer's.
    public static let serverAddress = SettingKind(
        "server address", accepted: "host or host:port, such as a.example or 127.0.0.1:3032"
    ) { ServerAddress($0) }
}

extension SettingKind where Value == NetworkRange {
    /// A network, or one address.
    public static let networkRange = SettingKind(
        "network", accepted: "a network such as 10.0.0.0/8, fd00::/8 or 127.0.0.1"
    ) { NetworkRange($0) }
}

extension SettingKind where Value: CaseIterable & RawRepresentable<String> {
    /// One of an enum's words.
    public static var word: Self {
        let all = Value.allCases.map(\.rawValue).joined(separator: ", ")
        return SettingKind("word", accepted: "one of \(all)") { Value(rawValue: $0) }
    }
}

extension SettingKind where Value == LogLevel {
    /// How much is logged.
    public static let logLevel = SettingKind(
        "word", accepted: "one of " + LogLevel.allCases.map(\.name).joined(separator: ", ")
    ) { text in
        LogLevel.allCases.first { $0.name == text }
    }
}

extension SettingKind {
    /// Several of a kind, separated by commas; an empty text is an empty list.
    public static func list<Element>(
        of kind: SettingKind<Element>, _ count: ClosedRange<Int> = 0...1_024
    ) -> Self where Value == [Element] {
        let accepted =
            "a comma-separated list, each \(kind.accepted)"
            + (count.lowerBound > 0 ? ", at least \(count.lowerBound)" : ", or nothing")
        return SettingKind("list of \(kind.name)", accepted: accepted, form: .list) { text in
            var values: [Element] = []
            for item in splitList(text) {
                guard let value = kind.parse(item) else { return nil }
                values.append(value)
            }
            return count.contains(values.count) ? values : nil
        }
    }

    /// The same, or nothing, for which the empty text stands.
    public static func optional<Wrapped>(_ kind: SettingKind<Wrapped>) -> Self
    where Value == Wrapped? {
        SettingKind(kind.name, accepted: kind.accepted + ", or nothing", form: kind.form) { text in
            if text.isEmpty { return .some(nil) }
            guard let value = kind.parse(text) else { return nil }
            return .some(value)
        }
    }
}

/// The items of a comma-separated text, without the spaces around them.
func splitList(_ text: String) -> [String] {
    if text.isEmpty { return [] }
    return text.split(separator: ",", omittingEmptySubsequences: false).map { item in
        var item = item
        while item.first == " " { item.removeFirst() }
        while item.last == " " { item.removeLast() }
        return String(item)
    }
}

/// A number of bytes.
public struct ByteCount: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// How many.
    public let bytes: Int

    /// So many bytes.
    public init(bytes: Int) { self.bytes = bytes }

    /// So many times 1,024.
    public static func kibibytes(_ count: Int) -> ByteCount { ByteCount(bytes: count << 10) }
    /// So many times 1,048,576.
    public static func mebibytes(_ count: Int) -> ByteCount { ByteCount(bytes: count << 20) }
    /// So many times 1,073,741,824.
    public static func gibibytes(_ count: Int) -> ByteCount { ByteCount(bytes: count << 30) }

    private static let units: [(String, Int)] = [
        ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1),
    ]

    /// Reads `64MiB`, `512B` or, as bytes, `1000`.
    public init?(_ text: String) {
        guard let bytes = readAmount(text, Self.units, bare: 1) else { return nil }
        self.bytes = bytes
    }

    /// In the largest unit that leaves no rest.
    public var description: String { showAmount(bytes, Self.units) }

    /// The smaller first.
    public static func < (a: ByteCount, b: ByteCount) -> Bool { a.bytes < b.bytes }
}

extension Duration {
    private static let units: [(String, Int)] = [
        ("d", 86_400_000_000), ("h", 3_600_000_000), ("min", 60_000_000), ("s", 1_000_000),
        ("ms", 1_000), ("us", 1),
    ]

    /// Reads `500ms`, `30s`, `10min`, `2h`, `7d`; the unit may not be left out.
    public init?(setting text: String) {
        guard let amount = readAmount(text, Self.units, bare: nil) else { return nil }
        self = .microseconds(amount)
    }

    /// As settings spell it, in the largest unit that leaves no rest.
    public var setting: String { showAmount(Int(nanoseconds / 1_000), Self.units) }
}

/// Digits and a unit, as a number of the smallest unit.
private func readAmount(_ text: String, _ units: [(String, Int)], bare: Int?) -> Int? {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let unit = text.dropFirst(digits.count)
    guard let number = Int(digits) else { return nil }
    guard let factor = units.first(where: { $0.0 == unit })?.1 ?? (unit.isEmpty ? bare : nil)
    else { return nil }
    let product = number.multipliedReportingOverflow(by: factor)
    return product.overflow ? nil : product.partialValue
}

private func showAmount(_ amount: Int, _ units: [(String, Int)]) -> String {
    for (name, factor) in units where amount != 0 && amount % factor == 0 {
        return "\(amount / factor)\(name)"
    }
    return "0\(units[units.count - 1].0)"
}

/// A host, by name or address, and a port. `SocketAddress` is what it becomes once resolved.
public struct HostAndPort: Sendable, Hashable, CustomStringConvertible {
    /// A name, or an address without brackets.
    public let host: String
    /// The port.
    public let port: UInt16

    /// Of these parts, unchecked.
    public init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Reads `name:port`, `1.2.3.4:port` or `[v6]:port`.
    public init?(_ text: String) {
        guard let colon = text.lastIndex(of: ":"),
            let port = UInt16(text[text.index(after: colon)...]),
            text[text.index(after: colon)...].allSatisfy(\.isNumber)
        else { return nil }
        var host = text[..<colon]
        if host.first == "[", host.last == "]" {
            host = host.dropFirst().dropLast()
            guard case .v6 = IPAddress(host) else { return nil }
        } else {
            let allowed = host.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."),
                    UInt8(ascii: "_"):
                    true
                case _: false
                }
            }
            guard allowed, (1...253).contains(host.utf8.count) else { return nil }
        }
        self.init(host: String(host), port: port)
    }

    /// Whether it is certainly on this machine.
    public var isLoopback: Bool { host == "localhost" || IPAddress(host)?.isLoopback == true }

    /// As it is read.
    public var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}

extension String {
    /// Whether it would not stay on one line, or would play with a terminal.
    var hasControlCharacter: Bool {
        unicodeScalars.contains { $0.value < 32 || (127..<160).contains($0.value) }
    }

    /// In quotes, on one line, and not too long: for a value that somebody else chose.
    var quoted: String {
        var text = "\""
        for scalar in unicodeScalars.prefix(120) {
            switch scalar {
            case "\"", "\\": text += "\\" + String(scalar)
            case "\n": text += "\\n"
            case _ where String(scalar).hasControlCharacter:
                text += "\\u{" + String(scalar.value, radix: 16) + "}"
            case _: text.unicodeScalars.append(scalar)
            }
        }
        return text + (unicodeScalars.count > 120 ? "…\"" : "\"")
    }
}
