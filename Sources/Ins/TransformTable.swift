import API
import Base
import Domain

/// The newest transform of each path of a room, and which of them have not been told yet.
struct TransformTable {
    /// Why a transform is not taken.
    enum Refusal: Error, Equatable {
        /// It is not of the shape of the contract.
        case malformed
        /// The path is not the sender's to move.
        case notOwned
        /// It is older than what is known, or nothing changed.
        case stale
        /// The sender, or the room, has as many paths as it may have.
        case tooMany
    }

    /// Paths of one player's body.
    static let pathsPerPlayer = 64
    /// Paths of objects in a room.
    static let objectPaths = 4_096
    /// How far a sender's clock may be ahead.
    static let tolerance = Duration.seconds(10)
    /// The farthest that anything may be from the origin, in metres.
    static let farthest = 1e6

    private struct Entry {
        var transform: RoomTransform
        var isDirty = false
    }

    private var entries: [String: Entry] = [:]
    /// Paths to tell, by sender, in the order in which they first changed since the last tick.
    private var dirty: [(player: PlayerID, paths: [String])] = []
    private var pathCount: [PlayerID: Int] = [:]
    private var objectCount = 0

    /// Whether there is something to tell.
    var isDirty: Bool { !dirty.isEmpty }

    /// All there is, in a stable order.
    var all: [RoomTransform] {
        entries.sorted { $0.key < $1.key }.map(\.value.transform)
    }

    /// Takes what `player` says in an `instance-transform`.
    mutating func take(
        _ data: JSONValue, from player: PlayerID, mayMoveObjects: Bool, now: Timestamp
    ) throws(Refusal) {
        let transform = try Self.read(data, from: player, now: now)
        let isObject = transform.path.utf8.first == UInt8(ascii: "o")
        if isObject, !mayMoveObjects { throw .notOwned }
        if let known = entries[transform.path] {
            guard transform.at >= known.transform.at, transform.differs(from: known.transform)
            else { throw .stale }
        } else if isObject {
            guard objectCount < Self.objectPaths else { throw .tooMany }
            objectCount += 1
        } else {
            guard pathCount[player, default: 0] < Self.pathsPerPlayer else { throw .tooMany }
            pathCount[player, default: 0] += 1
        }
        let wasDirty = entries[transform.path]?.isDirty ?? false
        entries[transform.path] = Entry(transform: transform, isDirty: true)
        if wasDirty { return }
        if let index = dirty.lastIndex(where: { $0.player == player }) {
            dirty[index].paths.append(transform.path)
        } else {
            dirty.append((player, [transform.path]))
        }
    }

    /// Hands out what changed, sender by sender, and remembers that it was told.
    mutating func drain(_ body: (PlayerID, [RoomTransform]) -> Void) {
        for (player, paths) in dirty {
            var transforms: [RoomTransform] = []
            transforms.reserveCapacity(paths.count)
            for path in paths {
                guard let entry = entries[path], entry.isDirty else { continue }
                transforms.append(entry.transform)
                entries[path]?.isDirty = false
            }
            if !transforms.isEmpty { body(player, transforms) }
        }
        dirty.removeAll(keepingCapacity: true)
    }

    /// Forgets the body of a player who left; objects stay where they are.
    mutating func forget(_ player: PlayerID) {
        let prefix = "p:\(player.text)/"
        for path in entries.keys.filter({ $0.hasPrefix(prefix) }) { entries[path] = nil }
        dirty.removeAll { $0.player == player }
        pathCount[player] = nil
    }

    private static func read(
        _ data: JSONValue, from player: PlayerID, now: Timestamp
    ) throws(Refusal) -> RoomTransform {
        guard let text = data["path"]?.stringValue, let at = data["at"]?.integerValue,
            let position = vector(data["p"], 3)
        else { throw .malformed }
        let time = Timestamp(milliseconds: at)
        guard time <= now + tolerance, position.allSatisfy({ abs($0) <= farthest }) else {
            throw .malformed
        }
        func optional(_ key: String, _ count: Int) throws(Refusal) -> [Double]? {
            guard let value = data[key], !value.isNull else { return nil }
            guard let numbers = vector(value, count) else { throw .malformed }
            return numbers
        }
        return RoomTransform(
            player: player, path: try path(text, of: player), p: position,
            r: try optional("r", 4), s: try optional("s", 3), v: try optional("v", 3),
            a: try optional("a", 3), at: time)
    }

    /// The path in its one spelling: `@me` is the sender.
    private static func path(_ text: String, of player: PlayerID) throws(Refusal) -> String {
        guard text.utf8.count <= 160, let slash = text.firstIndex(of: "/"),
            text[slash...].utf8.allSatisfy(isPathByte), text.utf8.last != UInt8(ascii: "/")
        else { throw .malformed }
        let owner = text[..<slash]
        if owner.hasPrefix("p:") {
            let name = owner.dropFirst(2)
            guard name == "@me" || name == player.text else { throw .notOwned }
            return "p:\(player.text)\(text[slash...])"
        }
        guard owner.hasPrefix("o:"), (3...66).contains(owner.utf8.count),
            owner.utf8.allSatisfy(isPathByte)
        else { throw .malformed }
        return text
    }

    private static func isPathByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
            UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "/"):
            true
        case _: false
        }
    }

    private static func vector(_ value: JSONValue?, _ count: Int) -> [Double]? {
        guard let items = value?.arrayValue, items.count == count else { return nil }
        var numbers: [Double] = []
        numbers.reserveCapacity(count)
        for item in items {
            guard let number = item.doubleValue, number.isFinite else { return nil }
            numbers.append(number)
        }
        return numbers
    }
}

extension RoomTransform {
    fileprivate func differs(from other: RoomTransform) -> Bool {
        p != other.p || r != other.r || s != other.s || v != other.v || a != other.a
    }
}
