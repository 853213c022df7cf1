/// All that was found wrong so far.
final class DecodingProblems {
    /// Nobody reads more, and a list of a million bad items must not make an answer of a hundred
    /// times its size.
    static let limit = 100

    private(set) var all: [FieldProblem] = []

    var isFull: Bool { all.count >= Self.limit }

    func add(_ problem: FieldProblem) {
        if !isFull { all.append(problem) }
    }
}

/// Why a value was not taken; its path is known to whoever catches it.
struct Refusal: Error {
    /// What follows the field's name, such as "must be a text".
    let message: String
}

/// Thrown where no placeholder could be made, once the problem is on the list.
private struct Abandoned: Error {}

/// One value of the tree as `init(from:)` sees it, and its place in the tree.
///
/// A field that is bad is put on the list and replaced by a placeholder, so that the fields after
/// it are looked at too; what is made of placeholders is thrown away in the end.
final class TreeDecoder: Decoder, SingleValueDecodingContainer {
    enum Step {
        case root
        case key(String)
        case index(Int)
    }

    let value: JSONValue
    private let parent: TreeDecoder?
    private let step: Step
    private let problems: DecodingProblems

    private init(
        _ value: JSONValue, _ parent: TreeDecoder?, _ step: Step, _ problems: DecodingProblems
    ) {
        self.value = value
        self.parent = parent
        self.step = step
        self.problems = problems
    }

    /// The whole value behind a decoder of ours.
    static func value(of decoder: any Decoder) throws -> JSONValue {
        guard let tree = decoder as? TreeDecoder else {
            throw Refusal(message: "can be read by JSONCoder alone")
        }
        return tree.value
    }

    /// Reads `value`, which stands at `step` below `parent`.
    static func read<T: Decodable>(
        _ type: T.Type, _ value: JSONValue, _ parent: TreeDecoder?, _ step: Step,
        _ problems: DecodingProblems
    ) throws -> T {
        if let scalar = scalar(type) {
            if let result = scalar.read(value) as? T { return result }
            report("must be \(scalar.expectation)", parent, step, problems)
            return try placeholder(type)
        }
        let before = problems.all.count
        do {
            return try T(from: TreeDecoder(value, parent, step, problems))
        } catch let invalid as InvalidFields
            where problems.all.count == before && !invalid.problems.isEmpty
        {
            for problem in invalid.problems {
                let front = path(parent, step)
                let separator = front.isEmpty || problem.field.isEmpty ? "" : "."
                problems.add(
                    FieldProblem(field: front + separator + problem.field, message: problem.message)
                )
            }
        } catch {
            // What throws after a problem was found inside may have stumbled over a placeholder.
            if problems.all.count == before {
                report(refusal(error, of: type).message, parent, step, problems)
            }
        }
        return try placeholder(type)
    }

    /// Whether it is of no use to look at further items.
    fileprivate var hasTooManyProblems: Bool { problems.isFull }

    /// Reports a member that is not there.
    fileprivate func missing<T: Decodable>(_ type: T.Type, _ key: String) throws -> T {
        if let nothing = (type as? any OptionalType.Type)?.nothing as? T { return nothing }
        Self.report("is required", self, .key(key), problems)
        return try Self.placeholder(type)
    }

    private static func placeholder<T: Decodable>(_ type: T.Type) throws -> T {
        guard let blank = SchemaProbe.placeholder(type) else { throw Abandoned() }
        return blank
    }

    private static func report(
        _ message: String, _ parent: TreeDecoder?, _ step: Step, _ problems: DecodingProblems
    ) {
        problems.add(FieldProblem(field: path(parent, step), message: message))
    }

    /// The path with dots of what stands at `step` below `parent`.
    private static func path(_ parent: TreeDecoder?, _ step: Step) -> String {
        let front = parent.map { path($0.parent, $0.step) } ?? ""
        let name =
            switch step {
            case .root: ""
            case .key(let key): key
            case .index(let index): "\(index)"
            }
        return front.isEmpty ? name : "\(front).\(name)"
    }

    /// What a client is told of an error: never a type's name, which errors of the language hold.
    private static func refusal(_ error: any Error, of type: any Decodable.Type) -> Refusal {
        if let described = type as? any JSONDescribed.Type {
            return Refusal(message: "must be \(described.expectation)")
        }
        if let cases = SchemaProbe.cases(type), !cases.isEmpty {
            let names = cases.map { $0.stringValue ?? "\($0.integerValue ?? 0)" }
            return Refusal(message: "must be one of \(names.joined(separator: ", "))")
        }
        return error as? Refusal ?? Refusal(message: "is not valid")
    }

    var codingPath: [any CodingKey] { [] }
    var userInfo: [CodingUserInfoKey: Any] { [:] }

    func container<Key: CodingKey>(
        keyedBy type: Key.Type
    ) throws -> KeyedDecodingContainer<Key> {
        guard let object = value.objectValue else { throw Refusal(message: "must be an object") }
        return KeyedDecodingContainer(KeyedTree(decoder: self, object: object))
    }

    func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
        guard let items = value.arrayValue else { throw Refusal(message: "must be a list") }
        return UnkeyedTree(decoder: self, items: items)
    }

    func singleValueContainer() -> any SingleValueDecodingContainer { self }

    func decodeNil() -> Bool { value.isNull }

    func decode<T: Decodable>(_ type: T.Type) throws -> T {
        if let scalar = scalar(type) {
            if let result = scalar.read(value) as? T { return result }
            throw Refusal(message: "must be \(scalar.expectation)")
        }
        do {
            return try T(from: self)
        } catch let invalid as InvalidFields where !invalid.problems.isEmpty {
            throw invalid
        } catch {
            throw Self.refusal(error, of: type)
        }
    }

    /// Reads what stands at `step` below this value.
    fileprivate func child<T: Decodable>(
        _ type: T.Type, _ value: JSONValue, _ step: Step
    ) throws -> T {
        try Self.read(type, value, self, step, problems)
    }

    fileprivate func child(_ value: JSONValue, _ step: Step) -> TreeDecoder {
        TreeDecoder(value, self, step, problems)
    }
}

private struct KeyedTree<Key: CodingKey>: KeyedDecodingContainerProtocol {
    let decoder: TreeDecoder
    let object: JSONObject

    var codingPath: [any CodingKey] { [] }
    var allKeys: [Key] { object.members.compactMap { Key(stringValue: $0.key) } }

    func contains(_ key: Key) -> Bool { object[key.stringValue] != nil }

    func decodeNil(forKey key: Key) throws -> Bool { object[key.stringValue]?.isNull ?? true }

    func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
        let name = key.stringValue
        guard let value = object[name] else { return try decoder.missing(type, name) }
        return try decoder.child(type, value, .key(name))
    }

    func decodeIfPresent<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T? {
        let name = key.stringValue
        guard let value = object[name], !value.isNull else { return nil }
        // Without a placeholder nil will do: the problem is on the list.
        return try? decoder.child(type, value, .key(name))
    }

    private func nested(_ key: Key) -> TreeDecoder {
        decoder.child(object[key.stringValue] ?? .null, .key(key.stringValue))
    }

    func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type, forKey key: Key
    ) throws -> KeyedDecodingContainer<NestedKey> {
        try nested(key).container(keyedBy: type)
    }

    func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
        try nested(key).unkeyedContainer()
    }

    func superDecoder() throws -> any Decoder { decoder }

    func superDecoder(forKey key: Key) throws -> any Decoder { nested(key) }
}

private struct UnkeyedTree: UnkeyedDecodingContainer {
    let decoder: TreeDecoder
    let items: [JSONValue]
    var currentIndex = 0

    init(decoder: TreeDecoder, items: [JSONValue]) {
        self.decoder = decoder
        self.items = items
    }

    var codingPath: [any CodingKey] { [] }
    var count: Int? { items.count }
    var isAtEnd: Bool { currentIndex == items.count }

    private mutating func take() throws -> JSONValue {
        guard !isAtEnd else { throw Refusal(message: "has too few items") }
        currentIndex += 1
        return items[currentIndex - 1]
    }

    mutating func decodeNil() throws -> Bool {
        guard !isAtEnd, items[currentIndex].isNull else { return false }
        currentIndex += 1
        return true
    }

    mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
        if decoder.hasTooManyProblems { throw Abandoned() }
        let value = try take()
        return try decoder.child(type, value, .index(currentIndex - 1))
    }

    private mutating func nested() throws -> TreeDecoder {
        let value = try take()
        return decoder.child(value, .index(currentIndex - 1))
    }

    mutating func nestedContainer<NestedKey: CodingKey>(
        keyedBy type: NestedKey.Type
    ) throws -> KeyedDecodingContainer<NestedKey> {
        try nested().container(keyedBy: type)
    }

    mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
        try nested().unkeyedContainer()
    }

    mutating func superDecoder() throws -> any Decoder { try nested() }
}
