import Base

/// What is made from declarations: `--help`, `--print-config`, the table of the documentation.
public enum Help {
    /// `--help` of a program, or of the subcommands that begin with `path`.
    public static func text(_ program: Program, under path: [String] = []) -> String {
        let chosen = program.subcommands.filter { $0.words.starts(with: path) }
        var text = ""
        if path.isEmpty {
            text += "\(program.summary)\n\nUsage:\n  \(program.name) [SETTINGS]    runs it\n"
        }
        for subcommand in chosen {
            text += "  \(usage(program, subcommand))\n"
            text += wrap(subcommand.help + ".", indent: "      ")
            for option in subcommand.options {
                let value = option.value.map { " " + $0 } ?? ""
                text += wrap("--\(option.name)\(value)  \(option.help).", indent: "      ")
            }
        }
        if !chosen.isEmpty {
            text += "\nEvery subcommand takes --json (answer in JSON), --yes (do not ask back),\n"
            text += "and the settings of \(program.name) --help.\n"
        }
        guard path.isEmpty else { return text }
        text += "\nSettings, a flag over the environment over a file (--config FILE, JSON):\n"
        for setting in program.settings {
            if case .secret = setting.form {
                text += "  \(setting.variable)\n"
            } else {
                text += "  --\(setting.flag)  \(setting.variable)\n"
            }
            text += wrap(sentence(setting), indent: "      ")
        }
        text += "\n  --print-config prints what would be used, as a file for --config.\n"
        return text
    }

    /// `eta user add NAME [--tag TAG]`.
    static func usage(_ program: Program, _ subcommand: Subcommand) -> String {
        let options = subcommand.options.map { option in
            option.value.map { "[--\(option.name) \($0)]" } ?? "[--\(option.name)]"
        }
        return ([program.name] + subcommand.words + subcommand.arguments + options)
            .joined(separator: " ")
    }

    /// All settings with what they would be, as a file that `--config` reads; secrets are left out.
    public static func configuration(_ config: ConfigReader) -> String {
        let lines = config.settings.compactMap { setting -> String? in
            let text = config.shownText(of: setting)
            let value: JSONValue
            switch setting.form {
            case .secret: return nil
            case .boolean: value = .boolean(text == "true")
            case .number: value = Int64(text).map { .integer($0) } ?? .string(text)
            case .list: value = .array(splitList(text).map { .string($0) })
            case .text: value = .string(text)
            }
            return "  \(json(.string(setting.key))): \(json(value))"
        }
        return "{\n" + lines.joined(separator: ",\n") + "\n}\n"
    }

    /// The table of docs/operate/configuration.md for the settings of some programs; one that
    /// several have is listed once.
    public static func markdown(_ programs: [Program]) -> String {
        var text =
            "| setting | of | type | default | what it does |\n| --- | --- | --- | --- | --- |\n"
        var told: Set<String> = []
        for setting in programs.flatMap(\.settings) where told.insert(setting.key).inserted {
            let users = programs.filter { program in
                program.settings.contains { $0.key == setting.key }
            }
            let of =
                users.count == programs.count ? "all" : users.map(\.name).joined(separator: ", ")
            let standard = setting.standardHelp.isEmpty ? "–" : "`\(setting.standardHelp)`"
            let unit = setting.unit.map { ", \($0)" } ?? ""
            let help = "\(setting.help); accepts \(setting.accepted)"
            let cells = ["`\(setting.key)`", of, setting.kindName + unit, standard, help]
            text += cells.map { "| " + $0.replacing("|", with: "\\|") + " " }.joined() + "|\n"
        }
        return text
    }

    private static func sentence(_ setting: any AnySetting) -> String {
        let standard = setting.standardHelp.isEmpty ? "none" : setting.standardHelp
        let unit = setting.unit.map { " (\($0))" } ?? ""
        return "\(setting.help). Give \(setting.accepted)\(unit). Default: \(standard)."
    }

    private static func json(_ value: JSONValue) -> String {
        var writer = ByteWriter()
        writer.append(json: value)
        return String(decoding: writer.array(), as: UTF8.self)
    }

    private static func wrap(_ text: String, indent: String) -> String {
        var lines = ""
        var line = indent
        for word in text.split(separator: " ") {
            if line.count + word.count >= 96, line.count > indent.count {
                lines += line + "\n"
                line = indent
            }
            line += (line.count > indent.count ? " " : "") + word
        }
        return lines + line + "\n"
    }
}
