import Base
import Crypto
import Domain
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
            try await look(database, files)
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
        _ database: Database, _ files: FileStore
    ) async throws(APIError) -> Report {
        var report = Report()
        do throws(DatabaseError) { report.problems = try database.problems() } catch {
            throw APIError(error)
        }
        for shard in UInt8.min...UInt8.max {
            let known = try database.read { (reader) throws(APIError) in
                try FileTable.all(shard: shard, reader)
            }
            do throws(FileStoreError) {
                for file in known {
                    switch try await files.verify(file.hash) {
                    case .missing: report.problems.append("file \(file.hash.hex) is missing")
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
                for hash in try await files.hashes(shard: shard) where !named.contains(hash) {
                    // One that has arrived while this was looked at is known by now.
                    if try !isKnown(hash, database) {
                        report.problems.append("file \(hash.hex) is nobody's")
                    }
                }
            } catch { throw APIError(error) }
        }
        return report
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
