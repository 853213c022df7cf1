import Base
import Glibc
import Runtime
import Testing

/// A folder of its own for each test, gone with it.
private final class Folder: Sendable {
    let path: String

    init() {
        path = "/tmp/reileta-keys-" + Hex.encode(SystemRandom().bytes(8))
        unsafe mkdir(path, 0o700)
    }

    deinit {
        let pool = names
        for name in pool { unsafe unlink(path + "/" + name) }
        unsafe rmdir(path + "/a/b")
        unsafe rmdir(path + "/a")
        unsafe rmdir(path)
    }

    /// Relative paths of the files that tests make.
    private let names = ["k", "a/b/k"]

    func write(_ name: String, _ text: String, mode: mode_t) {
        let descriptor = unsafe open(path + "/" + name, O_WRONLY | O_CREAT, 0o600)
        unsafe Glibc.write(descriptor, text, text.utf8.count)
        fchmod(descriptor, mode)
        close(descriptor)
    }

    func mode(_ name: String) -> UInt32 {
        var status = stat()
        unsafe stat(path + "/" + name, &status)
        return status.st_mode & 0o777
    }
}

/// Secrets on disk: nobody else can read them, and none is half written or written over.
struct KeyFilesTests {
    @Test func `a cluster key is made once, for its owner alone, as hex`() throws {
        let folder = Folder()
        let path = folder.path + "/a/b/k"
        #expect(try KeyFiles.clusterKey(path) == nil)
        let key = try KeyFiles.clusterKey(path, random: SystemRandom())
        #expect(key.count == 32)
        #expect(folder.mode("a/b/k") == 0o600 && folder.mode("a") == 0o700)
        #expect(try KeyFiles.clusterKey(path) == key)
        #expect(try KeyFiles.clusterKey(path, random: SystemRandom()) == key)
        let text = try #require(try KeyFiles.read(path, setting: "cluster.key"))
        #expect(String(decoding: text.reveal(), as: UTF8.self) == Hex.encode(key.reveal()))
    }

    @Test func `a file that is there already is left as it is`() throws {
        let folder = Folder()
        folder.write("k", "old\r\n", mode: 0o600)
        #expect(try !KeyFiles.create(folder.path + "/k", Secret("new"), setting: "s"))
        #expect(try KeyFiles.read(folder.path + "/k", setting: "s") == Secret("old"))
    }

    @Test(arguments: [0o604, 0o640, 0o622, 0o755] as [mode_t])
    func `a file that others can open is refused`(mode: mode_t) throws {
        let folder = Folder()
        folder.write("k", "x", mode: mode)
        let error = try #require(throws: ConfigError.self) {
            try KeyFiles.read(folder.path + "/k", setting: "cluster.key")
        }
        #expect(
            error.line == "cluster.key: the file \"\(folder.path)/k\" is open to others (mode "
                + String(mode, radix: 8)
                + "): chmod 600 it, and make a new one if somebody may have read it")
    }

    @Test func `what is no cluster key is told as such`() throws {
        let folder = Folder()
        folder.write("k", String(repeating: "a", count: 62), mode: 0o600)
        let error = try #require(throws: ConfigError.self) {
            try KeyFiles.clusterKey(folder.path + "/k")
        }
        #expect(
            error.line == "cluster.key: the file \"\(folder.path)/k\" holds no cluster key: give "
                + "the file that eta made, 64 hexadecimal digits")
    }

    @Test func `a folder, a giant, and what cannot be made are told as such`() throws {
        let folder = Folder()
        func line(_ body: () throws -> Void) throws -> String {
            try #require(throws: ConfigError.self) { try body() }.line
        }
        #expect(
            try line { _ = try KeyFiles.read(folder.path, setting: "s") }.contains(
                "is a folder: give"))
        folder.write("k", String(repeating: "a", count: 70_000), mode: 0o600)
        let path = folder.path + "/k"
        #expect(try line { _ = try KeyFiles.read(path, setting: "s") }.contains("is too long"))
        #expect(
            try line { _ = try KeyFiles.create(path + "/x/y", Secret("x"), setting: "s") }
                .contains("lies in what is no folder: give a path that can be written"))
    }
}
