import Base
import Runtime
import Testing

private let data = Setting("eta.data", .path, default: "data", help: "The folder of all state")
private let program = Program(
    name: "eta", summary: "Keeps the registry of a node.",
    settings: [data], elsewhere: ["reil"],
    subcommands: [
        Subcommand(
            "user add", arguments: ["NAME", "[TITLE]"],
            options: [
                CommandOption("tag", value: "TAG", help: "Gives a tag"),
                CommandOption("locked", help: "Keeps it from logging in"),
            ], help: "Adds a user"
        ) { _ in },
        Subcommand("user tag", arguments: ["NAME"], help: "Changes the tags of a user") { _ in },
        Subcommand("keys show", help: "Shows the node's key") { _ in },
    ]
) { _ in Serving([], address: { "" }) }

private func read(
    _ line: String, _ environment: [String: String] = [:]
) throws(ConfigError) -> CommandLineReader.Outcome {
    try CommandLineReader.read(
        program, line.split(separator: " ").map(String.init), environment: environment)
}

private func invocation(_ line: String) throws -> Invocation {
    guard case .invoke(let invocation) = try read(line) else {
        throw ConfigError.usage("printed something")
    }
    return invocation
}

private func printed(_ line: String) throws -> String {
    guard case .show(let text) = try read(line) else { throw ConfigError.usage("ran") }
    return text
}

/// Words, options and settings of a command line are told apart wherever they stand.
struct CommandLineReaderTests {
    @Test func `no word means to run`() throws {
        let plain = try invocation("")
        #expect(plain.subcommand == nil && plain.config[data] == "data")
        let set = try invocation("--eta-data=x --testing --loops 2")
        #expect(set.config[data] == "x" && set.config[ProcessSettings.testing])
        #expect(set.config[ProcessSettings.loops] == 2)
    }

    @Test func `a subcommand takes arguments, options and settings in any order`() throws {
        let run = try invocation("--eta-data d user add --tag a ada --json --tag=b --yes -- --x")
        #expect(run.subcommand?.words == ["user", "add"])
        #expect(run.arguments == ["ada", "--x"])
        #expect(run.options("tag") == ["a", "b"] && run.option("tag") == "b")
        #expect(run.json && run.yes && !run.flag("locked"))
        #expect(run.config[data] == "d")
    }

    @Test func `a yes or no may stand alone, and takes no other word`() throws {
        #expect(try invocation("--testing user tag ada").arguments == ["ada"])
        #expect(try invocation("--testing false").config[ProcessSettings.testing] == false)
        #expect(try invocation("--testing=true").config[ProcessSettings.testing])
    }

    @Test(arguments: [
        ("usr add x", "\"usr\" is no subcommand of eta: there are user add, user tag, keys show"),
        ("user ad x", "\"user ad\" is no subcommand of eta: did you mean user add"),
        ("user", "\"user\" is not all: write one of user add, user tag"),
        ("user add", "write: eta user add NAME [TITLE] [--tag TAG] [--locked]"),
        ("keys show now", "write: eta keys show"),
        ("user add ada --tag", "--tag needs TAG after it"),
        ("user add ada --locked=1", "--locked takes no value"),
        ("--eta-data", "--eta-data needs a path after it"),
        ("--json", "\"--json\" is no setting: --help lists them all"),
        (
            "user tag ada --tag a",
            "\"--tag\" is no setting: --help lists them all"
        ),
        (
            "--eta-dta x",
            "\"--eta-dta\" is no setting: did you mean --eta-data"
        ),
    ])
    func `what is wrong is told in one line`(line: String, message: String) throws {
        let error = try #require(throws: ConfigError.self) { try read(line) }
        #expect(error.line == message)
    }

    @Test func `help tells subcommands and settings, or those of one subcommand`() throws {
        let all = try printed("--help")
        for part in [
            "Keeps the registry", "eta user add NAME [TITLE] [--tag TAG] [--locked]",
            "--eta-data  REILETA_ETA_DATA", "The folder of all state. Give a path. Default: data.",
            "--log-level  REILETA_LOG_LEVEL",
        ] { #expect(all.contains(part), "\(part)") }
        #expect(all.split(separator: "\n").allSatisfy { $0.count <= 100 })
        let some = try printed("user --help")
        #expect(some.contains("user tag") && !some.contains("keys show"))
        #expect(!some.contains("REILETA_ETA_DATA"))
        #expect(try printed("-h") == all)
        // Help needs no sane settings.
        #expect(try printed("--help --eta-dta x") == all)
    }

    @Test func `print-config prints what would be used`() throws {
        let text = try printed("--print-config --eta-data x")
        #expect(text.contains(#""eta.data": "x""#) && text.contains(#""loops": 0"#))
    }

    @Test func `the table of the documentation has a row for each declaration that differs`() {
        let other = Program(
            name: "reil", summary: "",
            settings: [
                Setting("reil.x", .int(0...5), default: "1", unit: "a|b", help: "How many"),
                Setting("eta.data", .optional(.path), default: "", help: "Eta's folder"),
            ]
        ) { _ in Serving([], address: { "" }) }
        let lines = Help.markdown([program, other]).split(separator: "\n")
        #expect(
            lines.contains(
                "| `eta.data` | eta | path | `data` | The folder of all state; accepts a path |"))
        #expect(
            lines.contains(
                "| `eta.data` | reil | path | – | Eta's folder; accepts a path, or nothing |"))
        #expect(lines.filter { $0.hasPrefix("| `loops` |") }.count == 1)
        #expect(lines.contains { $0.hasPrefix("| `loops` | all |") })
        #expect(lines.contains { $0.hasPrefix("| `reil.x` | reil | number, a\\|b | `1` |") })
    }
}
