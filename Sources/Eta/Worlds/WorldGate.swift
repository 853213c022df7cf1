import API
import Base
import Domain
import Storage

/// Lets through to a world, and to what is below it, who may see or change it.
enum WorldGate {
    /// How many contributors a world may have.
    static let contributorLimit = 32

    /// The world, and how the caller stands to it.
    ///
    /// - Throws: 25 when there is none, or the caller may not know of it.
    static func visible(
        _ id: WorldID, to caller: Caller, _ node: Node, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (world: WorldRow, standing: WorldStanding) {
        guard let world = try WorldStore.find(id, reader) else { throw APIError(.worldNotFound) }
        var standing = WorldStanding()
        guard let person = caller.reference(home: node.address) else {
            guard AccessRules.maySee(world: world.tags, standing) else {
                throw APIError(.worldNotFound)
            }
            return (world, standing)
        }
        standing.isAdministrator = caller.isAdministrator
        standing.isOwner = caller.isUser(world.owner)
        standing.isContributor = world.contributors.contains(person)
        if AccessRules.maySee(world: world.tags, standing) { return (world, standing) }
        standing.isMember = try WorldStore.isMember(person, of: id, reader)
        guard standing.isMember else { throw APIError(.worldNotFound) }
        return (world, standing)
    }

    /// The world, and how the caller stands to it, who may change it.
    ///
    /// - Throws: 25 as ``visible(_:to:_:_:)``, 4 for who may only see it.
    static func editable(
        _ id: WorldID, by caller: Caller, _ node: Node, _ reader: borrowing Reader<APIError>
    ) throws(APIError) -> (world: WorldRow, standing: WorldStanding) {
        let (world, standing) = try visible(id, to: caller, node, reader)
        // A contributor from another node is thanked, and changes nothing here.
        guard caller.user != nil, AccessRules.mayEdit(standing) else {
            throw APIError(.userDontHavePermission)
        }
        return (world, standing)
    }

    /// Something below the world has changed: it is told as it is now.
    static func touch(
        _ id: WorldID, at now: Timestamp, _ node: Node, _ pushes: Pushes,
        _ transaction: borrowing Transaction<APIError>
    ) throws(APIError) {
        try WorldStore.touch(id, at: now, transaction)
        guard let row = try WorldStore.find(id, transaction.reader) else {
            throw APIError(.worldNotFound)
        }
        let world = row.world(try AssetStore.all(of: id, transaction.reader), node)
        transaction.onCommit { pushes.announce(.world(world)) }
    }
}
