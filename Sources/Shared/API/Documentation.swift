import Base
import Domain
import HTTP

/// Pages of `docs/client` that are made from the tables, so that they cannot say anything else.
public enum Documentation {
    /// A type that the page tells once, and refers to by its name.
    private struct Named {
        let name: String
        let summary: String
        let schema: JSONValue
    }

    private static let objects: [Named] = [
        named(Server.self, "a node"),
        named(User.self, "an account, as anybody sees it"),
        named(UserMe.self, "an account, as its owner sees it"),
        named(World.self, "an entry of the catalogue"),
        named(Asset.self, "one build of a world"),
        named(Service.self, "an addon for clients or for other servers"),
        named(Instance.self, "a live run of a world"),
        named(Player.self, "the presence of a user in an instance"),
        named(SessionView.self, "a login"),
        named(Login.self, "what a login earns"),
        named(Challenge.self, "a proof that a node owns its address, under way or done"),
        named(Integrity.self, "a grant that lets a user visit a node"),
        named(Gateway.self, "where a node is reached"),
        named(FieldProblem.self, "what is wrong with a field"),
    ]

    private static func named<T: Decodable>(_ type: T.Type, _ summary: String) -> Named {
        Named(name: "\(type)", summary: summary, schema: JSONCoder.schema(type))
    }

    /// The page of every endpoint: what it takes, what it answers, what can go wrong.
    public static func endpoints(_ all: [EndpointFacts]) -> String {
        var text = """
            # Endpoints

            Made from the endpoint table; the same table routes the requests and is told at
            `GET /api/openapi.json`. What the calls mean is in [http.md](http.md); the envelope, who
            a caller is and the errors that any call may answer with, in [README.md](README.md).

            Who may call: – anyone · U a user of this node · X a user of this or, by integrity, of
            another node · S another node · O the object's owner, or an administrator ·
            A an administrator.

            | call | who | does |
            | --- | --- | --- |

            """
        for facts in all {
            let call = "\(facts.method.name) \(facts.template)"
            text += "| [`\(call)`](#\(anchor(call))) | \(facts.access.word) | \(facts.summary) |\n"
        }
        for facts in all { text += "\n" + section(facts) }
        text += "\n## Objects\n"
        text +=
            "\nTimes are Unix milliseconds. A field that is not marked may always be counted on.\n"
        for object in objects {
            text += "\n### \(object.name)\n\n\(sentence(object.summary))\n\n"
            text += table(object.schema, depth: 0, inObjects: true)
        }
        return text
    }

    /// The page of every error.
    public static var errors: String {
        var text = """
            # Errors

            Made from the error table. Clients switch on the number; the message is for people and
            may change. Where *again* is marked, the same request may succeed a little later without
            anybody changing anything: wait for `Retry-After`, where the answer has it.

            A row may be more exact than its status: a known path with a method that it does not
            have is 2 with 405 and `Allow`; a head that is too large is 56 with 431.

            | code | name | status | again | message |
            | --- | --- | --- | --- | --- |

            """
        for code in ErrorCode.allCases {
            let again = code.isRetryable ? "yes" : ""
            text += "| \(code.rawValue) | \(code.name) | \(code.status) | \(again) | "
            text += "\(code.message) |\n"
        }
        return text
    }

    private static func section(_ facts: EndpointFacts) -> String {
        let call = "\(facts.method.name) \(facts.template)"
        var text = "### `\(call)`\n\n\(sentence(facts.summary)) Who may call: \(facts.access.word)."
        if facts.credentials == .ignored { text += " Credentials are not looked at." }
        if facts.readsAbroad { text += " May name another node." }
        if facts.rate != .ordinary { text += " Counted as *\(facts.rate.rawValue)*." }
        text += "\n\n"
        // What a list is narrowed down by means nothing where one more is put into it.
        let parameters = facts.parameters.filter { $0.inPath || facts.method != .put }
        if !parameters.isEmpty {
            for parameter in parameters {
                let place = parameter.inPath ? "path" : "query"
                text += "- \(place) `\(parameter.name)`: \(parameter.summary); "
                text += "\(type(parameter.schema))\n"
            }
            text += "\n"
        }
        switch facts.body {
        case .none: break
        case .json(let schema): text += "Body:\n\n" + table(schema, depth: 0) + "\n"
        case .binary: text += "Body: bytes.\n\n"
        }
        text += "Answer, \(facts.created ? 201 : 200): \(answer(facts.output))"
        let codes = ([facts.invalid] + facts.errors).sorted { $0.rawValue < $1.rawValue }
        let names = codes.map { "\($0.rawValue) \($0.name)" }
        return text + "\nErrors of its own: \(names.joined(separator: ", ")).\n"
    }

    private static func answer(_ output: JSONValue?) -> String {
        guard let output else { return "no envelope, see [http.md](http.md).\n" }
        // What has no fields asks a decoder for nothing.
        if output.objectValue?.isEmpty ?? false { return "`{}`.\n" }
        let known = objects.contains { $0.schema == output }
        guard !known, let properties = output["properties"] else { return type(output) + ".\n" }
        if let item = properties["items"]?["items"], properties["next"] != nil {
            return "a page: `items`, each \(type(item)), `next` and `total`.\n"
        }
        return "an object.\n\n" + table(output, depth: 0)
    }

    /// The fields of an object, those of objects in it indented below theirs.
    private static func table(_ schema: JSONValue, depth: Int, inObjects: Bool = false) -> String {
        let required = schema["required"]?.arrayValue ?? []
        var text = ""
        for member in (schema["properties"]?.objectValue ?? JSONObject()).members {
            let (key, value) = (member.key, member.value)
            let indent = String(repeating: "  ", count: depth)
            let isOptional = !required.contains(.string(key))
            text += "\(indent)- `\(key)`: \(type(value))"
            text += isOptional && !isNullable(value) ? ", may be left out\n" : "\n"
            let isTold = objects.contains { $0.schema == bare(value) }
            if !isTold, value["properties"] != nil, depth < 4 {
                text += table(value, depth: depth + 1)
            }
        }
        return text.isEmpty ? "- nothing\n" : text
    }

    /// A schema in words.
    private static func type(_ schema: JSONValue) -> String {
        if let object = objects.first(where: { $0.schema == bare(schema) }) {
            let link = "[\(object.name)](#\(object.name.lowercased()))"
            return isNullable(schema) ? link + " or null" : link
        }
        if let choices = schema["anyOf"]?.arrayValue {
            return choices.map(type).joined(separator: " or ")
        }
        let orNull = isNullable(schema) ? ", or null" : ""
        if let cases = schema["enum"]?.arrayValue {
            let words = cases.filter { !$0.isNull }.map { "`\($0.stringValue ?? "\($0)")`" }
            return "one of " + words.joined(separator: ", ") + orNull
        }
        let words: String
        switch name(schema) {
        case "array": words = "a list; each: \(type(schema["items"] ?? [:]))"
        case "integer": words = "a whole number" + range(schema)
        case "number": words = "a number"
        case "boolean": words = "true or false"
        case "object": words = "an object"
        case "null": words = "null"
        case "string": words = schema["description"]?.stringValue ?? "a text"
        case _: words = "any JSON"
        }
        return words + orNull
    }

    private static func range(_ schema: JSONValue) -> String {
        guard let low = schema["minimum"]?.integerValue, let high = schema["maximum"]?.integerValue
        else { return "" }
        let standard = schema["default"]?.integerValue.map { ", by default \($0)" } ?? ""
        return high > 1 << 40 ? " from \(low)" : " from \(low) to \(high)\(standard)"
    }

    private static func name(_ schema: JSONValue) -> String? {
        schema["type"]?.stringValue ?? schema["type"]?.arrayValue?.first?.stringValue
    }

    private static func isNullable(_ schema: JSONValue) -> Bool {
        schema["type"]?.arrayValue?.contains("null") ?? false
    }

    /// The schema without `null`, as the type itself has it.
    private static func bare(_ schema: JSONValue) -> JSONValue {
        guard isNullable(schema), var object = schema.objectValue, let name = name(schema) else {
            return schema
        }
        object["type"] = .string(name)
        return .object(object)
    }

    private static func sentence(_ words: String) -> String {
        words.prefix(1).uppercased() + words.dropFirst() + "."
    }

    /// What a heading is linked by: letters, digits and hyphens, in lower case.
    private static func anchor(_ heading: String) -> String {
        String(
            heading.lowercased().compactMap { character in
                switch character {
                case " ": "-"
                case _ where character.isLetter || character.isNumber: character
                case "-", "_": character
                case _: nil
                }
            })
    }
}
