import API
import Base
import Domain
import Foundation
import HTTP
import Net
import Testing

@testable import Reil

/// What Reil keeps of public worlds counts as long as Eta could not have taken it back, and holds no
/// more files open than it may. Foundation: a file of its own.
struct HotWorldsTests {
    private let path: String
    private let lease = Lock(true)
    private let worlds: HotWorlds
    private let key = HotWorlds.FileKey(asset: "f_1", hash: nil, isKnown: false)

    init() throws {
        path = FileManager.default.temporaryDirectory.path + "/reileta-hot-\(UUID())"
        try Data(repeating: 7, count: 100_000).write(to: URL(fileURLWithPath: path))
        worlds = HotWorlds { [lease] in lease.withLock { $0 } }
    }

    private func world(_ number: UInt64, tags: TagSet = []) throws -> World {
        let random = SeededRandom(seed: number)
        let server = try #require(ServerAddress("a.example"))
        return World(
            id: .make(clock: ManualClock(), random: random), title: try #require(WorldTitle("T")),
            capacity: .standard, owner: UserReference(.make(clock: ManualClock(), random: random)),
            tags: tags, server: server, createdAt: Timestamp(milliseconds: 1),
            updatedAt: Timestamp(milliseconds: 1))
    }

    private func open() throws -> HotWorlds.HotFile {
        let file = try #require(ReadOnlyFile(path: path))
        return HotWorlds.HotFile(file: file, eTag: ETag(strong: "x"), fields: Fields())
    }

    @Test func `what is kept is found with a lease alone, until the world changes`() throws {
        let one = try world(1)
        worlds.keep(one, Encoded(one), asked: worlds.changes)
        worlds.keep(try open(), key, of: one.id.text, asked: worlds.changes)
        #expect(worlds.find(one.id.text) != nil && worlds.find(key, of: one.id.text) != nil)
        lease.withLock { $0 = false }
        #expect(worlds.find(one.id.text) == nil && worlds.find(key, of: one.id.text) == nil)
        lease.withLock { $0 = true }
        worlds.received(.changed(.world(one)))
        #expect(worlds.find(one.id.text) == nil && worlds.find(key, of: one.id.text) == nil)
        try FileManager.default.removeItem(atPath: path)
    }

    @Test func `private worlds, and answers from before a change, are not kept`() throws {
        let (hidden, other) = (try world(1, tags: [.private]), try world(2))
        worlds.keep(hidden, Encoded(hidden), asked: worlds.changes)
        let asked = worlds.changes
        worlds.received(.changed(.worldDeleted(hidden)))
        worlds.keep(other, Encoded(other), asked: asked)
        worlds.keep(try open(), key, of: other.id.text, asked: asked)
        #expect(worlds.find(hidden.id.text) == nil && worlds.find(other.id.text) == nil)
        #expect(worlds.find(key, of: other.id.text) == nil)
        try FileManager.default.removeItem(atPath: path)
    }

    @Test func `a file is closed when its world changes, and no more are open than may be`() throws
    {
        weak var first: ReadOnlyFile?
        do {
            let file = try open()
            first = file.file
            worlds.keep(file, key, of: try world(0).id.text, asked: worlds.changes)
        }
        #expect(first != nil)
        worlds.received(.changed(.world(try world(0))))
        #expect(first == nil)
        var kept: [Weak] = []
        for number in 1..<UInt64(700) {
            let file = try open()
            kept.append(Weak(file: file.file))
            worlds.keep(file, key, of: try world(number).id.text, asked: worlds.changes)
            #expect(kept.count { $0.file != nil } <= 256)
        }
        #expect(kept.last?.file != nil)
        try FileManager.default.removeItem(atPath: path)
    }

    private struct Weak {
        weak var file: ReadOnlyFile?
    }
}
