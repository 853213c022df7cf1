import Base

/// A program as its command line shows it: one role's executable.
public struct Program: Sendable {
    /// The executable's name.
    public let name: String
    /// What it does, a sentence.
    public let summary: String
    /// All that can be set, in the order that help lists it.
    public let settings: [any AnySetting]
    /// Keys or sections of other roles, passed over in a shared file or environment.
    public let elsewhere: [String]
    /// What it can do besides running.
    public let subcommands: [Subcommand]
    /// Puts the role together; what it returns then runs until told to stop.
    public let serve: @Sendable (Launch) async throws -> Serving

    /// A program; the settings that all roles have are added to `settings`.
    public init(
        name: String, summary: String, settings: [any AnySetting], elsewhere: [String] = [],
        subcommands: [Subcommand] = [], serve: @escaping @Sendable (Launch) async throws -> Serving
    ) {
        self.name = name
        self.summary = summary
        self.settings = settings + ProcessSettings.all
        self.elsewhere = elsewhere
        self.subcommands = subcommands
        self.serve = serve
    }
}

/// One thing that a program does instead of running, such as `eta user add`.
public struct Subcommand: Sendable {
    /// The words that ask for it, such as `["user", "add"]`.
    public let words: [String]
    /// What must follow, in order, such as `["NAME"]`; in brackets what may be left out.
    public let arguments: [String]
    /// Options of its own, besides `--json`, `--yes` and the settings.
    public let options: [CommandOption]
    /// What it does, a sentence.
    public let help: String
    /// Does it.
    public let run: @Sendable (Launch) async throws -> Void

    /// `words` is written as one text, `"user add"`.
    public init(
        _ words: String, arguments: [String] = [], options: [CommandOption] = [], help: String,
        run: @escaping @Sendable (Launch) async throws -> Void
    ) {
        self.words = words.split(separator: " ").map(String.init)
        self.arguments = arguments
        self.options = options
        self.help = help
        self.run = run
    }
}

/// An option of a subcommand.
public struct CommandOption: Sendable {
    /// Its name without dashes.
    public let name: String
    /// What stands for its value in help; nil when it takes none.
    public let value: String?
    /// A sentence.
    public let help: String

    /// `--name VALUE`, or `--name` alone.
    public init(_ name: String, value: String? = nil, help: String) {
        self.name = name
        self.value = value
        self.help = help
    }
}

/// What a command line asks for.
public struct Invocation: Sendable {
    /// What to do; nil is to run.
    public let subcommand: Subcommand?
    /// What is set.
    public let config: ConfigReader
    /// Whether to answer in JSON.
    public let json: Bool
    /// Whether not to ask back.
    public let yes: Bool
    /// The words after the subcommand's own.
    public let arguments: [String]
    /// Options as given, in order.
    private let given: [(name: String, value: String)]

    init(
        subcommand: Subcommand?, config: ConfigReader, arguments: [String],
        given: [(name: String, value: String)]
    ) {
        self.subcommand = subcommand
        self.config = config
        self.arguments = arguments
        self.given = given
        json = given.contains { $0.name == "json" }
        yes = given.contains { $0.name == "yes" }
    }

    /// The last value given for an option.
    public func option(_ name: String) -> String? { options(name).last }
    /// All values given for an option.
    public func options(_ name: String) -> [String] {
        given.filter { $0.name == name }.map(\.value)
    }
    /// Whether an option without a value was given.
    public func flag(_ name: String) -> Bool { given.contains { $0.name == name } }
}

/// Takes a command line apart: subcommand words, its options, settings.
public enum CommandLineReader {
    /// What is to be done.
    public enum Outcome: Sendable {
        /// Run, or run a subcommand.
        case invoke(Invocation)
        /// Print this and exit 0.
        case show(String)
    }

    /// Options that every subcommand has.
    static let everywhere = [
        CommandOption("json", help: "Answer in JSON"),
        CommandOption("yes", help: "Do not ask back"),
    ]

    /// Reads `words` (without the program's own name).
    public static func read(
        _ program: Program, _ words: [String], environment: [String: String]
    ) throws(ConfigError) -> Outcome {
        var path: [String] = []
        var subcommand: Subcommand?
        var arguments: [String] = []
        var given: [(name: String, value: String)] = []
        var flags: [(flag: String, text: String)] = []
        var configPath = environment[ConfigFile.variable]
        var help = false
        var show = false
        var onlyWords = false
        var rest = words[...]
        // The first thing that is wrong is told, but only when no help is asked for.
        var problem: ConfigError?

        while let word = rest.popFirst() {
            if onlyWords || !word.hasPrefix("-") || word == "-" {
                let longer = program.subcommands.contains {
                    $0.words.starts(with: path + [word])
                }
                if longer, arguments.isEmpty {
                    path.append(word)
                    subcommand = program.subcommands.first { $0.words == path }
                } else if subcommand != nil {
                    arguments.append(word)
                } else {
                    problem = problem ?? unknownSubcommand(program, path + [word])
                }
                continue
            }
            if word == "--" {
                onlyWords = true
                continue
            }
            let equals = word.firstIndex(of: "=") ?? word.endIndex
            let name = String(word[..<equals].drop { $0 == "-" })
            var value = equals == word.endIndex ? nil : String(word[word.index(after: equals)...])
            func required(_ what: String) throws(ConfigError) -> String {
                guard let text = value ?? rest.popFirst() else {
                    throw .usage("--\(name) needs \(what) after it")
                }
                return text
            }
            switch name {
            case "help", "h": help = true
            case "print-config": show = true
            case "config": configPath = try required("a path")
            case _:
                let own = (subcommand?.options ?? []) + (subcommand == nil ? [] : everywhere)
                if let option = own.first(where: { $0.name == name }) {
                    if let what = option.value {
                        given.append((name, try required(what)))
                    } else if value == nil {
                        given.append((name, ""))
                    } else {
                        throw .usage("--\(name) takes no value")
                    }
                } else if let setting = program.settings.first(where: { $0.flag == name }) {
                    if case .boolean = setting.form, value == nil {
                        // A boolean may stand alone, so that only these two words belong to it.
                        value = rest.first == "true" || rest.first == "false" ? nil : "true"
                    }
                    flags.append((name, try required(setting.accepted)))
                } else {
                    problem =
                        problem
                        ?? ConfigReader.unknown(
                            "--" + name, .flag(name), nearest: name, among: program.settings)
                }
            }
        }

        if help { return .show(Help.text(program, under: path)) }
        if let problem { throw problem }
        if subcommand == nil, !path.isEmpty { throw unknownSubcommand(program, path) }
        let file: ConfigFile? =
            if let configPath { try ConfigFile(path: configPath) } else { nil }
        let config = try ConfigReader(
            program.settings, elsewhere: program.elsewhere, flags: flags, environment: environment,
            file: file)
        if show { return .show(Help.configuration(config)) }
        if let subcommand {
            let needed = subcommand.arguments.filter { !$0.hasPrefix("[") }.count
            guard (needed...subcommand.arguments.count).contains(arguments.count) else {
                throw .usage("write: " + Help.usage(program, subcommand))
            }
        }
        return .invoke(
            Invocation(subcommand: subcommand, config: config, arguments: arguments, given: given))
    }

    private static func unknownSubcommand(_ program: Program, _ words: [String]) -> ConfigError {
        let said = words.joined(separator: " ")
        let known = program.subcommands.map { $0.words.joined(separator: " ") }
        if known.isEmpty {
            return .usage("\(said.quoted) is too much: \(program.name) takes settings alone")
        }
        let begun = known.filter { $0.hasPrefix(said + " ") }
        if !begun.isEmpty {
            return .usage(
                "\(said.quoted) is not all: write one of \(begun.joined(separator: ", "))")
        }
        let near = nearestName(to: said, among: known)
        let hint = near.map { "did you mean \($0)" } ?? "there are \(known.joined(separator: ", "))"
        return .usage("\(said.quoted) is no subcommand of \(program.name): \(hint)")
    }
}
