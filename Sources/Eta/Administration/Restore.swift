import Base
import Domain
import Runtime
import Storage

/// `eta restore FOLDER`: the node as `eta backup` has copied it, in the place of what there is.
enum Restore {
    static let subcommand = Subcommand(
        "restore", arguments: ["FOLDER"],
        options: [
            CommandOption(
                "damaged", help: "Restore what is whole of a backup that is damaged itself")
        ],
        help:
            "Makes the data folder what a backup is; what was there is gone. No Eta may run on it",
        run: run)

    private static func run(_ launch: Launch) async throws {
        let settings = try EtaSettings(launch.config)
        let data = settings.data
        let source = launch.invocation.arguments[0]
        try requireBackup(source)
        let lock = try DataFolder.lock(settings)
        defer { withExtendedLifetime(lock) {} }
        try DataFolder.finishRestoring(settings, launch.ambient)
        let copy: NodeCopy
        do {
            let staging = try RestoredFolder.begin(in: data)
            copy = try await fill(staging, from: source, settings, launch)
            try RestoredFolder.commit(in: data)
        } catch {
            try? Disk.removeAll(RestoredFolder.staging(in: data))
            throw error is Fault || error is ConfigError
                ? error
                : Fault(
                    "\(source) cannot be restored into \(data) (\(error))",
                    remedy:
                        "see that this user may read the one and write the other, and start again")
        }
        if launch.invocation.json {
            var object = copy.json
            object["folder"] = .string(data)
            launch.answer(json: .object(object))
        } else {
            for problem in copy.problems { launch.answer(problem) }
            launch.answer("\(data) is \(copy.address) again: \(copy.contents)")
        }
    }

    private static func requireBackup(_ source: String) throws {
        for name in [RestoredFolder.database, RestoredFolder.keys + "/node.key"] {
            guard case .file? = try Disk.kind(of: source + "/" + name) else {
                throw ConfigError.usage(
                    "restore: \(source) has no \(name); give a folder that eta backup has made")
            }
        }
    }

    /// Brings all of it to the staging folder, asks in between, and changes nothing else.
    private static func fill(
        _ staging: String, from source: String, _ settings: EtaSettings, _ launch: Launch
    ) async throws -> NodeCopy {
        let database = try await copyDatabase(to: staging, from: source, launch)
        let found = try await Administration.attempt("restore") { () async throws(APIError) in
            try NodeCopy(database)
        }
        let wanted = try await Administration.attempt("restore") { () async throws(APIError) in
            try database.read { (reader) throws(APIError) in try FileTable.sum(reader) }
        }
        try requireRoom(wanted, settings)
        try await confirm(found, source, settings, launch)
        let copy = try await Administration.attempt("restore") { () async throws(APIError) in
            var copy = found
            try await copy.copyFiles(
                namedBy: database, from: source + "/" + RestoredFolder.files,
                to: staging + "/" + RestoredFolder.files)
            return copy
        }
        try await Administration.attempt("restore") { () async throws(APIError) in
            try await database.write { (transaction) throws(APIError) in
                try OutboxStore.renameStreams(transaction)
            }
        }
        await database.close()
        try NodeCopy.copyKeys(
            from: source + "/" + RestoredFolder.keys, to: staging + "/" + RestoredFolder.keys)
        if !copy.problems.isEmpty, !launch.invocation.flag("damaged") {
            for problem in copy.problems { launch.answer(problem) }
            throw Fault(
                "\(copy.problems.count) things are wrong in \(source), and nothing was restored",
                remedy: "take another backup, or restore what is whole with --damaged")
        }
        return copy
    }

    /// The backup's database with its log, where it has one, brought up to this program's schema.
    private static func copyDatabase(
        to staging: String, from source: String, _ launch: Launch
    ) async throws -> Database {
        let path = staging + "/" + RestoredFolder.database
        for ending in ["", "-wal"] {
            let file = source + "/" + RestoredFolder.database + ending
            guard try Disk.kind(of: file) != nil else { continue }
            _ = try Disk.copy(file, to: path + ending)
        }
        do {
            return try Database.open(
                path: path, migrations: EtaMigration.self, ambient: launch.ambient)
        } catch {
            if case .newer(let found, let known) = error {
                throw Fault(
                    "the backup \(source) is of schema \(found), and this eta knows \(known)",
                    remedy: "restore it by the newer eta that made it")
            }
            throw Fault(
                "the database of \(source) cannot be opened (\(error))",
                remedy: "take another backup")
        }
    }

    private static func requireRoom(_ wanted: Int64, _ settings: EtaSettings) throws {
        let free = try SystemDisk().free(settings.data)
        guard wanted > free else { return }
        throw Fault(
            "its files have \(wanted) bytes, and the disk of \(settings.data) has \(free) left",
            remedy: "make room; what is there now is kept until all of the backup is beside it")
    }

    /// Says what will be, and asks where a node would be gone by it.
    private static func confirm(
        _ found: NodeCopy, _ source: String, _ settings: EtaSettings, _ launch: Launch
    ) async throws {
        let plan = "restore \(found.address) with \(found.users) users into \(settings.data)"
        let path = DataFolder.databasePath(settings)
        let isNode = try Disk.kind(of: path) != nil || NodeKeys.exist(settings)
        guard isNode else {
            if !launch.invocation.json { launch.answer("will " + plan) }
            return
        }
        let former = await describe(path, launch) ?? "a node whose database cannot be read"
        let warning = "\(plan): \(former), which is there now, will be gone with all that it has."
        if launch.invocation.yes, !launch.invocation.json { launch.answer("will " + warning) }
        try launch.confirm(warning)
    }

    /// Who the node at that path is, without changing anything of it that a reader would not.
    private static func describe(_ path: String, _ launch: Launch) async -> String? {
        guard let database = try? Database.openAsIs(path: path, ambient: launch.ambient),
            let known = try? NodeCopy(database)
        else { return nil }
        await database.close()
        return "\(known.address) with \(known.users) users"
    }
}
