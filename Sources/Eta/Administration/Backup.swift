import Base
import Domain
import Runtime
import Storage

/// `eta backup [FOLDER]`: a copy of the node as it is at one moment, while it works.
///
/// The copy is a folder laid out as the data folder itself: an Eta could run on it, `eta check` can
/// look at it. It gets its name when it is whole. No file is deleted anywhere while it is made, so
/// that each that the copied database names is there to be copied; one that arrives meanwhile is
/// in neither.
enum Backup {
    static let subcommand = Subcommand(
        "backup", arguments: ["[FOLDER]"],
        help: "Copies the node as it is now, its keys too, to a new folder, also while it works; "
            + "without FOLDER to one named by the time",
        run: run)

    private static func run(_ launch: Launch) async throws {
        let settings = try EtaSettings(launch.config)
        try DataFolder.requireNode(settings, launch)
        let now = launch.ambient.clock.timestamp().milliseconds
        let target = launch.invocation.arguments.first ?? "reileta-backup-\(now)"
        guard try Disk.kind(of: target) == nil else {
            throw ConfigError.usage("backup: \(target) is there already; give a new folder")
        }
        let staging = target + ".part"
        let lock = try take(staging)
        defer { withExtendedLifetime(lock) {} }
        let copy: NodeCopy
        do {
            copy = try await fill(staging, settings, launch)
            try Disk.sync(folder: staging)
            try Disk.rename(staging, to: target)
            try Disk.sync(folder: parent(of: target))
        } catch {
            try? Disk.removeAll(staging)
            throw error is Fault
                ? error
                : Fault(
                    "the backup \(target) cannot be made (\(error))",
                    remedy: "see that this user may write there, and that there is room")
        }
        tell(copy, target, settings, launch)
        if !copy.problems.isEmpty {
            throw Fault(
                "the backup is made, of a node in which \(copy.problems.count) things are wrong",
                remedy: "see them above, and keep the backup before this one")
        }
    }

    /// The folder where the copy is made, emptied of what an earlier one left that was broken off.
    private static func take(_ staging: String) throws -> DataFolderLock {
        do {
            let lock = try DataFolderLock(folder: staging, name: "eta backup")
            for name in try Disk.names(in: staging) where name != "lock" {
                try Disk.removeAll(staging + "/" + name)
            }
            return lock
        } catch let error as DataFolderLockError {
            guard case .held(_, let holder) = error else {
                throw Fault(
                    "the folder \(staging) cannot be made (\(error))",
                    remedy: "give a folder that this user may write")
            }
            throw Fault(
                "another backup is being made in \(staging), by \(holder)",
                remedy: "wait for it, or give another folder")
        }
    }

    private static func fill(
        _ staging: String, _ settings: EtaSettings, _ launch: Launch
    ) async throws -> NodeCopy {
        let files = try DataFolder.files(settings, launch.ambient, forLooking: true)
        let hold = try files.hold()
        defer { withExtendedLifetime(hold) {} }
        let path = staging + "/" + RestoredFolder.database
        try Database.copy(DataFolder.databasePath(settings), to: path)
        let database = try Database.openAsIs(path: path, ambient: launch.ambient)
        let copy = try await Administration.attempt("backup") { () async throws(APIError) in
            var copy = try NodeCopy(database)
            try await copy.copyFiles(
                namedBy: database, from: settings.data + "/" + RestoredFolder.files,
                to: staging + "/" + RestoredFolder.files)
            return copy
        }
        await database.close()
        try NodeCopy.copyKeys(
            from: settings.data + "/" + RestoredFolder.keys,
            to: staging + "/" + RestoredFolder.keys)
        _ = try Disk.remove(staging + "/lock")
        return copy
    }

    private static func tell(
        _ copy: NodeCopy, _ target: String, _ settings: EtaSettings, _ launch: Launch
    ) {
        let key = settings.clusterKey
        let isInside = key.hasPrefix(settings.data + "/" + RestoredFolder.keys + "/")
        if launch.invocation.json {
            var object = copy.json
            object["folder"] = .string(target)
            object["left_out"] = .array(isInside ? [] : [.string(key)])
            return launch.answer(json: .object(object))
        }
        for problem in copy.problems { launch.answer(problem) }
        launch.answer("\(copy.address) is in \(target): \(copy.contents)")
        if !isInside { launch.answer("the cluster key \(key) is not in it; keep it apart") }
    }

    private static func parent(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
