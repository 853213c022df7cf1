import Base
import Crypto
import Domain
import Runtime
import Storage

/// A node that lies in a folder, as it is copied from one place to another.
struct NodeCopy {
    /// Where it is a node of.
    var address = "?"
    /// Its accounts, without the node's own.
    var users = 0
    /// Its files that were copied whole, and their bytes.
    var files = 0
    var bytes: Int64 = 0
    /// What is not as it should be.
    var problems: [String] = []

    /// Looks at a database.
    init(_ database: Database) throws(APIError) {
        do throws(DatabaseError) { problems = try database.problems() } catch {
            throw APIError(error)
        }
        (address, users) = try database.read { (reader) throws(APIError) in
            (
                try NodeStore.address(reader)?.text ?? "?",
                try UserStore.countPeople(reader)
            )
        }
    }

    /// Copies every file that the database names from one folder of files to another, and looks at
    /// each byte on the way.
    mutating func copyFiles(
        namedBy database: Database, from: String, to target: String
    ) async throws(APIError) {
        do throws(FileError) {
            try Disk.makeFolders(target)
            for shard in UInt8.min...UInt8.max {
                let rows = try read(shard, of: database).get()
                if rows.isEmpty { continue }
                let below = "/" + Hex.encode([shard])
                _ = try Disk.makeFolder(target + below)
                for row in rows { try copy(row, from: from + below, to: target + below) }
                try Disk.sync(folder: target + below)
            }
            try Disk.sync(folder: target)
        } catch {
            throw .internalError("files: \(error)")
        }
    }

    private func read(_ shard: UInt8, of database: Database) -> Result<[FileRow], FileError> {
        do throws(APIError) {
            return .success(
                try database.read { (reader) throws(APIError) in
                    try FileTable.all(shard: shard, reader)
                })
        } catch {
            return .failure(.failed(operation: "read the database", number: 0))
        }
    }

    private mutating func copy(
        _ row: FileRow, from: String, to target: String
    ) throws(FileError) {
        let name = "/" + row.hash.hex.dropFirst(2)
        do throws(FileError) {
            let copied = try Disk.copy(from + name, to: target + name, mode: 0o640)
            files += 1
            bytes += copied.size
            if copied.hash != row.hash {
                problems.append("file \(row.hash.hex) is damaged")
            } else if copied.size != row.size.number {
                problems.append(
                    "file \(row.hash.hex) has \(copied.size) bytes, not \(row.size.number)")
            }
        } catch {
            // A name that leads nowhere, or to something else, is as none.
            guard case .failed("open", _) = error else {
                if error != .missing { throw error }
                problems.append("file \(row.hash.hex) is missing")
                return
            }
            problems.append("file \(row.hash.hex) cannot be read")
        }
    }

    /// Copies the keys, which are files beside each other.
    static func copyKeys(from: String, to target: String) throws(FileError) {
        try Disk.makeFolders(target)
        for name in try Disk.names(in: from) {
            guard case .file = try Disk.kind(of: from + "/" + name) else { continue }
            _ = try Disk.copy(from + "/" + name, to: target + "/" + name)
        }
        try Disk.sync(folder: target)
    }

    /// What it has, for people.
    var contents: String {
        "\(users) \(users == 1 ? "user" : "users"), \(files) "
            + "\(files == 1 ? "file" : "files") of \(bytes) bytes"
    }

    /// The same for programs.
    var json: JSONObject {
        [
            "address": .string(address), "users": .integer(Int64(users)),
            "files": .integer(Int64(files)), "bytes": .integer(bytes),
            "problems": .array(problems.map { .string($0) }),
        ]
    }
}
