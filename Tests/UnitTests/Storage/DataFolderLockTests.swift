import Glibc
import Storage
import Testing

/// One process to a data folder.
struct DataFolderLockTests {
    private let folder = TemporaryFolder()

    @Test func `a second holder is told who has the folder, and a freed one can be taken`() throws {
        let path = folder.path + "/deep/data"
        do {
            let first = try DataFolderLock(folder: path, name: "eta")
            let expected = "eta, process \(getpid())"
            #expect(throws: DataFolderLockError.held(folder: path, by: expected)) {
                try DataFolderLock(folder: path, name: "eta")
            }
            withExtendedLifetime(first) {}
        }
        _ = try DataFolderLock(folder: path, name: "eta")
    }

    @Test func `a lock file left behind means nothing`() throws {
        try writeFile(folder.path + "/lock", Array("eta, process 1\n".utf8))
        _ = try DataFolderLock(folder: folder.path, name: "eta")
    }

    @Test func `a folder that cannot be made is told`() throws {
        try writeFile(folder.path + "/file", [])
        #expect(throws: DataFolderLockError.self) {
            try DataFolderLock(folder: folder.path + "/file/data", name: "eta")
        }
    }
}
