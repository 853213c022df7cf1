import API
import Base
import Domain

/// The objects of a room: who holds each, and what was said of it last. Pure.
struct ObjectTable {
    /// Why something is not done.
    enum Refusal: Error, Equatable {
        /// Somebody else holds it, or nobody does.
        case notHeld
        /// The room has as many, or as much of them, as it may have.
        case tooMany
    }

    /// How many a room may have.
    static let limit = 4_096
    /// Bytes of what is said of all of them: a snapshot has it all, beside the bodies.
    static let byteLimit = 3 << 20

    private struct Entry {
        var holder: PlayerID?
        var version = 0
        /// JSON as it came; nil before anything was said.
        var data: [UInt8]?
    }

    private var entries: [String: Entry] = [:]
    private var bytes = 0

    /// All there are, in a stable order.
    var all: [RoomObject] {
        entries.sorted { $0.key < $1.key }.map { Self.object($0.key, $0.value) }
    }

    private static func object(_ name: String, _ entry: Entry) -> RoomObject {
        RoomObject(
            object: name, holder: entry.holder, version: entry.version,
            data: entry.data.flatMap { try? JSONParser.parse($0) })
    }

    /// Who holds an object.
    func holder(of name: String) -> PlayerID? { entries[name]?.holder }

    /// Does what a member wants; what comes of it is told to all. A free object is anybody's to
    /// acquire, and comes to be by that; all else is its holder's.
    mutating func perform(
        _ action: ObjectAction, _ name: String, data: ArraySlice<UInt8>?, by player: PlayerID
    ) throws(Refusal) -> RoomObject {
        var entry = entries[name] ?? Entry()
        switch action {
        case .acquire:
            guard entry.holder == nil || entry.holder == player else { throw .notHeld }
            guard entries[name] != nil || entries.count < Self.limit else { throw .tooMany }
            entry.holder = player
        case .release:
            guard entry.holder == player else { throw .notHeld }
            entry.holder = nil
        case .set:
            guard entry.holder == player else { throw .notHeld }
            let grown = (data?.count ?? 0) - (entry.data?.count ?? 0)
            guard grown <= 0 || bytes + grown <= Self.byteLimit else { throw .tooMany }
            bytes += grown
            entry.data = data.map { Array($0) }
        case .delete:
            guard entry.holder == player else { throw .notHeld }
            bytes -= entry.data?.count ?? 0
            entries[name] = nil
            entry.version += 1
            return RoomObject(object: name, holder: nil, version: entry.version, data: nil)
        }
        entry.version += 1
        entries[name] = entry
        return Self.object(name, entry)
    }

    /// A player is gone: what they held is free, and told to be.
    mutating func release(allOf player: PlayerID) -> [RoomObject] {
        var freed: [RoomObject] = []
        for name in entries.filter({ $0.value.holder == player }).keys.sorted() {
            entries[name]?.holder = nil
            entries[name]?.version += 1
            if let entry = entries[name] { freed.append(Self.object(name, entry)) }
        }
        return freed
    }
}
