import Base
import Crypto
import Storage
import Testing

/// A disk that a test fills by hand.
final class ManualDisk: DiskSpace {
    private let left: Lock<Int64>

    init(free: Int64) { left = Lock(free) }

    func set(free: Int64) { left.withLock { $0 = free } }
    func free(_ folder: String) throws(FileError) -> Int64 { left.withLock { $0 } }
}

/// What uploads leave of the disk, whatever comes.
@Suite struct DiskFloorTests {
    private let folder = TemporaryFolder()
    private let disk = ManualDisk(free: 10 << 20)
    private static let floor: Int64 = 1 << 20

    private func store() throws -> FileStore {
        try FileStore(
            folder: folder.path + "/files", floor: Self.floor, disk: disk, ambient: .silent())
    }

    private let piece = [UInt8](repeating: 7, count: 300_000)

    @Test func `room is what is above the floor`() async throws {
        let files = try store()
        #expect(try await files.freeSpace() == 9 << 20)
        disk.set(free: 100)
        #expect(try await files.freeSpace() == 0)
    }

    @Test func `a disk that fills in the middle of an upload ends it, and nothing of it is left`()
        async throws
    {
        let files = try store()
        for key in ["k", nil] {
            disk.set(free: 10 << 20)
            let upload = try await files.upload(key: key)
            try await upload.append(piece)
            disk.set(free: Self.floor + Int64(piece.count) - 1)
            await #expect(throws: FileStoreError.full) { try await upload.append(piece) }
            #expect(folder.files() == [])
        }
    }

    @Test func `the last bytes count, as those of a small file are all`() async throws {
        let files = try store()
        disk.set(free: Self.floor + 9)
        for key in ["k", nil] {
            let upload = try await files.upload(key: key)
            try await upload.append([UInt8](repeating: 1, count: 10))
            await #expect(throws: FileStoreError.full) { try await upload.finish() }
            let resting = try await files.upload(key: key)
            try await resting.append([UInt8](repeating: 1, count: 10))
            await #expect(throws: FileStoreError.full) { try await resting.suspend() }
            #expect(folder.files() == [])
        }
        let upload = try await files.upload()
        try await upload.append([UInt8](repeating: 1, count: 9))
        #expect(try await upload.finish().size == 9)
    }

    @Test func `below the floor nothing is begun, what is kept stays, and reading goes on`()
        async throws
    {
        let files = try store()
        let part = try await files.upload(key: "k")
        try await part.append([1, 2, 3])
        try await part.suspend()
        let whole = try await files.upload()
        try await whole.append([4, 5])
        let hash = try await whole.finish().hash
        let before = folder.files()
        disk.set(free: Self.floor - 1)
        for key in ["k", "other", nil] {
            await #expect(throws: FileStoreError.full) { try await files.upload(key: key) }
        }
        #expect(folder.files() == before)
        #expect(try files.open(hash)?.size == 2)
        disk.set(free: Self.floor)
        let rest = try await files.upload(key: "k", at: 3)
        await rest.discard()
        #expect(try await files.delete(hash))
    }

    // MARK: Who copies the files

    @Test func `while somebody holds the files none is deleted, by any process, and none waits`()
        async throws
    {
        let (files, other) = (try store(), try store())
        let upload = try await files.upload()
        try await upload.append([1])
        let hash = try await upload.finish().hash
        do {
            let (hold, second) = (try other.hold(), try files.hold())
            #expect(try await files.delete(hash) == false)
            #expect(try await other.delete(hash) == false)
            // What comes is kept as ever.
            let more = try await files.upload()
            try await more.append([2])
            #expect(try await more.finish().size == 1)
            withExtendedLifetime((hold, second)) {}
        }
        #expect(try await files.delete(hash))
        #expect(try files.open(hash) == nil)
    }

    // MARK: A copy of the database

    @Test func `a copy is of one moment, of whatever schema, and leaves the writer alone`()
        async throws
    {
        let path = folder.path + "/test.sqlite"
        let database = try Database.open(
            path: path, migrations: TestMigration.self, ambient: .silent())
        try await database.add("ada")
        try Database.copy(path, to: folder.path + "/copy.sqlite")
        try await database.add("ben")
        let copy = try Database.openAsIs(path: folder.path + "/copy.sqlite", ambient: .silent())
        #expect(try copy.all(People.all).map(\.name) == ["ada"])
        #expect(try copy.schemaVersion() == TestMigration.allCases.count)
        #expect(try copy.problems() == [])
        #expect(try copy.schema() == database.schema())
        #expect(throws: DatabaseError.self) {
            try Database.copy(path, to: folder.path + "/copy.sqlite")
        }
        #expect(throws: DatabaseError.self) {
            try Database.copy(folder.path + "/none", to: folder.path + "/other.sqlite")
        }
        #expect(!folder.files().contains("none"))
    }
}
