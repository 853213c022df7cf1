import Base
import Domain
import Storage

/// People whom a body names: contributors, moderators.
enum NamedPeople {
    /// Those in `named` as they are kept: with their homes, each once, without `owner`; those of this
    /// node must exist.
    ///
    /// - Throws: `refusal` with every bad one, or that they are more than `limit`.
    static func kept(
        _ named: [UserReference], without owner: UserReference? = nil, field: String, limit: Int,
        or refusal: ErrorCode, _ node: Node, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> [UserReference] {
        var people: [UserReference] = []
        var problems: [FieldProblem] = []
        for (place, person) in named.enumerated() {
            let person = person.absolute(at: node.address)
            if person == owner || people.contains(person) { continue }
            // What is beyond the limit is refused anyhow, and the writer has others to serve.
            guard people.count < limit else {
                problems.append(
                    FieldProblem(field: field, message: "must be at most \(limit) users"))
                break
            }
            people.append(person)
            if person.isInternal(to: node.address), try UserStore.find(person.id, reader) == nil {
                problems.append(
                    FieldProblem(field: "\(field).\(place)", message: "is no user here"))
            }
        }
        if !problems.isEmpty { throw APIError(refusal, details: problems) }
        return people
    }

    /// Refuses one of this node who does not exist.
    ///
    /// - Throws: 17.
    static func require(
        _ person: UserReference, _ node: Node, _ reader: borrowing Reader<APIError>
    ) throws(APIError) {
        if person.isInternal(to: node.address), try UserStore.find(person.id, reader) == nil {
            throw APIError(.userNotFound)
        }
    }
}
