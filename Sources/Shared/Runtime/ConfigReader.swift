import Base

/// Why a process does not start with what it was told; ends it with exit 2.
public enum ConfigError: Error, Sendable, Equatable {
    /// No setting of this name.
    case unknown(key: String, source: ConfigSource, nearest: String?)
    /// A value that its setting does not take, alone or beside the others.
    case refused(key: String, value: String, source: ConfigSource, accepted: String)
    /// A secret on the command line, where everybody can read it.
    case secretFlag(key: String, variable: String)
    /// A file that must stay secret, and would not, or is not what it should be.
    case keyFile(key: String, path: String, reason: String, remedy: String)
    /// The configuration file cannot be read.
    case file(path: String, reason: String)
    /// A command line that says nothing sensible.
    case usage(String)

    /// A value that this process cannot work with, found after reading: a combination, a path
    /// that leads nowhere. `accepted` follows "give ".
    public static func refused(
        _ setting: some AnySetting, in config: ConfigReader, accepted: String
    ) -> ConfigError {
        .refused(
            key: setting.key, value: config.shownText(of: setting),
            source: config.source(of: setting), accepted: accepted)
    }

    /// The one line to print.
    public var line: String {
        switch self {
        case .unknown(let key, let source, let nearest):
            let hint = nearest.map { "did you mean \($0)" } ?? "--help lists them all"
            if case .file(let path) = source {
                return "\(key.quoted) in \(path) is no setting: \(hint)"
            }
            return "\(key.quoted) is no setting: \(hint)"
        case .refused(let key, let value, let source, let accepted):
            return "\(key) is \(value.quoted) by \(source): give \(accepted)"
        case .secretFlag(let key, let variable):
            return "\(key) is a secret, and flags are seen by everybody: give it by \(variable)"
        case .keyFile(let key, let path, let reason, let remedy):
            return "\(key): the file \(path.quoted) \(reason): \(remedy)"
        case .file(let path, let reason): return "the file \(path.quoted) of --config \(reason)"
        case .usage(let text): return text
        }
    }
}

/// Where a value comes from.
public enum ConfigSource: Sendable, Equatable, CustomStringConvertible {
    case flag(String), variable(String), file(String), standard

    /// For the line of an error.
    public var description: String {
        switch self {
        case .flag(let name): "--\(name)"
        case .variable(let name): name
        case .file(let path): path
        case .standard: "default"
        }
    }
}

/// The settings of one process, all read and checked before anything else is done: flags over
/// `REILETA_*` over the file. Nothing reads the environment later.
public struct ConfigReader: Sendable {
    private struct Entry: Sendable {
        var text: String
        var source: ConfigSource
    }

    /// Every setting that there is, in the order of declaration.
    public let settings: [any AnySetting]
    private var entries: [String: Entry] = [:]

    /// Reads `settings`. The keys of `elsewhere` are other roles': they may stand in a shared file
    /// or environment, and are passed over there.
    public init(
        _ settings: [any AnySetting], elsewhere: [String] = [],
        flags: [(flag: String, text: String)] = [], environment: [String: String] = [:],
        file: ConfigFile? = nil
    ) throws(ConfigError) {
        self.settings = settings
        precondition(
            Set(settings.map(\.variable)).count == settings.count, "a setting is declared twice")
        let others = Set(elsewhere)
        let otherVariables = Set(elsewhere.map { SettingName.variable(of: $0) })
        for (key, text) in file?.pairs ?? [] {
            let source = ConfigSource.file(file?.path ?? "")
            guard let setting = settings.first(where: { $0.key == key }) else {
                if others.contains(key) { continue }
                throw Self.unknown(key, source, nearest: key, among: settings)
            }
            try take(setting, text, source)
        }
        // Sorted, so that of two mistakes always the same one is told.
        for (name, text) in environment.sorted(by: { $0.key < $1.key })
        where name.hasPrefix("REILETA_") && name != ConfigFile.variable {
            guard let setting = settings.first(where: { $0.variable == name }) else {
                if otherVariables.contains(name) { continue }
                throw Self.unknown(name, .variable(name), nearest: name, among: settings)
            }
            try take(setting, text, .variable(name))
        }
        for (flag, text) in flags {
            guard let setting = settings.first(where: { $0.flag == flag }) else {
                throw Self.unknown("--" + flag, .flag(flag), nearest: flag, among: settings)
            }
            if case .secret = setting.form {
                throw .secretFlag(key: setting.key, variable: setting.variable)
            }
            try take(setting, text, .flag(flag))
        }
    }

    /// The value of a setting; asking for one that was not declared to the reader traps.
    public subscript<Value>(_ setting: Setting<Value>) -> Value {
        precondition(
            settings.contains { $0.key == setting.key }, "\(setting.key) was never declared")
        guard let entry = entries[setting.key] else { return setting.standard }
        guard let value = setting.kind.parse(entry.text) else {
            preconditionFailure("\(setting.key) is read by two kinds")
        }
        return value
    }

    /// Whether somebody set it.
    public func isSet(_ setting: any AnySetting) -> Bool { entries[setting.key] != nil }

    /// Who set it.
    public func source(of setting: any AnySetting) -> ConfigSource {
        entries[setting.key]?.source ?? .standard
    }

    /// Its text, or stars in place of a secret.
    public func shownText(of setting: any AnySetting) -> String {
        let text = entries[setting.key]?.text ?? setting.standardText
        if case .secret = setting.form { return text.isEmpty ? "" : "***" }
        return text
    }

    private mutating func take(
        _ setting: any AnySetting, _ text: String, _ source: ConfigSource
    ) throws(ConfigError) {
        entries[setting.key] = Entry(text: text, source: source)
        guard setting.accepts(text) else {
            throw .refused(
                key: setting.key, value: shownText(of: setting), source: source,
                accepted: setting.accepted)
        }
    }

    /// What to say of a key that no setting has.
    static func unknown(
        _ key: String, _ source: ConfigSource, nearest wanted: String,
        among settings: [any AnySetting]
    ) -> ConfigError {
        let names: [(spelling: String, shown: String)] = settings.map { setting in
            switch source {
            case .flag: (setting.flag, "--" + setting.flag)
            case .variable: (setting.variable, setting.variable)
            case .file, .standard: (setting.key, setting.key)
            }
        }
        let best = nearestName(to: wanted, among: names.map(\.spelling))
        let shown = names.first { $0.spelling == best }?.shown
        return .unknown(key: key, source: source, nearest: shown)
    }
}

/// A configuration file: JSON, objects nested by section or keys with dots.
public struct ConfigFile: Sendable {
    /// The environment variable that stands for `--config`.
    public static let variable = "REILETA_CONFIG"

    /// Where it was read.
    public let path: String
    /// Dotted keys and texts, in the file's order.
    public let pairs: [(key: String, text: String)]

    /// Reads the file at `path`.
    public init(path: String) throws(ConfigError) {
        let bytes: [UInt8]
        do {
            bytes = try SmallFile.read(path, limit: 1 << 20)
        } catch {
            throw .file(path: path, reason: error.reason)
        }
        try self.init(path: path, bytes: bytes)
    }

    /// Takes `bytes` as read from `path`.
    public init(path: String, bytes: [UInt8]) throws(ConfigError) {
        let value: JSONValue
        do {
            value = try JSONParser.parse(bytes)
        } catch {
            throw .file(
                path: path, reason: "is no JSON: \(error.reason.message), at byte \(error.offset)")
        }
        guard let object = value.objectValue else {
            throw .file(path: path, reason: "holds no JSON object")
        }
        self.path = path
        self.pairs = try Self.flatten(object, prefix: "", path)
        if let twice = Dictionary(grouping: pairs, by: \.key).filter({ $1.count > 1 }).keys.min() {
            throw .file(path: path, reason: "sets \(twice) twice")
        }
    }

    private static func flatten(
        _ object: JSONObject, prefix: String, _ path: String
    ) throws(ConfigError) -> [(key: String, text: String)] {
        var pairs: [(key: String, text: String)] = []
        for member in object.members {
            let key = prefix + member.key
            switch member.value {
            case .object(let inner): pairs += try flatten(inner, prefix: key + ".", path)
            case .array(let items):
                let texts = items.compactMap(scalar)
                guard texts.count == items.count, !texts.contains(where: { $0.contains(",") })
                else {
                    throw .file(path: path, reason: "sets \(key) to a list of more than words")
                }
                pairs.append((key, texts.joined(separator: ",")))
            case .null: continue  // As if it were not there: the default.
            case .boolean, .integer, .double, .string:
                pairs.append((key, scalar(member.value) ?? ""))
            }
        }
        return pairs
    }

    private static func scalar(_ value: JSONValue) -> String? {
        switch value {
        case .boolean(let flag): flag ? "true" : "false"
        case .integer(let number): String(number)
        case .double(let number): String(number)
        case .string(let text): text
        case .null, .array, .object: nil
        }
    }
}

/// The candidate that a slip of the fingers away from `name` would have been, if any.
func nearestName(to name: String, among candidates: [String]) -> String? {
    let scored = candidates.map { (distance: editDistance(name, $0), candidate: $0) }
    guard let best = scored.min(by: { $0.distance < $1.distance }) else { return nil }
    return best.distance <= max(1, min(4, name.count / 3)) ? best.candidate : nil
}

/// How many letters have to be put in, left out or replaced to make `a` into `b`.
private func editDistance(_ a: String, _ b: String) -> Int {
    let a = Array(a.utf8.prefix(200))
    let b = Array(b.utf8)
    var row = Array(0...b.count)
    for (i, letter) in a.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, other) in b.enumerated() {
            let replaced = diagonal + (letter == other ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(replaced, row[j] + 1, row[j + 1] + 1)
        }
    }
    return row[b.count]
}
