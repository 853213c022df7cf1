// Foundation: makes and removes folders and small files.
import Base
import Foundation
import Glibc

/// A folder of one test, gone with it.
public final class TestFolder: Sendable {
    /// Where it is.
    public let path: String

    private static let all = Lock<Set<String>>([])
    private static let cleansUp: Bool = {
        atexit { TestFolder.removeAll() }
        return true
    }()

    /// A new one.
    public init(_ name: String = "test") throws {
        precondition(Self.cleansUp)
        let number = SystemRandom().next()
        path =
            FileManager.default.temporaryDirectory
            .appendingPathComponent("reileta-\(name)-\(getpid())-\(number)").path
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
        let made = path
        Self.all.withLock { _ = $0.insert(made) }
    }

    /// Set `REILETA_TEST_KEEP` to look at what a failed test leaves.
    private static let isKept = ProcessInfo.processInfo.environment["REILETA_TEST_KEEP"] != nil

    deinit {
        let path = path
        Self.all.withLock { _ = $0.remove(path) }
        if Self.isKept { return }
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Writes a file into it, readable for `mode`, and says where it is.
    public func write(_ text: String, to name: String, mode: Int = 0o600) throws -> String {
        let file = "\(path)/\(name)"
        try FileManager.default.createDirectory(
            atPath: URL(fileURLWithPath: file).deletingLastPathComponent().path,
            withIntermediateDirectories: true)
        // There at once with all that it is: somebody may be waiting for it.
        let beginning = "\(file).new"
        try Data(text.utf8).write(to: URL(fileURLWithPath: beginning))
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: beginning)
        guard unsafe rename(beginning, file) == 0 else {
            throw NeverCame("\(file): error \(errno)")
        }
        return file
    }

    /// The paths of all files below `folder`, relative to it.
    public func files(below folder: String) -> [String] {
        let root = "\(path)/\(folder)"
        guard let all = FileManager.default.subpaths(atPath: root) else { return [] }
        return all.filter { name in
            var isFolder = ObjCBool(false)
            _ = unsafe FileManager.default.fileExists(
                atPath: "\(root)/\(name)", isDirectory: &isFolder)
            return !isFolder.boolValue
        }.sorted()
    }

    /// Permissions of a file or folder, such as `0o600`; nil when it is not there.
    public static func mode(of path: String) -> Int? {
        let facts = try? FileManager.default.attributesOfItem(atPath: path)
        return (facts?[.posixPermissions] as? NSNumber)?.intValue
    }

    /// Puts `bytes` in a file in place of those at `offset`.
    public static func overwrite(_ path: String, at offset: UInt64, with bytes: [UInt8]) throws {
        let file = try FileHandle(forUpdating: URL(fileURLWithPath: path))
        try file.seek(toOffset: offset)
        try file.write(contentsOf: Data(bytes))
        try file.close()
    }

    /// Puts the content of one file in place of another's.
    public static func copy(_ path: String, over other: String) throws {
        try Data(contentsOf: URL(fileURLWithPath: path)).write(to: URL(fileURLWithPath: other))
    }

    /// What a small file says, without the end of its last line; nothing when it is not there.
    public static func text(of path: String) -> String {
        guard let file = FileHandle(forReadingAtPath: path),
            let bytes = try? file.readToEnd()
        else { return "" }
        return String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .newlines)
    }

    /// How long a file is; nil when it is not there.
    public static func size(of path: String) -> Int? {
        let facts = try? FileManager.default.attributesOfItem(atPath: path)
        return (facts?[.size] as? NSNumber)?.intValue
    }

    private static func removeAll() {
        if isKept { return }
        for path in all.withLock({ $0 }) { try? FileManager.default.removeItem(atPath: path) }
    }
}

/// Ports that nobody listens at.
public enum FreePort {
    private static let taken = Lock<Set<UInt16>>([])

    /// One that was free a moment ago, and that this process has not been given before. They lie
    /// below those that systems give to outgoing connections, which come and go all the time.
    public static func next() -> UInt16 {
        while true {
            let port = UInt16(10_000 + SystemRandom().next(below: 5_900))
            guard taken.withLock({ $0.insert(port).inserted }) else { continue }
            if isFree(port) { return port }
        }
    }

    // SAFETY: the address lives on the stack for as long as the call.
    /// Whether nobody listens at a port of this machine.
    public static func isFree(_ port: UInt16) -> Bool {
        let number = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        precondition(number >= 0, "no socket: \(number)")
        defer { close(number) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        return unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(number, $0, size) == 0
            }
        }
    }
}
