import Base
import Crypto
import Domain
import Net
import Runtime
import Storage

/// `eta check`: whether the database and every file are what they should be.
enum Check {
    static let subcommand = Subcommand(
        "check",
        help: "Reads the database and every file, and tells what is wrong; it changes nothing",
        run: run)

    private static func run(_ launch: Launch) async throws {
        let settings = try EtaSettings(launch.config)
        let database = try Administration.database(launch)
        let files = try DataFolder.files(settings, launch.ambient, forLooking: true)
        let report = try await Administration.attempt("check") { () async throws(APIError) in
            try await look(database, files, launch)
        }
        if launch.invocation.json {
            launch.answer(json: [
                "files": .integer(Int64(report.files)), "bytes": .integer(report.bytes),
                "problems": .array(report.problems.map { .string($0) }),
            ])
        } else {
            for problem in report.problems { launch.answer(problem) }
            launch.answer("\(report.files) files of \(report.bytes) bytes, read whole")
        }
        if !report.problems.isEmpty {
            throw Fault(
                "\(report.problems.count) things are wrong in \(settings.data)",
                remedy: "see them above, and bring back a backup if need be")
        }
    }

    private struct Report: Sendable {
        var problems: [String] = []
        var files = 0
        var bytes: Int64 = 0
    }

    private static func look(
        _ database: Database, _ files: FileStore, _ launch: Launch
    ) async throws(APIError) -> Report {
        var strangers: [SHA256Digest] = []
        var report = Report()
        do throws(DatabaseError) { report.problems = try database.problems() } catch {
            throw APIError(error)
        }
        report.problems += try database.read { (reader) throws(APIError) in
            try OrphanStore.problems(reader)
                + FileTable.unneeded(limit: 1_000, reader).map {
                    "file \($0.hex) is needed by nobody"
                }
        }
        for shard in UInt8.min...UInt8.max {
            let known = try database.read { (reader) throws(APIError) in
                try FileTable.all(shard: shard, reader)
            }
            do throws(FileStoreError) {
                for file in known {
                    switch try await files.verify(file.hash) {
                    case .missing:
                        // One that has been deleted while this was looked at is unknown by now.
                        if try isKnown(file.hash, database) {
                            report.problems.append("file \(file.hash.hex) is missing")
                        }
                    case .damaged: report.problems.append("file \(file.hash.hex) is damaged")
                    case .sound(let size):
                        report.files += 1
                        report.bytes += size
                        if size != file.size.number {
                            report.problems.append(
                                "file \(file.hash.hex) has \(size) bytes, not \(file.size.number)")
                        }
                    }
                }
                let named = Set(known.map(\.hash))
                strangers += try await files.hashes(shard: shard).filter { !named.contains($0) }
            } catch { throw APIError(error) }
        }
        for hash in try await lasting(strangers, database, files, launch) {
            report.problems.append("file \(hash.hex) is nobody's")
        }
        return report
    }

    /// Those that are still there, and nobody's, a while later: an upload of a node at work has its
    /// file before it is named, and a deletion after it was.
    private static func lasting(
        _ strangers: [SHA256Digest], _ database: Database, _ files: FileStore, _ launch: Launch
    ) async throws(APIError) -> [SHA256Digest] {
        var left = strangers
        for _ in 0..<10 where !left.isEmpty {
            await launch.group.loops[0].pause(for: .milliseconds(100))
            var still: [SHA256Digest] = []
            for hash in left {
                do throws(FileStoreError) {
                    if try !isKnown(hash, database), try files.open(hash) != nil {
                        still.append(hash)
                    }
                } catch { throw APIError(error) }
            }
            left = still
        }
        return left
    }

    private static func isKnown(
        _ hash: SHA256Digest, _ database: Database
    ) throws(FileStoreError) -> Bool {
        let answer = try? database.read { (reader) throws(APIError) in
            try FileTable.contains(hash, reader)
        }
        return answer ?? true
    }
}
