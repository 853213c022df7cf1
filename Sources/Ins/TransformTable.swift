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
        /// The sender, or the room, has as much as it may have.
        case tooMany
    }

    /// Paths of one player's body.
    static let pathsPerPlayer = 64
    /// Paths of objects in a room.
    static let objectPaths = 4_096
    /// Bytes that the bodies of a full room take in a snapshot at the most; each player has an equal
    /// share. With the objects, which take no more than 3 MiB, and the players a snapshot stays well
    /// below the 16 MiB that one message to a Reil may have.
    static let bodyBytes = 8 << 20
    /// How far a sender's clock may be ahead.
    static let tolerance = Duration.seconds(10)
    /// The farthest that anything may be from the origin, in metres.
    static let farthest = 1e6

    private struct Entry {
        var transform: RoomTransform
        /// What is told of it behind its path.
        var words: [UInt8]
        var isDirty = true
    }

    /// What is kept of each player who has moved something.
    private struct Mover {
        /// `p:<player>`, where the paths of its body begin.
        let name: String
        var pathCount = 0
        /// What its paths take in a snapshot, at the most.
        var bytes = 0
        /// Where in `dirty` its paths are since the last tick.
        var place: Int?
    }

    private var entries: [String: Entry] = [:]
    /// Paths to tell, by sender, in the order in which they first changed since the last tick.
    private var dirty: [(player: PlayerID, paths: [String])] = []
    private var movers: [PlayerID: Mover] = [:]
    private var objectCount = 0
    /// What the paths of one player's body may take in a snapshot.
    private var share: Int

    /// Nothing has moved in a room for `capacity` players.
    init(capacity: Int) { share = Self.share(capacity) }

    private static func share(_ capacity: Int) -> Int { bodyBytes / max(capacity, 1) }

    /// The room is for so many players now; who has more than their share keeps it.
    mutating func setCapacity(_ capacity: Int) { share = Self.share(capacity) }

    /// Whether there is something to tell.
    var isDirty: Bool { !dirty.isEmpty }

    /// All there is, in a stable order.
    var all: [RoomTransform] {
        entries.sorted { $0.key < $1.key }.map(\.value.transform)
    }

    /// Takes what `player` says in an `instance-transform`, whose `data` is the object in `range`
    /// of `frame`; `mayMove`: whether an object is theirs to move.
    mutating func take(
        _ frame: [UInt8], in range: Range<Int>, from player: PlayerID, now: Timestamp,
        mayMove: (_ object: String) -> Bool
    ) throws(Refusal) {
        guard let words = TransformWords(frame, range), words.at <= now + Self.tolerance else {
            throw .malformed
        }
        var mover = movers[player] ?? Mover(name: "p:\(player.text)")
        let path = try Self.path(frame[words.path], of: mover.name)
        let isObject = path.utf8.first == UInt8(ascii: "o")
        if isObject, !mayMove(String(path.dropFirst(2).prefix { $0 != "/" })) { throw .notOwned }
        guard let transform = words.transform(frame, of: player, path: path),
            transform.p.allSatisfy({ abs($0) <= Self.farthest })
        else { throw .malformed }
        let known = entries[path]
        if let known {
            guard transform.at >= known.transform.at, transform.differs(from: known.transform)
            else { throw .stale }
        }
        if isObject {
            guard known != nil || objectCount < Self.objectPaths else { throw .tooMany }
            if known == nil { objectCount += 1 }
        } else {
            let (old, new) = (known?.transform.snapshotBytes ?? 0, transform.snapshotBytes)
            guard known != nil || mover.pathCount < Self.pathsPerPlayer,
                new <= old || mover.bytes + new - old <= share
            else { throw .tooMany }
            mover.bytes += new - old
            if known == nil { mover.pathCount += 1 }
        }
        entries[path] = Entry(transform: transform, words: words.told(frame, transform))
        if known?.isDirty != true {
            if let place = mover.place {
                dirty[place].paths.append(path)
            } else {
                mover.place = dirty.count
                dirty.append((player, [path]))
            }
        }
        movers[player] = mover
    }

    /// Hands out the paths that changed, sender by sender, with what is told of each, and remembers
    /// that it was told.
    mutating func drain(_ body: (PlayerID, [(path: String, words: [UInt8])]) -> Void) {
        for (player, paths) in dirty {
            movers[player]?.place = nil
            var told: [(path: String, words: [UInt8])] = []
            told.reserveCapacity(paths.count)
            for path in paths {
                guard let entry = entries[path], entry.isDirty else { continue }
                told.append((path, entry.words))
                entries[path]?.isDirty = false
            }
            if !told.isEmpty { body(player, told) }
        }
        dirty.removeAll(keepingCapacity: true)
    }

    /// Forgets the body of a player who left; objects stay where they are.
    mutating func forget(_ player: PlayerID) {
        guard let mover = movers.removeValue(forKey: player) else { return }
        let prefix = "\(mover.name)/"
        for path in entries.keys.filter({ $0.hasPrefix(prefix) }) { entries[path] = nil }
        // What it moved last of objects is still to be told.
        if let place = mover.place { dirty[place].paths.removeAll { $0.hasPrefix(prefix) } }
    }

    /// The path in its one spelling: `@me` is the sender, whose body is called `name`.
    private static func path(
        _ text: ArraySlice<UInt8>, of name: String
    ) throws(Refusal) -> String {
        guard text.count <= 160, let slash = text.firstIndex(of: UInt8(ascii: "/")),
            text[slash...].allSatisfy(isPathByte), text.last != UInt8(ascii: "/")
        else { throw .malformed }
        let owner = text[..<slash]
        if owner.starts(with: bodyPrefix) {
            guard owner.elementsEqual(ownBody) || owner.elementsEqual(name.utf8) else {
                throw .notOwned
            }
            return name + String(decoding: text[slash...], as: UTF8.self)
        }
        guard owner.starts(with: objectPrefix), (3...66).contains(owner.count),
            owner.allSatisfy(isPathByte)
        else { throw .malformed }
        return String(decoding: text, as: UTF8.self)
    }

    private static let bodyPrefix = Array("p:".utf8)
    private static let ownBody = Array("p:@me".utf8)
    private static let objectPrefix = Array("o:".utf8)

    private static func isPathByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"),
            UInt8(ascii: "."), UInt8(ascii: ":"), UInt8(ascii: "/"):
            true
        case _: false
        }
    }
}

extension RoomTransform {
    /// What it takes in a snapshot at the most: no number is written in more than 25 bytes, and the
    /// names of its members and its player take less than 160.
    fileprivate var snapshotBytes: Int {
        let numbers = p.count + [r, s, v, a].reduce(0) { $0 + ($1?.count ?? 0) }
        return 160 + path.utf8.count + 26 * numbers
    }

    fileprivate func differs(from other: RoomTransform) -> Bool {
        p != other.p || r != other.r || s != other.s || v != other.v || a != other.a
    }
}
