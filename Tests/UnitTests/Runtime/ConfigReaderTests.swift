import Base
import Runtime
import Testing

@testable import Eta
@testable import Ins
@testable import Reil

private enum Sample {
    static let listen = Setting(
        "eta.listen", .hostAndPort, default: "127.0.0.1:3033", help: "Where it listens")
    static let grace = Setting(
        "reil.orphan_grace", .duration(.seconds(1) ... .seconds(3_600)), default: "10min",
        help: "How long it waits")
    static let tags = Setting(
        "users.default_tags", .list(of: .text()), default: "", help: "Tags of new users")
    static let admin = Setting("eta.admin", .secret, default: "", help: "A secret")
    static let testing = Setting("testing", .bool, default: "false", help: "For tests")
    static let all: [any AnySetting] = [listen, grace, tags, admin, testing]
}

private func read(
    flags: [(flag: String, text: String)] = [], environment: [String: String] = [:],
    file: String? = nil, elsewhere: [String] = []
) throws(ConfigError) -> ConfigReader {
    let config: ConfigFile? =
        if let file { try ConfigFile(path: "c.json", bytes: Array(file.utf8)) } else { nil }
    return try ConfigReader(
        Sample.all, elsewhere: elsewhere, flags: flags, environment: environment, file: config)
}

/// Flags over environment over file over default, and one line for whatever is wrong.
struct ConfigReaderTests {
    @Test func `a flag beats the environment, which beats the file, which beats the default`()
        throws
    {
        let file = #"{"eta": {"listen": "f:1"}, "reil.orphan_grace": "2s", "testing": true}"#
        let environment = ["REILETA_ETA_LISTEN": "e:1", "REILETA_REIL_ORPHAN_GRACE": "3s"]
        let all = try read(
            flags: [("eta-listen", "a:1")], environment: environment, file: file)
        #expect(all[Sample.listen].host == "a")
        #expect(all.source(of: Sample.listen) == .flag("eta-listen"))
        #expect(all[Sample.grace] == .seconds(3))
        #expect(all[Sample.testing])
        #expect(all[Sample.tags].isEmpty && !all.isSet(Sample.tags))
        #expect(try read()[Sample.grace] == .seconds(600))
    }

    @Test func `a file may nest by section, use dots, lists, and null for the default`() throws {
        let config = try read(
            file: #"{"users": {"default_tags": ["a", "b"]}, "eta.listen": null}"#)
        #expect(config[Sample.tags] == ["a", "b"])
        #expect(config.source(of: Sample.listen) == .standard)
    }

    /// The exact lines, as they are what an operator has.
    @Test(
        arguments: [
            (
                ["eta-listen": "banana"], [:], nil,
                "eta.listen is \"banana\" by --eta-listen: give a host and a port such as "
                    + "127.0.0.1:3033, [::1]:3033 or eta.internal:3033"
            ),
            (
                [:], ["REILETA_REIL_ORPHAN_GRACE": "10"], nil,
                "reil.orphan_grace is \"10\" by REILETA_REIL_ORPHAN_GRACE: give a duration such as "
                    + "500ms, 30s or 10min, from 1s to 1h"
            ),
            (
                [:], ["REILETA_TESTING": "a\nb\u{1B}\"" + String(repeating: "x", count: 200)], nil,
                "testing is \"a\\nb\\u{1b}\\\"" + String(repeating: "x", count: 115)
                    + "…\" by REILETA_TESTING: give true or false"
            ),
            (
                ["eta-listn": "a:1"], [:], nil,
                "\"--eta-listn\" is no setting: did you mean --eta-listen"
            ),
            (
                ["wholly-other": "1"], [:], nil,
                "\"--wholly-other\" is no setting: --help lists them all"
            ),
            (
                [:], ["REILETA_ETA_LISTENS": "a:1"], nil,
                "\"REILETA_ETA_LISTENS\" is no setting: did you mean "
                    + "REILETA_ETA_LISTEN"
            ),
            (
                [:], [:], #"{"eta": {"lisen": "a:1"}}"#,
                "\"eta.lisen\" in c.json is no setting: did you mean eta.listen"
            ),
            (
                [:], [:], #"{"reil": {"orphan_grace": 5}}"#,
                "reil.orphan_grace is \"5\" by c.json: give a duration such as 500ms, 30s or 10min, "
                    + "from 1s to 1h"
            ),
            (
                ["eta-admin": "hunter2"], [:], nil,
                "eta.admin is a secret, and flags are seen by everybody: give it by REILETA_ETA_ADMIN"
            ),
            (
                [:], [:], "{", "the file \"c.json\" of --config is no JSON"
            ),
            ([:], [:], "[]", "the file \"c.json\" of --config holds no JSON object"),
            (
                [:], [:], #"{"eta.listen": "a:1", "eta": {"listen": "b:1"}}"#,
                "the file \"c.json\" of --config sets eta.listen twice"
            ),
            (
                [:], [:], #"{"users.default_tags": [{}]}"#,
                "the file \"c.json\" of --config sets users.default_tags to a list of more than words"
            ),
        ] as [([String: String], [String: String], String?, String)])
    func `what is wrong is told in one line`(
        flags: [String: String], environment: [String: String], file: String?, line: String
    ) throws {
        let error = try #require(throws: ConfigError.self) {
            try read(
                flags: flags.map { (flag: $0.key, text: $0.value) }, environment: environment,
                file: file)
        }
        #expect(error.line == line || (file == "{" && error.line.hasPrefix(line)))
        #expect(!error.line.contains("\n"))
    }

    @Test func `a file that is not there is told by its path`() throws {
        let error = try #require(throws: ConfigError.self) {
            try ConfigFile(path: "/nowhere/c.json")
        }
        #expect(error.line == "the file \"/nowhere/c.json\" of --config does not exist")
    }

    @Test func `what other roles read may stand in a shared file and environment`() throws {
        let environment = ["REILETA_INS_TICK": "20ms", "REILETA_NODE_ADDRESS": "a", "HOME": "/"]
        let file = #"{"ins": {"tick": "20ms"}, "node.address": "a"}"#
        let both = ["ins.tick", "node.address"]
        _ = try read(environment: environment, file: file, elsewhere: both)
        for one in both {
            #expect(throws: ConfigError.self) {
                try read(environment: environment, elsewhere: [one])
            }
            #expect(throws: ConfigError.self) { try read(file: file, elsewhere: [one]) }
        }
        // What another role might have had, and has not.
        #expect(throws: ConfigError.self) {
            try read(file: #"{"ins.tack": "20ms"}"#, elsewhere: both)
        }
        #expect(throws: ConfigError.self) {
            try read(environment: ["REILETA_NODE_ADDRES": "a"], elsewhere: both)
        }
        // A flag is meant for this program and no other.
        #expect(throws: ConfigError.self) {
            try read(flags: [("ins-tick", "20ms")], elsewhere: both)
        }
    }

    @Test func `the keys of all roles are those that they declare`() {
        let declared = (EtaSettings.all + ReilSettings.all + InsSettings.all).map(\.key)
        #expect(Set(NodeSettings.keys) == Set(declared))
        #expect(NodeSettings.keys.count == Set(declared).count)
    }

    @Test func `what is printed can be read again, and holds no secret`() throws {
        let config = try read(
            flags: [("users-default-tags", "a,b"), ("eta-listen", "x:1")],
            environment: ["REILETA_ETA_ADMIN": "hunter2", "REILETA_TESTING": "true"])
        #expect(config[Sample.admin] == Secret("hunter2"))
        let text = Help.configuration(config)
        #expect(
            text == """
                {
                  "eta.listen": "x:1",
                  "reil.orphan_grace": "10min",
                  "users.default_tags": ["a","b"],
                  "testing": true
                }

                """)
        let again = try read(file: text)
        #expect(again[Sample.tags] == ["a", "b"] && again[Sample.testing])
    }

    @Test func `a secret is never in an error`() throws {
        let config = try read(environment: ["REILETA_ETA_ADMIN": "hunter2"])
        let error = ConfigError.refused(Sample.admin, in: config, accepted: "a better one")
        #expect(error.line == "eta.admin is \"***\" by REILETA_ETA_ADMIN: give a better one")
    }
}
