import Base
import Crypto
import Glibc
import Support
import Testing

@testable import Storage

/// Each name is of a whole file; what is cut off can be gone on with; nothing else is left.
struct FileStoreTests {
    private let folder = TemporaryFolder()
    private let clock = ManualClock(timestamp: SystemClock().timestamp())

    private func store() throws -> FileStore {
        try FileStore(folder: folder.path + "/files", ambient: .silent(clock: clock))
    }

    /// The same bytes for the same seed, not a multiple of any buffer.
    private func bytes(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
        SeededRandom(seed: seed).bytes(count)
    }

    private func name(_ hash: SHA256Digest) -> String {
        "files/\(hash.hex.prefix(2))/\(hash.hex.dropFirst(2))"
    }

    private func read(_ file: StoredFile) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: Int(file.size))
        #expect(unsafe pread(file.descriptor, &bytes, bytes.count, 0) == bytes.count)
        return bytes
    }

    @Test(arguments: [0, 1, 1_000, 262_144, 700_001])
    func `a file comes out as it went in, under its hash`(count: Int) async throws {
        let files = try store()
        let content = bytes(count)
        let upload = try await files.upload()
        for start in stride(from: 0, to: count, by: 61_111) {
            try await upload.append(Array(content[start..<min(count, start + 61_111)]))
        }
        #expect(upload.received == Int64(count))
        let hash = SHA256.hash(content)
        let file = try await upload.finish(expecting: hash)
        #expect(file.hash == hash && file.size == Int64(count))
        #expect(read(file) == content)
        #expect(folder.files() == [name(hash)])
        let again = try #require(try files.open(hash))
        #expect(read(again) == content)
        #expect(try files.open(SHA256.hash("other")) == nil)
        #expect(try await files.hashes(shard: hash.bytes[0]) == [hash])
        #expect(try await files.hashes(shard: hash.bytes[0] ^ 1) == [])
    }

    @Test func `an upload that is cut off goes on where it was, at every kind of cut`()
        async throws
    {
        let content = bytes(600_000)
        for cut in [0, 1, 262_143, 262_144, 262_145, 599_999, 600_000] {
            let files = try store()
            let first = try await files.upload(key: "f_1/a")
            try await first.append(Array(content[..<cut]))
            try await first.suspend()
            #expect(try await files.received("f_1/a") == Int64(cut))
            // The other process, after a kill.
            let later = try store()
            let second = try await later.upload(key: "f_1/a", at: Int64(cut))
            #expect(second.received == Int64(cut))
            try await second.append(Array(content[cut...]))
            let file = try await second.finish(expecting: SHA256.hash(content))
            #expect(read(file) == content)
            #expect(folder.files() == [name(file.hash)])
            #expect(try await later.received("f_1/a") == 0)
        }
    }

    @Test func `an upload may go on at an earlier place, anew, and never beyond what is here`()
        async throws
    {
        let files = try store()
        let content = bytes(5_000)
        let first = try await files.upload(key: "k")
        try await first.append(content)
        try await first.suspend()
        await #expect(throws: FileStoreError.gap(received: 5_000)) {
            try await files.upload(key: "k", at: 5_001)
        }
        let second = try await files.upload(key: "k", at: 1_000)
        try await second.append(bytes(10, seed: 2))
        let hash = SHA256.hash(content[..<1_000] + bytes(10, seed: 2))
        let file = try await second.finish(expecting: hash)
        #expect(file.size == 1_010)
        let third = try await files.upload(key: "k")
        #expect(third.received == 0)
        await third.discard()
    }

    @Test func `one key takes one upload at a time`() async throws {
        let files = try store()
        let first = try await files.upload(key: "k")
        await #expect(throws: FileStoreError.inUse) { try await files.upload(key: "k") }
        await #expect(throws: FileStoreError.inUse) { try await files.discardPart("k") }
        let other = try await files.upload(key: "other")
        try await first.suspend()
        await other.discard()
        let second = try await files.upload(key: "k")
        await second.discard()
        #expect(folder.files() == [])
    }

    @Test func `an upload that is dropped leaves its part, or without a key nothing`()
        async throws
    {
        let files = try store()
        for key in ["k", nil] {
            let upload = try await files.upload(key: key)
            try await upload.append(bytes(1_000))
            _ = consume upload
            // It is put away on the pool; the key is free when that is done.
            var isFree = false
            while !isFree {
                do {
                    isFree = try await files.discardPart("k")
                } catch FileStoreError.inUse { await Task.yield() }
                if key == nil {
                    isFree = folder.files() == []
                }
            }
        }
        #expect(folder.files() == [])
    }

    @Test func `bytes that are not what was told are thrown away`() async throws {
        let files = try store()
        let content = bytes(300_000)
        let told = SHA256.hash("something else")
        for key in ["k", nil] {
            let upload = try await files.upload(key: key)
            try await upload.append(content)
            await #expect(throws: FileStoreError.wrongHash(SHA256.hash(content))) {
                try await upload.finish(expecting: told)
            }
            await #expect(throws: FileStoreError.self) { try await upload.append(content) }
        }
        #expect(folder.files() == [])
    }

    @Test func `identical bytes are one file, also when many send them at once`() async throws {
        let files = try store()
        let content = bytes(400_000)
        let hashes = try await withThrowingTaskGroup(of: SHA256Digest.self) { group in
            for index in 0..<16 {
                group.addTask {
                    let upload = try await files.upload(key: index % 2 == 0 ? "\(index)" : nil)
                    try await upload.append(content)
                    return try await upload.finish().hash
                }
            }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(hashes == [SHA256.hash(content)])
        #expect(folder.files() == [name(SHA256.hash(content))])
    }

    @Test func `a fault after a file has its name leaves it whole`() throws {
        let (before, after) = (folder.path + "/part", folder.path + "/named")
        let file = try PartialFile(before)
        try file.append(bytes(1_000))
        try file.rename(to: after)
        try file.remove()
        #expect(folder.files() == ["named"])
        #expect(try OpenFile(after, O_RDONLY).read(upTo: 2_000) == bytes(1_000))
    }

    @Test func `a damaged file is replaced when its bytes come again`() async throws {
        let files = try store()
        let content = bytes(5_000)
        let hash = SHA256.hash(content)
        for _ in 0..<2 {
            let upload = try await files.upload()
            try await upload.append(content)
            let file = try await upload.finish()
            #expect(file.size == 5_000)
            #expect(read(file) == content)
            #expect(read(try #require(try files.open(hash))) == content)
            try OpenFile(folder.path + "/" + name(hash), O_WRONLY).truncate(to: 0)
        }
        #expect(folder.files() == [name(hash)])
    }

    @Test func `a file is not deleted under whoever has just sent it, and stays readable`()
        async throws
    {
        let files = try store()
        let hash = SHA256.hash(bytes(1_000))
        do {
            let upload = try await files.upload()
            try await upload.append(bytes(1_000))
            let fresh = try await upload.finish()
            #expect(try await files.delete(hash) == false)
            withExtendedLifetime(fresh) {}
        }
        let reading = try #require(try files.open(hash))
        #expect(try await files.delete(hash) == true)
        #expect(try await files.delete(hash) == false)
        #expect(try files.open(hash) == nil)
        #expect(read(reading) == bytes(1_000))
    }

    @Test func `parts are listed, kept for their time, and swept after it`() async throws {
        let files = try store()
        for key in ["f_1 ü/../x", "f_2"] {
            let upload = try await files.upload(key: key)
            try await upload.append(bytes(10))
            try await upload.suspend()
        }
        #expect(Set(try await files.parts().map(\.key)) == ["f_1 ü/../x", "f_2"])
        #expect(try await files.parts().map(\.size) == [10, 10])
        clock.advance(by: .seconds(23 * 3_600))
        #expect(try await files.sweepParts() == 0)
        clock.advance(by: .seconds(2 * 3_600))
        let running = try await files.upload(key: "f_2", at: 10)
        #expect(try await files.sweepParts() == 1)
        #expect(try await files.parts().map(\.key) == ["f_2"])
        await running.discard()
    }

    @Test func `what a killed process was writing is gone at the next start, but for parts`()
        async throws
    {
        _ = try store()
        try writeFile(folder.path + "/files/temporary/7", bytes(100))
        try writeFile(folder.path + "/files/parts/k.part", bytes(100))
        let files = try store()
        #expect(folder.files() == ["files/parts/k.part"])
        #expect(try await files.received("k") == 100)
        #expect(try await files.freeSpace() > 0)
    }
}

/// A disk of four megabytes, where one may be mounted: root may not everywhere, as containers take
/// that right away.
@Suite(.enabled(if: SmallDisk.mayMount, "no small disk may be mounted here"), .serialized)
struct FullDiskTests {
    private let disk: SmallDisk

    init() throws { disk = try SmallDisk() }

    @Test func `a full disk ends the upload by its own error and leaves nothing of it`()
        async throws
    {
        let files = try FileStore(folder: disk.path + "/files", ambient: .silent())
        let small = try await files.upload()
        try await small.append([1, 2, 3])
        let hash = try await small.finish().hash
        for key in ["k", nil] {
            let upload = try await files.upload(key: key)
            await #expect(throws: FileStoreError.full) {
                for _ in 0..<80 { try await upload.append([UInt8](repeating: 1, count: 100_000)) }
            }
            #expect(try await files.parts().isEmpty)
            #expect(try await files.freeSpace() > 3_500_000)
        }
        #expect(try files.open(hash)?.size == 3)
    }

    @Test
    func `a full disk refuses writes whole, keeps what was, and takes more once there is room`()
        async throws
    {
        try disk.take(megabytes: 2)
        let database = try Database.open(
            path: disk.path + "/test.sqlite", migrations: TestMigration.self, ambient: .silent())
        try await database.add("ada")
        let filler = Command<[UInt8]>("INSERT INTO filler VALUES (?1)")
        // The first statement of the act goes through; the second does not fit.
        await #expect(throws: DatabaseError.diskFull) {
            try await database.write { (transaction) throws(DatabaseError) in
                try transaction.run(People.insert, nil, "half", 1)
                try transaction.run(filler, [UInt8](repeating: 1, count: 3_000_000))
            }
        }
        #expect(try database.all(People.all).map(\.name) == ["ada"])
        await #expect(throws: DatabaseError.diskFull) {
            for index in 0..<1_000 {
                try await database.write { (transaction) throws(DatabaseError) in
                    try transaction.run(filler, [UInt8](repeating: 1, count: 100_000))
                    try transaction.run(People.insert, nil, "p\(index)", 1)
                }
            }
        }
        let kept = try database.first(People.count)
        disk.giveBack()
        try await database.add("late")
        #expect(try database.first(People.count) == (kept ?? 0) + 1)
        #expect(try database.first(Query<String>("PRAGMA integrity_check")) == "ok")
    }
}

/// A file system in memory, gone with the test.
private final class SmallDisk: Sendable {
    let folder = TemporaryFolder()
    var path: String { folder.path + "/disk" }

    /// Whether it is granted, which only trying tells.
    static let mayMount = (try? SmallDisk()) != nil

    init() throws {
        unsafe mkdir(path, 0o700)
        let result = unsafe mount("none", path, "tmpfs", 0, "size=4m")
        guard result == 0 else { throw NeverCame("a small disk: error \(errno)") }
    }

    func take(megabytes: Int) throws {
        try writeFile(path + "/filler", [UInt8](repeating: 1, count: megabytes << 20))
    }

    func giveBack() { unsafe unlink(path + "/filler") }

    deinit { unsafe umount2(path, Int32(MNT_DETACH)) }
}
