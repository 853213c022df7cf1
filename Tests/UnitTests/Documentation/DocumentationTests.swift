import API
import Base
import Runtime
import Support
import Testing

@testable import Eta
@testable import Ins
@testable import Reil

/// Protects: the pages that are made from the code's tables say what the code does.
struct DocumentationTests {
    @Test func `the page of endpoints is made from the endpoint table`() throws {
        try GoldenFile.expect(
            Documentation.endpoints(AllEndpoints.all), at: "docs/client/endpoints.md")
    }

    @Test func `the page of errors is made from the error table`() throws {
        try GoldenFile.expect(Documentation.errors, at: "docs/client/errors.md")
    }

    @Test func `the OpenAPI document is what the surface was reviewed as`() throws {
        let document = OpenAPI.document(of: AllEndpoints.all, server: "https://vr.example.org")
        try GoldenFile.expect(Self.lines(document) + "\n", at: "docs/client/openapi.json")
    }

    /// JSON for people who compare: what fits stands on one line, all else has a line per member.
    private static func lines(_ value: JSONValue, indent: String = "", taken: Int = 0) -> String {
        func onOneLine(_ value: JSONValue) -> String {
            var out = ByteWriter()
            out.append(json: value)
            return String(decoding: out.array(), as: UTF8.self)
        }
        let short = onOneLine(value)
        if indent.count + taken + short.count < 100 { return short }
        let deeper = indent + " "
        switch value {
        case .object(let object):
            let members = object.members.map { member in
                let key = onOneLine(.string(member.key)) + ": "
                return deeper + key + lines(member.value, indent: deeper, taken: key.count)
            }
            return "{\n" + members.joined(separator: ",\n") + "\n" + indent + "}"
        case .array(let items):
            let parts = items.map { deeper + lines($0, indent: deeper) }
            return "[\n" + parts.joined(separator: ",\n") + "\n" + indent + "]"
        case _: return short
        }
    }

    @Test func `the page of settings is made from their declarations`() throws {
        let introduction = """
            # Configuration

            Made from the declarations of the settings. Each may be given as a flag, in the
            environment, or in a JSON file named by `--config FILE` (or `REILETA_CONFIG`); a flag
            counts more than the environment, and that more than the file.

            | `reil.orphan_grace` as | is spelled |
            | --- | --- |
            | flag | `--reil-orphan-grace 5min` (a boolean may stand alone: `--insecure`) |
            | environment | `REILETA_REIL_ORPHAN_GRACE=5min` |
            | file | `{"reil": {"orphan_grace": "5min"}}` or `{"reil.orphan_grace": "5min"}` |

            An unknown key, a value that does not fit or a combination that is not safe ends the
            start with one line that names the setting, the value, and what would be accepted
            (exit 2). `--print-config` prints all settings as they are, as a file for `--config`.
            One file, or one environment, may serve all three programs: each passes over what is
            another's. Secrets are files of mode 0600, which settings only name.


            """
        try GoldenFile.expect(
            introduction + Help.markdown([Eta.program, Reil.program, Ins.program]),
            at: "docs/operate/configuration.md")
    }
}
