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
    /// several declare alike is one row, one that they declare differently a row for each.
    public static func markdown(_ programs: [Program]) -> String {
        var text =
            "| setting | of | type | default | what it does |\n| --- | --- | --- | --- | --- |\n"
        var told: Set<String> = []
        for key in programs.flatMap(\.settings).map(\.key) where told.insert(key).inserted {
            var rows: [(cells: [String], programs: [String])] = []
            for program in programs {
                for setting in program.settings where setting.key == key {
                    let cells = cells(setting)
                    if let known = rows.firstIndex(where: { $0.cells == cells }) {
                        rows[known].programs.append(program.name)
                    } else {
                        rows.append((cells, [program.name]))
                    }
                }
            }
            for (cells, names) in rows {
                let of = names.count == programs.count ? "all" : names.joined(separator: ", ")
                text +=
                    (["`\(key)`", of] + cells)
                    .map { "| " + $0.replacing("|", with: "\\|") + " " }.joined() + "|\n"
            }
        }
        return text
    }

    /// Type, default and help, as the page has them.
    private static func cells(_ setting: any AnySetting) -> [String] {
        let standard = setting.standardHelp.isEmpty ? "–" : "`\(setting.standardHelp)`"
        let unit = setting.unit.map { ", \($0)" } ?? ""
        return [setting.kindName + unit, standard, "\(setting.help); accepts \(setting.accepted)"]
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
