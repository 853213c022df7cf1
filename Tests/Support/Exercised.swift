// Foundation: writes what was seen into a file.
import API
import Base
import Foundation
import Glibc
import HTTP

/// What of the contract's tables the tests have seen work: `cluster/test` compares it with the tables
/// at the end, and fails for a row that no test exercises. Kept only where
/// `REILETA_TEST_EXERCISED` says into which file.
public enum Exercised {
    private struct Contract {
        var routes = Routes()
        var names: [Int: String] = [:]
        /// Names that are subscribed to, and no frame's own.
        var groups: Set<String> = ["ping"]

        /// The paths of the contract as it spells them, and the groups of its events.
        init() throws {
            for row in try ContractTable("events").rows { groups.insert(row["group"] ?? "") }
            for row in try ContractTable("endpoints").rows {
                guard let path = row["path"] else { continue }
                let index = routes.insert(path)
                names[index] = path
            }
        }
    }

    private static let file = ProcessInfo.processInfo.environment["REILETA_TEST_EXERCISED"]
    private static let seen = Lock<Set<String>>([])
    private static let contract: Contract? = {
        guard file != nil else { return nil }
        atexit { Exercised.write() }
        return try? Contract()
    }()

    /// A request was answered.
    static func note(_ method: Method, _ target: String, _ answer: Answer) {
        guard let contract else { return }
        if let code = answer.code { add("error", "\(code)") }
        guard answer.status < 400 else { return }
        let path = Array(target.utf8.prefix { $0 != UInt8(ascii: "?") })
        guard let match = contract.routes.match(path[...]),
            let name = contract.names[match.template]
        else { return }
        let word = name.hasSuffix("/…") ? "any" : "\(method.name)"
        add("endpoint", "\(word) \(name)")
    }

    /// A socket was opened at that target.
    static func noteSocket(_ target: String) {
        guard contract != nil, target.hasPrefix("/api/ws") else { return }
        add("endpoint", "GET /api/ws")
    }

    /// A command was done, or an event came.
    static func note(_ frame: JSONValue) {
        guard let contract, let name = frame["command"]?.stringValue else { return }
        if let code = frame["error"]?["code"]?.integerValue {
            add("error", "\(code)")
        } else {
            add(frame["state"] == nil ? "event" : "command", name)
            guard name == "subscribed" else { return }
            for group in frame["data"]?["events"]?.arrayValue?.compactMap(\.stringValue) ?? []
            where contract.groups.contains(group) { add("event", group) }
        }
    }

    /// A command that nobody answers was seen to work by what came of it.
    static func noteTransform(_ frame: JSONValue) {
        guard frame["command"] == "instance-transform", frame["state"] == nil else { return }
        add("command", "instance-transform")
    }

    private static func add(_ kind: String, _ name: String) {
        seen.withLock { _ = $0.insert("\(kind)\t\(name)") }
    }

    private static func write() {
        guard let file else { return }
        let text = seen.withLock { $0.sorted().joined(separator: "\n") } + "\n"
        try? text.write(toFile: file, atomically: true, encoding: .utf8)
    }
}
