import Base
import Domain
import Runtime
import Storage

/// Opens what is in the data folder; what cannot be opened ends the start with one line.
enum DataFolder {
    /// Where the database is.
    static func databasePath(_ settings: EtaSettings) -> String { settings.data + "/eta.sqlite" }

    /// Holds the folder for this process alone.
    static func lock(_ settings: EtaSettings) throws -> DataFolderLock {
        do {
            return try DataFolderLock(folder: settings.data, name: "eta")
        } catch {
            switch error {
            case .held(let folder, let holder):
                throw Fault(
                    "the data folder \(folder) is held by \(holder.isEmpty ? "another" : holder)",
                    remedy: "stop that one, or give this one a folder of its own (eta.data)")
            case .unusable(let folder, let problem):
                throw Fault(
                    "the data folder \(folder) cannot be used (\(problem))",
                    remedy: "give eta.data a folder that this user may write")
            }
        }
    }

    /// Opens the database, and makes it when there is none.
    static func database(_ settings: EtaSettings, _ ambient: Ambient) throws -> Database {
        let path = databasePath(settings)
        try requireRestored(settings)
        do {
            let database = try Database.open(
                path: path, migrations: EtaMigration.self, ambient: ambient)
            ambient.log.notice("database open", .text("file", path))
            return database
        } catch {
            if case .newer(let found, let known) = error {
                throw Fault(
                    "the database \(path) is of schema \(found), and this eta knows \(known)",
                    remedy: "start the newer eta that made it, or bring back an older copy")
            }
            throw Fault(
                "the database \(path) cannot be opened (\(error))",
                remedy: "look at the file and its folder, or bring back a copy")
        }
    }

    /// Ends a restore that was broken off after it had begun to put things in place.
    static func finishRestoring(_ settings: EtaSettings, _ ambient: Ambient) throws {
        do {
            if try RestoredFolder.finish(in: settings.data) {
                ambient.log.notice("restore finished", .text("folder", settings.data))
            }
        } catch {
            throw Fault(
                "what is restored cannot be put in its place in \(settings.data) (\(error))",
                remedy: "see that this user may write the folder, and start again")
        }
    }

    /// Refuses a folder in which half of what there is belongs to another state of the node.
    private static func requireRestored(_ settings: EtaSettings) throws {
        guard try RestoredFolder.isUnfinished(in: settings.data) else { return }
        throw Fault(
            "a restore into \(settings.data) was broken off",
            remedy: "start eta, which finishes it, or run eta restore again")
    }

    /// Refuses a folder that no Eta has made: a subcommand would only leave a second node there.
    static func requireNode(_ settings: EtaSettings, _ launch: Launch) throws {
        guard try NodeKeys.exist(settings) else {
            throw ConfigError.refused(
                EtaSettings.data, in: launch.config,
                accepted: "the folder of a node, which eta makes when it is first started")
        }
    }

    /// Opens the folder of files; `forLooking` beside an Eta that may run, whose uploads under way
    /// are left alone.
    static func files(
        _ settings: EtaSettings, _ ambient: Ambient, forLooking: Bool = false,
        disk: any DiskSpace = SystemDisk()
    ) throws -> FileStore {
        let folder = settings.data + "/files"
        do {
            return try FileStore(
                folder: folder, floor: settings.files.freeFloor, isOwner: !forLooking, disk: disk,
                ambient: ambient)
        } catch {
            throw Fault(
                "the folder of files \(folder) cannot be used (\(error))",
                remedy: "see that this user may write it, and that its disk has room")
        }
    }
}
